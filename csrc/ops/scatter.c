/* SPDX-License-Identifier: BSD-3-Clause */
/* Elements of a plane by index: gradient of max pooling, unpooling and its gradient.  Contract in pool.h. */
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"
#include "pool.h"

typedef struct {
    cf_scatter_kind kind;
    const cf_kernels *kn;
    int64_t points, size;
    const int64_t *index;
    const void *x;
    void *y;
} job;

static void scatter_plane(void *ctx, int64_t plane, int thread)
{
    const job *j = ctx;
    const int64_t *index = j->index + plane * j->points;
    int gather = j->kind == CF_GATHER;
    const void *x = cf_at_const(j->x, plane * (gather ? j->size : j->points), j->kn->size);
    void *y = cf_at(j->y, plane * (gather ? j->points : j->size), j->kn->size);
    (void)thread;
    if (!gather) memset(y, 0, (size_t)(j->size * j->kn->size));
    if (gather) j->kn->gather_index(j->points, index, x, y);
    else if (j->kind == CF_SCATTER_ADD) j->kn->scatter_add(j->points, index, x, y);
    else j->kn->scatter_set(j->points, index, x, y);
}

cf_status cf_scatter(cf_scatter_kind kind, cf_dtype dtype, const cf_options *options, int64_t planes, int64_t points,
                     int64_t size, const int64_t *index, const void *x, void *y)
{
    job j = {kind, cf_kernels_for(options->isa, dtype), points, size, index, x, y};
    if (!j.kn) return CF_UNSUPPORTED;
    int64_t outside = 0;
    for (int64_t i = 0; i < planes * points; i++) outside |= (index[i] < 0) | (index[i] >= size);
    if (outside) return CF_INVALID;
    int threads = planes * cf_max(points, size) < CF_SERIAL_WORK ? 1 : options->threads;
    cf_parallel_for(planes, threads, scatter_plane, &j);
    return CF_OK;
}
