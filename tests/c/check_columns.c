/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel of columns, every shape around a vector's length. */
#include "check.h"

static void one_transpose(check *c, int64_t m, int64_t n)
{
    int64_t lds = n + check_random(c, 0, 2), ldd = m + check_random(c, 0, 2), size = (n - 1) * ldd + m;
    void *src = check_array(c, (m - 1) * lds + n), *dst = check_array(c, size), *expected = check_copy(c, dst, size);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) check_put(c, expected, j * ldd + i, check_get(c, src, i * lds + j));
    c->kn->transpose(m, n, src, lds, dst, ldd);
    check_equal(c, dst, expected, size, "transpose");
    free(src);
    free(dst);
    free(expected);
}

void check_transpose(check *c)
{
    for (int64_t m = 1; m <= 2 * c->kn->lanes + 1; m++)
        for (int64_t n = 1; n <= 2 * c->kn->lanes + 1; n++) one_transpose(c, m, n);
}
