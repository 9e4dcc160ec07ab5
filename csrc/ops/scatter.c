/* SPDX-License-Identifier: BSD-3-Clause */
/* Elements of a plane by index: gradient of max pooling, unpooling and its gradient.  Contract in pool.h. */
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"
#include "pool.h"

typedef struct {
    cf_scatter_kind kind;
    const cf_kernels *kn;
    int64_t points, size, lanes;
    const int64_t *index;
    const void *x;
    void *y;
    int outside; /* set by any task that meets an index out of range */
} job;

/* Bit 63 of i - least, or of size - 1 - i, is set where i is outside of [least, size): arithmetic that vectorises
 * everywhere.  least is 0 or -1. */
static int all_inside(const int64_t *index, int64_t points, int64_t least, int64_t size)
{
    uint64_t outside = 0, first = (uint64_t)least, last = (uint64_t)size - 1;
    for (int64_t i = 0; i < points; i++) outside |= ((uint64_t)index[i] - first) | (last - (uint64_t)index[i]);
    return outside >> 63 == 0;
}

static void scatter_some(job *j, int64_t plane, int64_t planes)
{
    int64_t points = j->points * j->lanes, size = j->size * j->lanes;
    const int64_t *index = j->index + plane * points;
    int gather = j->kind == CF_GATHER;
    const void *x = cf_at_const(j->x, plane * (gather ? size : points), j->kn->size);
    void *y = cf_at(j->y, plane * (gather ? points : size), j->kn->size);
    if (!all_inside(index, planes * points, j->kind == CF_SCATTER_ADD ? -1 : 0, j->size)) {
        __atomic_store_n(&j->outside, 1, __ATOMIC_RELAXED);
        return;
    }
    if (!gather) memset(y, 0, (size_t)(planes * size * j->kn->size));
    if (gather) j->kn->gather(points, index, x, y);
    else if (j->kind == CF_SCATTER_ADD) j->kn->scatter_add(planes, j->points, j->size, j->lanes, index, x, y);
    else j->kn->scatter_set(points, index, x, y);
}

static void scatter_planes(void *ctx, int64_t begin, int64_t end)
{
    job *j = ctx;
    int64_t step = j->kind == CF_SCATTER_ADD ? CF_PLANE_TURNS : 1;
    for (int64_t plane = begin; plane < end; plane += step) scatter_some(j, plane, cf_min(step, end - plane));
}

cf_status cf_scatter(cf_scatter_kind kind, cf_dtype dtype, const cf_options *options, int64_t planes, int64_t points,
                     int64_t size, int64_t lanes, const int64_t *index, const void *x, void *y)
{
    job j = {.kind = kind, .points = points, .size = size, .lanes = lanes, .index = index, .x = x, .y = y};
    j.kn = cf_kernels_for(options->isa, dtype);
    if (!j.kn) return CF_UNSUPPORTED;
    int64_t grain = CF_SERIAL_WORK / 2 / cf_max(1, cf_max(points, size) * lanes);
    cf_parallel_range(planes, grain, options->threads, scatter_planes, &j);
    return j.outside ? CF_INVALID : CF_OK;
}
