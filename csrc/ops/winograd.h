/* SPDX-License-Identifier: BSD-3-Clause */
/* Plan of Winograd's convolution, see winograd.c and winograd_weights.c. */
#ifndef CF_WINOGRAD_H
#define CF_WINOGRAD_H
#include "pieces.h"

typedef struct {
    cf_pieces axis[3];
    int64_t src[3];
    int prepared; /* U is an argument */
    int64_t rows, red, vol;        /* a group's destination channels, source channels, taps */
    int64_t w_group, w_row, w_red; /* strides of the weights */
    int64_t points, sources, pieces, phases; /* of all axes; pieces of a phase at most */
    int64_t box[3], boxes[3], box_tiles, all_boxes; /* a box: tiles of an image that share a slab */
    int64_t batches, batch_boxes, batch_tiles; /* a batch: boxes that are multiplied together, at most */
    int64_t terms; /* of a sum at most */
    int64_t mr, nv, panels,
        ld; /* a tile of the product; rows are cut into panels of nv vectors or one less, ld reals apart */
    int64_t v_blocks, v_source; /* vectors of a tile at a point, terms of a source */
    int64_t v_row, v_plane; /* V[point][tile][source][channel] */
    int64_t v_next; /* reals from a source to the next, or of few channels from a vector to the next */
    int64_t u_piece, u_plane, u_size; /* U[phase][point][piece][channel][ld] of a panel; channels of a piece */
    int64_t m_plane; /* M[point][tile][ld] */
    int64_t channels; /* whose filters are transformed together */
    int64_t slab_size, out_size, temp_size, filter_size; /* reals; of a box, a vector of channels wide */
    int64_t room_v, room_u, room_m, room_out; /* reals that a thread has for itself alone */
    int keep_source; /* V is made for all threads, and each makes the U of its panels; else U for all, V for its batches */
    int64_t channel_panels, row_blocks, unit_size, chunks; /* backward-weights: see winograd_weights.c */
    int64_t zeros_at, koff_at, tiles_at, v_at, u_at, thread_at, thread_bytes;
    int64_t filter_bytes; /* of thread_bytes, those of U */
} cf_winograd_plan;

#endif
