/* SPDX-License-Identifier: BSD-3-Clause */
/* Convolution in groups of very few channels, all passes: each channel of the destination is a sum over few planes, and what
 * limits is how often a vector of the source is loaded.
 *
 * Lanes are destination points of a row, rows of a strip those below each other, so that a vector meets the taps of several
 * rows while it is in a register.  Where there is but one row, it is folded: the rows of a strip are its vectors, and taps that
 * lie whole vectors apart meet in one load.
 *
 * Forward and backward-data read rows where they lie, and leave out what a tap would read outside of the source.  Padded slabs
 * are made of rows that are folded, of those whose points lie too far apart, and for backward-weights. */
#ifndef CF_DEPTHWISE_H
#define CF_DEPTHWISE_H
#include "../kernels/depthwise.h"
#include "slab.h"

typedef struct {
    int64_t rows, red, vol; /* a group's destination channels, source channels, taps */
    int64_t w_group, w_row, w_red; /* strides of the weights */
    cf_slab slab;
    int in_place; /* the slab is the source itself */
    int folded; /* rows of strips are vectors of a row */
    int edges; /* in place, though taps may read outside of the source */
    int64_t lane_step; /* of the kernels */
    int64_t phases; /* of all axes */
    int64_t blocks, units; /* a unit: a block of points of a group of an image */
    int64_t strip_rows, sum_columns[CF_HEIGHT_MAX + 1]; /* of the largest strip; of the most sums, by height */
    int64_t parts; /* independent sums over the units of a group, in backward-weights */
    int64_t buffer_ld; /* reals of a row that is held back until all phases along w are there; 0: none is */
    int64_t spans, lead; /* what is packed if the slab is whole; reals before it that align most of its rows */
    int64_t phases_at, pieces_at, columns_at, spans_at; /* bytes in the workspace */
    int64_t buffer_at, inside_at; /* bytes in that of a thread */
} cf_depthwise_plan;

#endif
