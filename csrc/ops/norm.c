/* SPDX-License-Identifier: BSD-3-Clause */
/* Batch norm: a task is a channel, so sums do not depend on the number of threads. */
#include "norm.h"
#include <math.h>
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

typedef struct {
    const cf_norm_desc *d;
    const cf_kernels *kn;
    int through_statistics;
    const void *x, *dy;
    const double *mean, *variance, *weight, *bias;
    void *out;
    double *first, *second; /* a result a channel each */
} job;

static int64_t run_at(const job *j, int64_t n, int64_t c) { return (n * j->d->channels + c) * j->d->points; }

static const void *x_run(const job *j, int64_t n, int64_t c) { return cf_at_const(j->x, run_at(j, n, c), j->kn->size); }
static const void *dy_run(const job *j, int64_t n, int64_t c) { return cf_at_const(j->dy, run_at(j, n, c), j->kn->size); }

static void statistics_of(void *ctx, int64_t c, int thread)
{
    const job *j = ctx;
    const cf_norm_desc *d = j->d;
    double sum = 0, squares = 0, count = (double)(d->n * d->points);
    (void)thread;
    for (int64_t n = 0; n < d->n; n++) j->kn->sum(d->points, x_run(j, n, c), &sum);
    double mean = sum / count;
    for (int64_t n = 0; n < d->n; n++) j->kn->centered_squares(d->points, x_run(j, n, c), mean, &squares);
    j->first[c] = mean;
    j->second[c] = squares / count;
}

static void forward_channel(void *ctx, int64_t c, int thread)
{
    const job *j = ctx;
    double scale = j->weight[c] / sqrt(j->variance[c] + j->d->eps);
    (void)thread;
    for (int64_t n = 0; n < j->d->n; n++)
        j->kn->normalise(j->d->points, x_run(j, n, c), j->mean[c], scale, j->bias[c],
                         cf_at(j->out, run_at(j, n, c), j->kn->size));
}

static void backward_channel(void *ctx, int64_t c, int thread)
{
    const job *j = ctx;
    const cf_norm_desc *d = j->d;
    double sum = 0, dot = 0, inverse = 1 / sqrt(j->variance[c] + d->eps), count = (double)(d->n * d->points);
    double scale = j->weight[c] * inverse, offset = 0, slope = 0;
    (void)thread;
    for (int64_t n = 0; n < d->n; n++) j->kn->norm_sums(d->points, x_run(j, n, c), dy_run(j, n, c), j->mean[c], &sum, &dot);
    j->first[c] = dot * inverse;
    j->second[c] = sum;
    if (!j->out) return;
    if (j->through_statistics) {
        offset = scale * sum / count;
        slope = scale * dot * inverse * inverse / count;
    }
    for (int64_t n = 0; n < d->n; n++)
        j->kn->norm_backward(d->points, x_run(j, n, c), dy_run(j, n, c), j->mean[c], scale, offset, slope,
                             cf_at(j->out, run_at(j, n, c), j->kn->size));
}

static cf_status run(job *j, const cf_options *options, cf_task_fn *fn)
{
    const cf_norm_desc *d = j->d;
    j->kn = cf_kernels_for(options->isa, d->dtype);
    if (!j->kn) return CF_UNSUPPORTED;
    int threads = d->n * d->channels * d->points < CF_SERIAL_WORK ? 1 : options->threads;
    cf_parallel_for(d->channels, threads, fn, j);
    return CF_OK;
}

cf_status cf_norm_statistics(const cf_norm_desc *d, const cf_options *options, const void *x, double *mean, double *variance)
{
    job j = {.d = d, .x = x, .first = mean, .second = variance};
    return run(&j, options, statistics_of);
}

cf_status cf_norm_forward(const cf_norm_desc *d, const cf_options *options, const void *x, const double *mean,
                          const double *variance, const double *weight, const double *bias, void *y)
{
    job j = {.d = d, .x = x, .mean = mean, .variance = variance, .weight = weight, .bias = bias, .out = y};
    return run(&j, options, forward_channel);
}

cf_status cf_norm_backward(const cf_norm_desc *d, const cf_options *options, int through_statistics, const void *dy,
                           const void *x, const double *mean, const double *variance, const double *weight, void *dx,
                           double *dweight, double *dbias)
{
    job j = {.d = d, .through_statistics = through_statistics, .x = x, .dy = dy, .mean = mean, .variance = variance};
    j.weight = weight;
    j.out = dx;
    j.first = dweight;
    j.second = dbias;
    return run(&j, options, backward_channel);
}
