/* SPDX-License-Identifier: BSD-3-Clause */
/* Results to their places, and what becomes of them there; contracts in conv_internal.h. */
#include "conv_internal.h"

void cf_apply_epilogue(const cf_kernels *kn, const cf_target *t, void *y, int64_t channel, int each, int64_t ld,
                       int64_t rows, int64_t len)
{
    const cf_epilogue *e = t->epilogue;
    if (!e) return;
    const cf_finish f = {.norm = e->norm ? cf_at_const(e->norm, channel, kn->size) : NULL,
                         .stride = t->channels,
                         .step = each,
                         .low = e->low,
                         .high = e->high};
    int64_t at = (char *)y - (char *)t->dst;
    kn->finish_rows(&f, y, e->residual ? cf_at_const(e->residual, at, 1) : NULL, ld, rows, len);
}

/* Two phases at once where the stride is 2, so that whole lines are written. */
void cf_put_rows(const cf_kernels *kn, const cf_axis *w, const void *from, int64_t next_phase, int64_t ld, void *to,
                 int64_t ldd, int64_t rows, int64_t points)
{
    if (w->dstep == 2) {
        kn->interleave_rows(to, ldd, from, cf_at_const(from, next_phase, kn->size), ld, rows, points);
        return;
    }
    for (int64_t i = 0; i < w->dstep; i++) {
        int64_t count = cf_ceil_div(cf_max(points - i, 0), w->dstep);
        kn->scatter_rows(cf_at(to, i, kn->size), ldd, w->dstep, cf_at_const(from, i * next_phase, kn->size), ld, rows,
                         count);
    }
}
