/* SPDX-License-Identifier: BSD-3-Clause */
/* Entry of the convolution plans, and the gradient of the bias. */
#include "../core/parallel.h"
#include "conv_internal.h"

static double work_of(const cf_conv_desc *d)
{
    double points = (double)d->n * (double)cf_volume(d->out);
    return points * (double)d->oc * (double)(d->ic / d->groups) * (double)cf_volume(d->kernel);
}

cf_status cf_conv_plan_init(cf_conv_plan *plan, cf_conv_pass pass, const cf_conv_desc *desc, cf_algorithm algorithm,
                            int prepared, const cf_options *options)
{
    const cf_kernels *kn = cf_kernels_for(options->isa, desc->dtype);
    if (!kn) return CF_UNSUPPORTED;
    *plan = (cf_conv_plan){.desc = *desc, .options = *options, .pass = pass, .prepared = prepared};
    if (desc->n == 0) return CF_OK;
    if (work_of(desc) < CF_SERIAL_WORK) plan->options.threads = 1;
    cf_layout x = cf_layout_of(desc->channels_last, desc->ic, cf_volume(desc->in));
    cf_layout y = cf_layout_of(desc->channels_last, desc->oc, cf_volume(desc->out));
    plan->src = pass == CF_BACKWARD_DATA ? y : x;
    plan->dst = pass == CF_BACKWARD_DATA ? x : y;
    plan->is_depthwise = !desc->channels_last && cf_is_depthwise(desc);
    if (plan->is_depthwise) return cf_depthwise_plan_init(plan, kn);
    int product = cf_is_product(desc);
    int direct = options->exact || algorithm == CF_DIRECT || (product && algorithm == CF_AUTO);
    plan->by_winograd = !direct && cf_winograd_plan_init(plan, kn, algorithm);
    if (plan->by_winograd) return CF_OK;
    plan->is_product = product;
    if (product) return cf_product_plan_init(plan, kn);
    return pass == CF_BACKWARD_WEIGHTS ? cf_weights_plan_init(plan, kn) : cf_correlate_plan_init(plan, kn);
}

typedef struct {
    const cf_kernels *kn;
    int64_t n, channels, points;
    const void *dy;
    void *db;
} bias_job;

static void sum_channel(void *ctx, int64_t channel, int thread)
{
    const bias_job *j = ctx;
    double total = 0;
    (void)thread;
    for (int64_t n = 0; n < j->n; n++)
        j->kn->sum(j->points, cf_at_const(j->dy, (n * j->channels + channel) * j->points, j->kn->size), &total);
    j->kn->set(1, cf_at(j->db, channel, j->kn->size), total);
}

/* Channels that lie side by side, and points, that are summed together: a transposed block stays in L1. */
enum { SIDE_BY_SIDE = 16, BLOCK_POINTS = 64 };

static void sum_channels(void *ctx, int64_t task, int thread)
{
    const bias_job *j = ctx;
    const cf_kernels *kn = j->kn;
    int64_t c0 = task * SIDE_BY_SIDE, count = cf_min(SIDE_BY_SIDE, j->channels - c0);
    double total[SIDE_BY_SIDE] = {0}, block[SIDE_BY_SIDE * BLOCK_POINTS];
    (void)thread;
    for (int64_t n = 0; n < j->n; n += BLOCK_POINTS) {
        int64_t points = cf_min(BLOCK_POINTS, j->n - n);
        kn->transpose(points, count, cf_at_const(j->dy, n * j->channels + c0, kn->size), j->channels, block,
                      BLOCK_POINTS);
        for (int64_t c = 0; c < count; c++) kn->sum(points, cf_at(block, c * BLOCK_POINTS, kn->size), &total[c]);
    }
    for (int64_t c = 0; c < count; c++) kn->set(1, cf_at(j->db, c0 + c, kn->size), total[c]);
}

cf_status cf_conv_backward_bias(cf_dtype dtype, const cf_options *options, int64_t n, int64_t channels, int64_t points,
                                const void *dy, void *db)
{
    const cf_kernels *kn = cf_kernels_for(options->isa, dtype);
    if (!kn) return CF_UNSUPPORTED;
    bias_job job = {kn, n, channels, points, dy, db};
    int threads = n * channels * points < CF_SERIAL_WORK ? 1 : options->threads;
    if (points == 1) cf_parallel_for(cf_ceil_div(channels, SIDE_BY_SIDE), threads, sum_channels, &job);
    else cf_parallel_for(channels, threads, sum_channel, &job);
    return CF_OK;
}
