/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of depthwise convolution share. */
#ifndef CF_DEPTHWISE_INTERNAL_H
#define CF_DEPTHWISE_INTERNAL_H
#include "conv_internal.h"

/* A phase of all axes.  Rows of its strips, and taps of its pieces, lie `apart` rows (of vectors, where folded) from each other;
 * its pieces are [piece, end), their columns start at columns[column]. */
typedef struct {
    cf_phase axis[3];
    int64_t apart, piece, end, column;
    int64_t from, to; /* lanes of a row of which all taps read inside it, and the next real too */
} cf_depthwise_phase;

/* Rows of a slab that lie inside the source: slab[to + r*row_stride + q] = source[from + r*ld + q*step], r < rows, q < len.
 * What a slab of whole planes has besides is zero, the same for all of them, and is set once a call. */
typedef struct {
    int64_t to, from, rows, len, ld;
} cf_span;

/* depthwise_taps.c: fill the tables of all phases; taps of all pieces and their number are those of red * vol at most. */
void cf_depthwise_tables(const cf_depthwise_plan *p, int64_t lanes, void *workspace);

static inline cf_depthwise_phase *cf_depthwise_phases(const cf_depthwise_plan *p, void *workspace)
{
    return cf_at(workspace, p->phases_at, 1);
}
static inline cf_piece *cf_depthwise_pieces(const cf_depthwise_plan *p, void *workspace)
{
    return cf_at(workspace, p->pieces_at, 1);
}
static inline cf_column *cf_depthwise_columns(const cf_depthwise_plan *p, void *workspace)
{
    return cf_at(workspace, p->columns_at, 1);
}

/* Whether all taps of a phase read inside the source for its points first, ..., last. */
static inline int cf_depthwise_whole(const cf_axis *a, const cf_phase *ph, int64_t first, int64_t last)
{
    return first * a->step + ph->off0 >= 0 && last * a->step + ph->off0 + (ph->taps - 1) * ph->off_step < a->src;
}

/* A unit: a block of points of a group of an image. */
static inline cf_region cf_depthwise_region(const cf_conv_plan *plan, int64_t group, int64_t image, int64_t block)
{
    const cf_depthwise_plan *p = &plan->depthwise;
    cf_region r = {.image = image, .images = 1, .channel = group * p->red, .channels = p->red};
    for (int i = 0; i < 3; i++) r.len[i] = p->slab.points[i];
    if (p->blocks > 1) cf_slab_block(&p->slab, block, &r);
    return r;
}

/* depthwise_source.c: what a call does before its tasks; the source of a region: its slab, packed, or the place of its first
 * point in the source itself. */
void cf_depthwise_prepare(const cf_conv_plan *plan, const cf_kernels *kn, void *workspace);
const void *cf_depthwise_source(const cf_conv_plan *plan, const cf_kernels *kn, const cf_region *r, const void *src,
                                void *workspace, int thread);

static inline int64_t cf_depthwise_slab_bytes(const cf_depthwise_plan *p, const cf_kernels *kn)
{
    return p->in_place ? 0 : cf_round_up((p->red * p->slab.channel_size + 3 * kn->lanes) * kn->size, CF_ALIGN);
}

#endif
