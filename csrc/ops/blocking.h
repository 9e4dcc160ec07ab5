/* SPDX-License-Identifier: BSD-3-Clause */
/* How a problem is cut into register tiles and cache blocks; shared by every op that drives the tile. */
#ifndef CF_BLOCKING_H
#define CF_BLOCKING_H
#include "../core/kernels.h"

/* Rows are cut into `panels`, vectors into tiles of at most `nv`, both into parts whose sizes differ by at most one:
 * no row or vector of padding exists. */
typedef struct {
    int64_t nv, panels;
    double cost; /* of a multiply-add of vectors, 1 at the peak (estimated) */
} cf_tile_shape;

cf_tile_shape cf_choose_tile(const cf_kernels *kn, int64_t rows, int64_t vectors);

/* Reals of a slab that one thread packs: half of L2. */
static inline int64_t cf_slab_max(const cf_kernels *kn) { return kn->core.l2 / 2 / kn->size; }

/* So many reals or a few more: arrays an odd number of lines apart spread over all sets of a cache. */
static inline int64_t cf_odd_lines(int64_t reals, int64_t size)
{
    int64_t line = CF_ALIGN / size;
    return (cf_ceil_div(reals, line) | 1) * line;
}

/* Multiplications below which one thread is faster: a fork and join cost 0.9 us, so a second thread pays from about
 * 3 us of work on (measured, Zen 4). */
static const int64_t CF_SERIAL_WORK = 100 * 1000;

/* Bytes taken from a workspace one after another: offsets only, so that a plan can be made without the memory. */
static inline int64_t cf_take(int64_t *used, int64_t bytes)
{
    int64_t at = *used;
    *used += cf_round_up(bytes, CF_ALIGN);
    return at;
}

#endif
