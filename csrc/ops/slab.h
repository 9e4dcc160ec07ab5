/* SPDX-License-Identifier: BSD-3-Clause */
/* A slab: the part of the source that a block of destination points meets, padded, with strides taken out, so that every
 * tap is a shift.
 *
 *   [channel][copy d][copy h][copy w][slice][row][image][pitch]
 *
 * Images lie inside rows, so that the lanes of a slice are one run over rows and images: small maps fill whole vectors with
 * the pixels of several images.  An axis is held shared (a halo) or expanded (a copy an offset), see axis.h. */
#ifndef CF_SLAB_H
#define CF_SLAB_H
#include "axis.h"
#include "layout.h"

struct cf_kernels;

typedef struct {
    cf_axis axis[3];
    int64_t points[3]; /* destination points of a phase */
    int64_t block[3], images; /* of which a slab serves */
    cf_copies copies[3];
    int64_t pitch, row_stride, slice_stride, copy_size, channel_size;
} cf_slab;

/* What a slab is packed for: destination points at[i], ..., at[i] + len[i] - 1 of a phase. */
typedef struct {
    int64_t image, images, at[3], len[3];
    int64_t channel, channels; /* of the source */
} cf_region;

/* Axes of a convolution with these lengths (or of its adjoint), plain ones merged. */
void cf_slab_axes(cf_slab *s, int adjoint, const int64_t in[3], const int64_t out[3], const int64_t kernel[3],
                  const int64_t stride[3], const int64_t dil[3], const int64_t pad[3]);

/* Phase `index` of all axes, the last axis fastest, and the number of its taps. */
int64_t cf_slab_phases(const cf_slab *s, int64_t index, cf_phase ph[3]);

/* The smaller way to hold `block` points of an axis. */
cf_copies cf_slab_copies(const cf_axis *a, int64_t block);

/* Everything that follows from block, images and copies. */
void cf_slab_layout(cf_slab *s, const struct cf_kernels *kn);

/* Blocks along an axis, and in all. */
int64_t cf_slab_blocks(const cf_slab *s, int axis);
int64_t cf_slab_all_blocks(const cf_slab *s);

/* Set at and len of block `index` of all blocks, the last axis fastest. */
void cf_slab_block(const cf_slab *s, int64_t index, cf_region *r);

/* Lanes of `rows` rows of all images of a slice, `width` points each: one run, with what lies between them. */
int64_t cf_slab_lanes(const cf_slab *s, int64_t rows, int64_t width);

/* Lanes of rows that a block covers are one run of points of the destination, with nothing between the rows. */
int cf_slab_rows_adjoin(const cf_slab *s);

void cf_slab_pack(const cf_slab *s, const struct cf_kernels *kn, const void *src, const cf_layout *layout,
                  const cf_region *r, void *slab);

/* Offsets of the channels and taps of the phases ph in a slab: koff[tap / inner][channel][tap % inner]. */
void cf_slab_offsets(const cf_slab *s, const cf_phase ph[3], int64_t channels, int64_t inner, int32_t *koff);

static inline int64_t cf_slab_src_plane(const cf_slab *s) { return s->axis[0].src * s->axis[1].src * s->axis[2].src; }
static inline int64_t cf_slab_dst_plane(const cf_slab *s) { return s->axis[0].dst * s->axis[1].dst * s->axis[2].dst; }

#endif
