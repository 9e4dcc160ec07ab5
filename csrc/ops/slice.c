/* SPDX-License-Identifier: BSD-3-Clause */
/* Padded rectangles; contract in slice.h. */
#include "slice.h"

cf_slice cf_slice_of(const cf_axis axis[2], const int64_t at[2], const int64_t len[2], const int64_t off[2], int64_t ld)
{
    const cf_axis *h = &axis[0], *w = &axis[1];
    cf_slice s = {.height = len[0], .width = len[1], .ld = ld, .row_step = h->step * w->src, .column_step = w->step};
    int64_t top = at[0] * h->step + off[0], left = at[1] * w->step + off[1];
    cf_valid_range(len[0], top, h->step, h->src, &s.h0, &s.h1);
    cf_valid_range(len[1], left, w->step, w->src, &s.w0, &s.w1);
    if (s.w0 == s.w1) s.h1 = s.h0;
    s.from = (top + s.h0 * h->step) * w->src + left + s.w0 * w->step;
    return s;
}

void cf_copy_slice(const cf_kernels *kn, const cf_slice *s, const void *plane, void *to)
{
    kn->gather_rows(to, s->ld, NULL, 0, s->h0, s->width, 0, 0, 1, 0);
    if (s->h1 > s->h0)
        kn->gather_rows(cf_at(to, s->h0 * s->ld, kn->size), s->ld, cf_at_const(plane, s->from, kn->size), s->row_step,
                        s->h1 - s->h0, s->width, s->w0, s->w1, s->column_step, 0);
    kn->gather_rows(cf_at(to, s->h1 * s->ld, kn->size), s->ld, NULL, 0, s->height - s->h1, s->width, 0, 0, 1, 0);
}
