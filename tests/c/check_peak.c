/* SPDX-License-Identifier: BSD-3-Clause */
/* The measuring kernels: they must do the work whose rate is reported. */
#include "check.h"

void check_fma_chains(check *c)
{
    for (int64_t rounds = 0; rounds < 20; rounds++) {
        void *got = check_array(c, CF_CHAINS_MAX), *expected = check_copy(c, got, CF_CHAINS_MAX);
        int64_t chains = 0;
        c->kn->fma_chains(rounds, got, &chains);
        for (int64_t i = 0; i < chains; i++) check_put(c, expected, i, 2 - ldexp(2, (int)-rounds));
        check_equal(c, got, expected, CF_CHAINS_MAX, "chains");
        free(got);
        free(expected);
    }
}

void check_stream(check *c)
{
    for (int64_t n = 0; n < 3 * c->kn->lanes + 2; n++) {
        void *src = check_array(c, n), *dst = check_array(c, n);
        c->kn->stream(n, src, dst);
        check_equal(c, dst, src, n, "copy");
        free(src);
        free(dst);
    }
}
