/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise functions: ranges of elements to threads. */
#include "activation.h"
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

typedef struct {
    const cf_activation_desc *d;
    const cf_kernels *kn;
    const void *x, *dy;
    void *out;
} job;

static void run_range(void *ctx, int64_t begin, int64_t end)
{
    const job *j = ctx;
    const cf_activation_desc *d = j->d;
    const void *x = cf_at_const(j->x, begin, j->kn->size);
    void *out = cf_at(j->out, begin, j->kn->size);
    if (j->dy)
        j->kn->activate_backward(d->kind, d->a, d->b, end - begin, x, cf_at_const(j->dy, begin, j->kn->size), out);
    else j->kn->activate(d->kind, d->a, d->b, end - begin, x, out);
}

static cf_status run(const cf_activation_desc *d, const cf_options *options, const void *x, const void *dy, void *out)
{
    job j = {d, cf_kernels_for(options->isa, d->dtype), x, dy, out};
    if (!j.kn) return CF_UNSUPPORTED;
    cf_parallel_range(d->n, CF_SERIAL_WORK / 2, options->threads, run_range, &j);
    return CF_OK;
}

cf_status cf_activation_forward(const cf_activation_desc *d, const cf_options *options, const void *x, void *y)
{
    return run(d, options, x, NULL, y);
}

cf_status cf_activation_backward(const cf_activation_desc *d, const cf_options *options, const void *x, const void *dy,
                                 void *dx)
{
    return run(d, options, x, dy, dx);
}

typedef struct {
    const cf_kernels *kn;
    double low, high;
    const void *x, *z;
    void *y;
} add_job;

static void add_range(void *ctx, int64_t begin, int64_t end)
{
    const add_job *j = ctx;
    int64_t size = j->kn->size;
    j->kn->add(end - begin, j->low, j->high, cf_at_const(j->x, begin, size), cf_at_const(j->z, begin, size),
               cf_at(j->y, begin, size));
}

cf_status cf_add(cf_dtype dtype, const cf_options *options, int64_t n, double low, double high, const void *x,
                 const void *z, void *y)
{
    add_job j = {cf_kernels_for(options->isa, dtype), low, high, x, z, y};
    if (!j.kn) return CF_UNSUPPORTED;
    cf_parallel_range(n, CF_SERIAL_WORK / 2, options->threads, add_range, &j);
    return CF_OK;
}

typedef struct {
    const cf_prelu_desc *d;
    const cf_kernels *kn;
    const void *x, *weight, *dy;
    void *out;
    double *sums;
} prelu_job;

static double slope_of(const prelu_job *j, int64_t channel)
{
    return cf_get(j->kn, j->weight, j->d->weights == 1 ? 0 : channel);
}

static void prelu_channel(void *ctx, int64_t channel, int thread)
{
    const prelu_job *j = ctx;
    const cf_prelu_desc *d = j->d;
    double slope = slope_of(j, channel), sum = 0;
    (void)thread;
    for (int64_t n = 0; n < d->n; n++) {
        int64_t at = (n * d->channels + channel) * d->points;
        const void *x = cf_at_const(j->x, at, j->kn->size);
        void *out = cf_at(j->out, at, j->kn->size);
        if (j->dy) j->kn->prelu_backward(d->points, slope, x, cf_at_const(j->dy, at, j->kn->size), out, &sum);
        else j->kn->activate(CF_LEAKY_RELU, slope, 0, d->points, x, out);
    }
    if (j->dy) j->sums[channel] = sum;
}

static cf_status run_prelu(prelu_job *j, const cf_options *options)
{
    const cf_prelu_desc *d = j->d;
    j->kn = cf_kernels_for(options->isa, d->dtype);
    if (!j->kn) return CF_UNSUPPORTED;
    int threads = d->n * d->channels * d->points < CF_SERIAL_WORK ? 1 : options->threads;
    cf_parallel_for(d->channels, threads, prelu_channel, j);
    return CF_OK;
}

cf_status cf_prelu_forward(const cf_prelu_desc *d, const cf_options *options, const void *x, const void *weight,
                           void *y)
{
    prelu_job j = {.d = d, .x = x, .weight = weight, .out = y};
    return run_prelu(&j, options);
}

cf_status cf_prelu_backward(const cf_prelu_desc *d, const cf_options *options, const void *x, const void *weight,
                            const void *dy, void *dx, void *dw, double *sums)
{
    prelu_job j = {.d = d, .x = x, .weight = weight, .dy = dy, .out = dx, .sums = sums};
    cf_status status = run_prelu(&j, options);
    if (status != CF_OK) return status;
    for (int64_t c = 1; c < d->channels && d->weights == 1; c++) sums[0] += sums[c];
    for (int64_t c = 0; c < d->weights; c++) j.kn->set(1, cf_at(dw, c, j.kn->size), sums[c]);
    return CF_OK;
}
