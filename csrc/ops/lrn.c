/* SPDX-License-Identifier: BSD-3-Clause */
/* Local response normalisation: a task is the points of one channel of one sample. */
#include "lrn.h"
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

typedef struct {
    const cf_lrn_desc *d;
    const cf_kernels *kn;
    const void *x, *dy;
    void *out, *scratch;
} job;

/* Row `row` (sample and channel) of an array, and the rows of its sample from `low` channels below to `high` above. */
typedef struct {
    int64_t at, first, count;
} window;

static window window_of(const cf_lrn_desc *d, int64_t row, int64_t low, int64_t high)
{
    int64_t channel = row % d->channels, first = cf_max(0, channel - low),
            last = cf_min(d->channels - 1, channel + high);
    return (window){row * d->points, (row - channel + first) * d->points, last - first + 1};
}

/* s into the result's row. */
static window scale_row(const job *j, int64_t row)
{
    const cf_lrn_desc *d = j->d;
    int64_t size = j->kn->size;
    window w = window_of(d, row, d->size / 2, (d->size - 1) / 2);
    j->kn->lrn_scale(d->points, w.count, d->points, d->k, d->alpha / (double)d->size, cf_at_const(j->x, w.first, size),
                     cf_at(j->out, w.at, size));
    return w;
}

static void forward_row(void *ctx, int64_t row, int thread)
{
    const job *j = ctx;
    window w = scale_row(j, row);
    void *y = cf_at(j->out, w.at, j->kn->size);
    (void)thread;
    j->kn->lrn_power(j->d->points, j->d->beta, cf_at_const(j->x, w.at, j->kn->size), NULL, y, y);
}

/* x * dy * s^-(beta + 1) into the scratch, of which the second pass sums a window. */
static void ratio_row(void *ctx, int64_t row, int thread)
{
    const job *j = ctx;
    int64_t size = j->kn->size;
    window w = scale_row(j, row);
    (void)thread;
    j->kn->lrn_power(j->d->points, j->d->beta + 1, cf_at_const(j->x, w.at, size), cf_at_const(j->dy, w.at, size),
                     cf_at(j->out, w.at, size), cf_at(j->scratch, w.at, size));
}

static void backward_row(void *ctx, int64_t row, int thread)
{
    const job *j = ctx;
    const cf_lrn_desc *d = j->d;
    int64_t size = j->kn->size;
    window w = window_of(d, row, (d->size - 1) / 2, d->size / 2);
    void *dx = cf_at(j->out, w.at, size);
    (void)thread;
    j->kn->lrn_backward(d->points, w.count, d->points, d->beta, 2 * d->alpha * d->beta / (double)d->size,
                        cf_at_const(j->x, w.at, size), cf_at_const(j->scratch, w.first, size), dx,
                        cf_at_const(j->dy, w.at, size), dx);
}

/* A power costs about as much as thirty multiplications. */
static int threads_for(const cf_lrn_desc *d, const cf_options *options)
{
    return d->n * d->channels * d->points < CF_SERIAL_WORK / 30 ? 1 : options->threads;
}

cf_status cf_lrn_forward(const cf_lrn_desc *d, const cf_options *options, const void *x, void *y)
{
    job j = {.d = d, .kn = cf_kernels_for(options->isa, d->dtype), .x = x, .out = y};
    if (!j.kn) return CF_UNSUPPORTED;
    cf_parallel_for(d->n * d->channels, threads_for(d, options), forward_row, &j);
    return CF_OK;
}

cf_status cf_lrn_backward(const cf_lrn_desc *d, const cf_options *options, const void *dy, const void *x, void *dx,
                          void *scratch)
{
    job j = {d, cf_kernels_for(options->isa, d->dtype), x, dy, dx, scratch};
    if (!j.kn) return CF_UNSUPPORTED;
    cf_parallel_for(d->n * d->channels, threads_for(d, options), ratio_row, &j);
    cf_parallel_for(d->n * d->channels, threads_for(d, options), backward_row, &j);
    return CF_OK;
}
