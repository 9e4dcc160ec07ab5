/* SPDX-License-Identifier: BSD-3-Clause */
/* One axis of a correlation as a sum of short kernels of stride 1, in tiles of m outputs that n = m + r - 1 points serve.
 *
 *   dst[phase + dstep*x] = sum over the pieces of the phase, and i < r, of  w[tap(i)] * src[source + step*(x + lattices*i)]
 *
 *   x = l + lattices*(m*t + j),   l < lattices,   t < tiles,   j < m
 *
 * A stride of the convolution makes several pieces with sources of their own: more channels.  A dilation makes lattices: more
 * tiles.  A stride of the adjoint makes phases: more rows.  A long kernel makes more pieces.  Nothing else knows of these. */
#ifndef CF_PIECES_H
#define CF_PIECES_H
#include "axis.h"

enum { CF_PHASES_MAX = 4, CF_SOURCES_MAX = 8 };

/* Places [first, first + taps) of the r have taps tap0, tap0 + tap_step, ...; the others are zero. */
typedef struct {
    int32_t source, first, taps, tap0, tap_step; /* source: which of those of the axis */
} cf_subkernel;

typedef struct {
    int64_t m, r, n;
    int64_t step, dstep, lattices, tiles, dst;
    int64_t phases, sources, most; /* pieces of a phase at most */
    int32_t source[CF_SOURCES_MAX]; /* in the order of the source */
    int32_t pieces[CF_PHASES_MAX];
    cf_subkernel piece[CF_PHASES_MAX][CF_SOURCES_MAX];
} cf_pieces;

/* 0 if there are more phases or sources than fit.  m and r are 1 where nothing is to be transformed. */
int cf_pieces_of(cf_pieces *p, const cf_axis *a, int64_t m, int64_t r);

/* Most taps of a piece's class, which are those that one source can serve. */
int64_t cf_pieces_taps(const cf_axis *a);

/* Whether a piece has anything at a point: the first belongs to the first tap alone, the last to the last. */
int cf_subkernel_uses(const cf_pieces *p, const cf_subkernel *piece, int64_t point);

/* Positions x that tiles [0, tiles) read: lattices * (m*tiles + r - 1). */
static inline int64_t cf_pieces_read(const cf_pieces *p, int64_t tiles)
{
    return p->lattices * (p->m * tiles + p->r - 1);
}

/* Source points from the first that a tile reads of any source to the last of any. */
static inline int64_t cf_pieces_span(const cf_pieces *p, int64_t tiles)
{
    return p->source[p->sources - 1] - p->source[0] + p->step * (cf_pieces_read(p, tiles) - 1) + 1;
}

#endif
