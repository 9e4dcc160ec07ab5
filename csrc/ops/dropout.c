/* SPDX-License-Identifier: BSD-3-Clause */
/* Dropout: chunks of whole counters to threads. */
#include "dropout.h"
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

enum { CHUNK = 4096 }; /* elements a task draws; a multiple of the 4 words of a counter */

typedef struct {
    const cf_dropout_desc *d;
    const cf_kernels *kn;
    const void *x;
    void *y;
} job;

static void drop_elements(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_dropout_desc *d = j->d;
    int64_t at = task * CHUNK;
    (void)thread;
    j->kn->dropout(cf_min(CHUNK, d->n - at), d->seed, (uint64_t)at, d->threshold, d->scale,
                   cf_at_const(j->x, at, j->kn->size), cf_at(j->y, at, j->kn->size));
}

/* The word of a plane is drawn with its three neighbours; what it does to a one is what it does to the plane. */
static void drop_plane(void *ctx, int64_t plane, int thread)
{
    const job *j = ctx;
    const cf_dropout_desc *d = j->d;
    double ones[4], factors[4], factor = 0;
    int64_t at = plane * d->run, first = plane / 4 * 4;
    (void)thread;
    j->kn->set(4, ones, 1);
    j->kn->dropout(4, d->seed, (uint64_t)first, d->threshold, d->scale, ones, factors);
    j->kn->sum(1, cf_at_const(factors, plane - first, j->kn->size), &factor);
    void *y = cf_at(j->y, at, j->kn->size);
    if (factor == 0) j->kn->set(d->run, y, 0);
    else j->kn->scale(d->run, factor, cf_at_const(j->x, at, j->kn->size), y);
}

cf_status cf_dropout(const cf_dropout_desc *d, const cf_options *options, const void *x, void *y)
{
    job j = {d, cf_kernels_for(options->isa, d->dtype), x, y};
    if (!j.kn) return CF_UNSUPPORTED;
    int threads = d->n * d->run < CF_SERIAL_WORK ? 1 : options->threads;
    if (d->run == 1) cf_parallel_for(cf_ceil_div(d->n, CHUNK), threads, drop_elements, &j);
    else cf_parallel_for(d->n, threads, drop_plane, &j);
    return CF_OK;
}
