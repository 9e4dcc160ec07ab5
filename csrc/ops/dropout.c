/* SPDX-License-Identifier: BSD-3-Clause */
/* Dropout: chunks of whole counters to threads. */
#include "dropout.h"
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

enum { CHUNK = 4096, PLANES = 16 }; /* words that a task draws, a multiple of 32 */

typedef struct {
    const cf_dropout_desc *d;
    const cf_kernels *kn;
    const void *x;
    void *y;
    uint32_t *made;
    const uint32_t *given;
} job;

static void drop_elements(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_dropout_desc *d = j->d;
    int64_t at = task * CHUNK;
    (void)thread;
    j->kn->dropout(cf_min(CHUNK, d->n - at), d->seed, (uint64_t)at, d->threshold, d->scale,
                   cf_at_const(j->x, at, j->kn->size), cf_at(j->y, at, j->kn->size),
                   j->made ? j->made + at / 32 : NULL);
}

static void drop_again(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    int64_t at = task * CHUNK;
    (void)thread;
    j->kn->dropout_again(cf_min(CHUNK, j->d->n - at), j->given + at / 32, j->d->scale,
                         cf_at_const(j->x, at, j->kn->size), cf_at(j->y, at, j->kn->size));
}

/* What the words of the planes do to ones is what they do to the planes. */
static void drop_planes(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_dropout_desc *d = j->d;
    double ones[PLANES], factors[PLANES]; /* of real */
    int64_t first = task * PLANES, planes = cf_min(PLANES, d->n - first), size = j->kn->size;
    (void)thread;
    j->kn->set(planes, ones, 1);
    j->kn->dropout(planes, d->seed, (uint64_t)first, d->threshold, d->scale, ones, factors, NULL);
    for (int64_t p = 0; p < planes; p++) {
        int64_t at = (first + p) * d->run;
        double factor = cf_get(j->kn, factors, p);
        if (factor == 0) j->kn->set(d->run, cf_at(j->y, at, size), 0);
        else j->kn->scale(d->run, factor, cf_at_const(j->x, at, size), cf_at(j->y, at, size));
    }
}

static int threads_for(const cf_dropout_desc *d, const cf_options *options)
{
    return d->n * d->run < CF_SERIAL_WORK ? 1 : options->threads;
}

cf_status cf_dropout_again(const cf_dropout_desc *d, const cf_options *options, const uint32_t *kept, const void *x,
                           void *y)
{
    job j = {.d = d, .kn = cf_kernels_for(options->isa, d->dtype), .x = x, .y = y, .given = kept};
    if (!j.kn) return CF_UNSUPPORTED;
    cf_parallel_for(cf_ceil_div(d->n, CHUNK), threads_for(d, options), drop_again, &j);
    return CF_OK;
}

cf_status cf_dropout(const cf_dropout_desc *d, const cf_options *options, const void *x, void *y, uint32_t *kept)
{
    job j = {.d = d, .kn = cf_kernels_for(options->isa, d->dtype), .x = x, .y = y, .made = kept};
    if (!j.kn) return CF_UNSUPPORTED;
    int threads = threads_for(d, options);
    if (d->run == 1) cf_parallel_for(cf_ceil_div(d->n, CHUNK), threads, drop_elements, &j);
    else cf_parallel_for(cf_ceil_div(d->n, PLANES), threads, drop_planes, &j);
    return CF_OK;
}
