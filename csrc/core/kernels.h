/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel table: what one instruction set offers for one dtype.  Each family lists its kernels once, as
 * X(name, params); the struct, the tables and the C test harness are made from that list.  Kernels are pure: they never
 * allocate, validate, thread or read the environment.  `real` stands for the dtype of the table. */
#ifndef CF_KERNELS_H
#define CF_KERNELS_H
#include "base.h"
#include "../kernels/activation.h"
#include "../kernels/columns.h"
#include "../kernels/dense.h"
#include "../kernels/depthwise.h"
#include "../kernels/dropout.h"
#include "../kernels/lrn.h"
#include "../kernels/norm.h"
#include "../kernels/optim.h"
#include "../kernels/peak.h"
#include "../kernels/pool.h"
#include "../kernels/pool_place.h"
#include "../kernels/softmax.h"
#include "../kernels/winograd.h"

#define CF_KERNEL_LIST(X)    \
    CF_DENSE_KERNELS(X)      \
    CF_ACTIVATION_KERNELS(X) \
    CF_POOL_KERNELS(X)       \
    CF_PLACE_KERNELS(X)      \
    CF_COLUMNS_KERNELS(X)    \
    CF_PEAK_KERNELS(X)       \
    CF_NORM_KERNELS(X)       \
    CF_OPTIM_KERNELS(X)      \
    CF_LRN_KERNELS(X)        \
    CF_SOFTMAX_KERNELS(X)    \
    CF_DROPOUT_KERNELS(X)    \
    CF_WINOGRAD_KERNELS(X)

#define CF_DECLARE_KERNEL(name, params) void(*name) params;

/* What plans assume of the cores that stop at this instruction set. */
typedef struct {
    int64_t kc; /* products that a tile sums before its result is written */
    int64_t l2, slab; /* bytes of the cache, and of the most of a source that a task of forward packs */
    double fma; /* cycles of a multiply-add of vectors */
    double in_place[2]; /* times this where lanes lie apart in the source itself, from the start of lines or anywhere */
} cf_core;

typedef struct cf_kernels {
    cf_isa isa;
    cf_dtype dtype;
    int64_t size; /* bytes of a real */
    int64_t lanes; /* reals of a vector register */
    cf_core core;
    cf_tile_fn *tile[CF_NV_MAX + 1][CF_MR_MAX + 1]; /* [vectors][rows], NULL where registers do not suffice */
    cf_tile_fn *tile_apart[CF_NV_MAX + 1][CF_MR_MAX + 1]; /* likewise */
    cf_dot_fn *dot[CF_DOT_MAX + 1][CF_DOT_MAX + 1]; /* [columns][rows], NULL likewise */
    cf_strip_fn *strip[CF_LANE_STEP_MAX + 1][CF_STRIP_MAX + 1]; /* [step][rows], NULL likewise */
    cf_sums_fn *sums[CF_HEIGHT_MAX + 1][CF_COLUMNS_MAX + 1]; /* [height][columns], NULL likewise */
    /* [kind][points][elements], the elements of CF_INPUT being 0, NULL where there is none */
    cf_transform_fn *transform[CF_TRANSFORMS][CF_POINTS_MAX + 1][CF_POINTS_MAX];
    CF_KERNEL_LIST(CF_DECLARE_KERNEL)
} cf_kernels;

/* Element i of an array of reals. */
static inline double cf_get(const cf_kernels *kn, const void *array, int64_t i)
{
    double value = 0;
    kn->sum(1, cf_at_const(array, i, kn->size), &value);
    return value;
}

/* The table of an instruction set, NULL where this CPU or build lacks it. */
const cf_kernels *cf_kernels_for(cf_isa isa, cf_dtype dtype);

#endif
