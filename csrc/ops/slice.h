/* SPDX-License-Identifier: BSD-3-Clause */
/* A padded, strided rectangle of a plane, copied row by row:
 *   to[y*ld + x] = plane[(at[0] + y)*step_h + off[0]][(at[1] + x)*step_w + off[1]],  y < len[0], x < len[1],
 * zero outside of the plane. */
#ifndef CF_SLICE_H
#define CF_SLICE_H
#include "../core/kernels.h"
#include "axis.h"

typedef struct {
    int64_t height, width, ld, row_step, column_step; /* destination extent; source distance of rows and columns */
    int64_t h0, h1, w0, w1;                            /* rows and columns inside the plane */
    int64_t from;                                      /* source element of (h0, w0) */
} cf_slice;

/* axis: h, then w. */
cf_slice cf_slice_of(const cf_axis axis[2], const int64_t at[2], const int64_t len[2], const int64_t off[2],
                     int64_t ld);

/* The same of a plane whose elements lie `point` apart. */
static inline cf_slice cf_slice_spaced(cf_slice s, int64_t point)
{
    s.row_step *= point;
    s.column_step *= point;
    s.from *= point;
    return s;
}

void cf_copy_slice(const cf_kernels *kn, const cf_slice *s, const void *plane, void *to);

#endif
