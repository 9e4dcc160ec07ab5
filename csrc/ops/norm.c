/* SPDX-License-Identifier: BSD-3-Clause */
/* Normalisation: a task is a unit (of single points in a batch: some neighbouring units), so no sum depends on the
 * number of threads. */
#include "norm.h"
#include <math.h>
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

/* Elements whose sum and squares about their own mean are taken while they are in L1. */
enum { CHUNK = 4096 };
enum { COLUMNS = 64 }; /* neighbouring channels that a task takes where a channel has no two neighbouring elements */

typedef struct {
    const cf_norm_desc *d;
    const cf_kernels *kn;
    cf_norm_statistics statistics;
    const void *x, *dy, *weight, *bias, *z;
    double *mean, *variance;
    void *out;
    double *dweight, *dbias;
    double *dots, *sums; /* parts of dweight and dbias: (channels,) of a batch, else (n, channels) */
} job;

/* The stretches of a task: `count` of them, `len` elements each, `step` apart, the k-th of channel + k * channel_step.
 */
typedef struct {
    int64_t first, step, count, len, channel, channel_step, unit;
} part;

/* Neighbours are different channels. */
static int is_wide(const cf_norm_desc *d) { return d->points == 1; }
/* Neighbours are different units. */
static int is_columns(const cf_norm_desc *d) { return d->points == 1 && d->groups == 0; }

int64_t cf_norm_units(const cf_norm_desc *d) { return d->groups ? d->n * d->groups : d->channels; }

static int64_t tasks_of(const cf_norm_desc *d)
{
    return is_columns(d) ? cf_ceil_div(d->channels, COLUMNS) : cf_norm_units(d);
}

static double unit_size(const cf_norm_desc *d)
{
    return d->groups ? (double)(d->channels / d->groups * d->points) : (double)(d->n * d->points);
}

static part part_of(const cf_norm_desc *d, int64_t task)
{
    int64_t sample = d->channels * d->points;
    if (is_columns(d)) {
        int64_t channel = task * COLUMNS;
        return (part){channel, sample, d->n, cf_min(COLUMNS, d->channels - channel), channel, 0, channel};
    }
    if (d->groups == 0) return (part){task * d->points, sample, d->n, d->points, task, 0, task};
    int64_t channels = d->channels / d->groups, channel = task % d->groups * channels,
            first = task * channels * d->points;
    if (is_wide(d)) return (part){first, 0, 1, channels, channel, 0, task};
    return (part){first, d->points, channels, d->points, channel, 1, task};
}

static const void *at(const job *j, const void *array, const part *p, int64_t k)
{
    return cf_at_const(array, p->first + k * p->step, j->kn->size);
}

static void *out_at(const job *j, const part *p, int64_t k)
{
    return cf_at(j->out, p->first + k * p->step, j->kn->size);
}

static const void *constant(const job *j, int one)
{
    static const float f32[] = {0, 1};
    static const double f64[] = {0, 1};
    return j->d->dtype == CF_F64 ? (const void *)&f64[one] : (const void *)&f32[one];
}

static double weight_of(const job *j, int64_t channel) { return j->weight ? cf_get(j->kn, j->weight, channel) : 1; }

static void column_statistics(const job *j, const part *p, double *mean, double *variance)
{
    for (int64_t u = 0; u < p->len; u++) mean[u] = variance[u] = 0;
    for (int64_t k = 0; k < p->count; k++) j->kn->column_sums(p->len, at(j, j->x, p, k), mean);
    for (int64_t u = 0; u < p->len; u++) mean[u] /= unit_size(j->d);
    for (int64_t k = 0; k < p->count; k++) j->kn->column_squares(p->len, at(j, j->x, p, k), mean, variance);
    for (int64_t u = 0; u < p->len; u++) variance[u] /= unit_size(j->d);
}

/* One pass over memory: chunks are merged as in T. Chan et al., Updating formulae and a pairwise algorithm for computing
 * sample variances, 1982. */
static void unit_statistics(const job *j, const part *p, double *mean, double *variance)
{
    double count = 0, m = 0, squares = 0;
    for (int64_t k = 0; k < p->count; k++)
        for (int64_t i = 0; i < p->len; i += CHUNK) {
            const void *x = cf_at_const(at(j, j->x, p, k), i, j->kn->size);
            int64_t n = cf_min(CHUNK, p->len - i);
            double sum = 0, all = count + (double)n;
            j->kn->sum(n, x, &sum);
            double own = sum / (double)n, delta = own - m;
            j->kn->centered_squares(n, x, own, &squares);
            squares += delta * delta * count * (double)n / all;
            m += delta * (double)n / all;
            count = all;
        }
    *mean = m;
    *variance = squares / count;
}

/* What all stretches of a part share; `inverse` receives the inverse deviations of its units. */
static cf_norm_stretch shared_of(const job *j, const part *p, double *inverse)
{
    double *mean = j->mean + p->unit, *variance = j->variance + p->unit;
    if (j->statistics == CF_NORM_COMPUTE)
        (is_columns(j->d) ? column_statistics : unit_statistics)(j, p, mean, variance);
    for (int64_t u = 0; u < (is_columns(j->d) ? p->len : 1); u++) inverse[u] = 1 / sqrt(variance[u] + j->d->eps);
    return (cf_norm_stretch){
        .mean = mean, .inverse = inverse, .own_statistics = is_columns(j->d), .low = j->d->low, .high = j->d->high};
}

static void set_weights(const job *j, cf_norm_stretch *s, int64_t channel)
{
    s->weight = j->weight ? cf_at_const(j->weight, channel, j->kn->size) : constant(j, 1);
    s->bias = j->bias ? cf_at_const(j->bias, channel, j->kn->size) : constant(j, 0);
    s->own_weights = is_wide(j->d) && j->weight;
}

static void forward_task(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    part p = part_of(j->d, task);
    double inverse[COLUMNS];
    cf_norm_stretch s = shared_of(j, &p, inverse);
    (void)thread;
    for (int64_t k = 0; k < p.count; k++) {
        set_weights(j, &s, p.channel + k * p.channel_step);
        j->kn->normalise(p.len, &s, at(j, j->x, &p, k), j->z ? at(j, j->z, &p, k) : NULL, out_at(j, &p, k));
    }
}

/* Sums over each of the part's units of weight * dy and of weight * dy * (x - mean) / deviation. */
static void column_gradients(const job *j, const part *p, const cf_norm_stretch *s, double *sum, double *dot)
{
    double *sums = j->sums + p->channel, *dots = j->dots + p->channel;
    for (int64_t k = 0; k < p->count; k++)
        j->kn->column_dots(p->len, s, at(j, j->x, p, k), at(j, j->dy, p, k), sums, dots);
    for (int64_t i = 0; i < p->len; i++) {
        sum[i] = weight_of(j, p->channel + i) * sums[i];
        dot[i] = weight_of(j, p->channel + i) * dots[i];
    }
}

static void unit_gradients(const job *j, const part *p, cf_norm_stretch *s, double *sum, double *dot)
{
    int64_t sample = j->d->groups ? p->unit / j->d->groups * j->d->channels : 0;
    *sum = *dot = 0;
    for (int64_t k = 0; k < p->count; k++) {
        int64_t channel = p->channel + k * p->channel_step;
        double all = 0, product = 0, weight = 1;
        if (!is_wide(j->d)) {
            weight = weight_of(j, channel);
            s->weight = constant(j, 1);
        }
        j->kn->norm_sums(p->len, s, at(j, j->x, p, k), at(j, j->dy, p, k), &all, &product);
        *sum += weight * all;
        *dot += weight * product * *s->inverse;
        if (is_wide(j->d)) continue;
        j->sums[sample + channel] += all;
        j->dots[sample + channel] += product * *s->inverse;
    }
}

static int is_clamped(const cf_norm_desc *d) { return d->low > -INFINITY || d->high < INFINITY; }

/* What a clamp leaves of dy, in the place of dx. */
static const void *gated(const job *j, const part *p, const cf_norm_stretch *s)
{
    for (int64_t k = 0; k < p->count; k++)
        j->kn->norm_gate(p->len, s, at(j, j->x, p, k), at(j, j->dy, p, k), out_at(j, p, k));
    return j->out;
}

static void backward_task(void *ctx, int64_t task, int thread)
{
    job own = *(const job *)ctx, *j = &own;
    part p = part_of(j->d, task);
    double inverse[COLUMNS], offset[COLUMNS], slope[COLUMNS];
    cf_norm_stretch s = shared_of(j, &p, inverse);
    (void)thread;
    set_weights(j, &s, p.channel);
    if (is_clamped(j->d)) own.dy = gated(j, &p, &s);
    if (is_columns(j->d)) column_gradients(j, &p, &s, offset, slope);
    else unit_gradients(j, &p, &s, offset, slope);
    for (int64_t u = 0; u < (is_columns(j->d) ? p.len : 1); u++) {
        offset[u] *= j->statistics == CF_NORM_GIVEN ? 0 : 1 / unit_size(j->d);
        slope[u] *= j->statistics == CF_NORM_GIVEN ? 0 : inverse[u] / unit_size(j->d);
    }
    for (int64_t k = 0; k < p.count; k++) {
        set_weights(j, &s, p.channel + k * p.channel_step);
        j->kn->norm_backward(p.len, &s, offset, slope, at(j, j->x, &p, k), at(j, j->dy, &p, k), out_at(j, &p, k));
    }
}

/* dweight and dbias of some channels of a group, over all samples. */
static void add_samples(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_norm_desc *d = j->d;
    int64_t channels = d->channels / d->groups, blocks = cf_ceil_div(channels, COLUMNS), group = task / blocks;
    int64_t first = group * channels + task % blocks * COLUMNS, last = cf_min(first + COLUMNS, (group + 1) * channels);
    (void)thread;
    for (int64_t n = 0; n < d->n; n++) {
        int64_t unit = n * d->groups + group, row = n * d->channels;
        double inverse = 1 / sqrt(j->variance[unit] + d->eps);
        cf_norm_stretch s = {.mean = j->mean + unit, .inverse = &inverse};
        if (is_wide(d))
            j->kn->column_dots(last - first, &s, cf_at_const(j->x, row + first, j->kn->size),
                               cf_at_const(j->dy, row + first, j->kn->size), j->dbias + first, j->dweight + first);
        for (int64_t c = first; c < last && !is_wide(d); c++) {
            j->dbias[c] += j->sums[row + c];
            j->dweight[c] += j->dots[row + c];
        }
    }
}

/* A clamp has a gradient in a batch only. */
static cf_status check(const cf_norm_desc *d, const cf_kernels *kn)
{
    if (!kn) return CF_UNSUPPORTED;
    return d->groups && is_clamped(d) ? CF_INVALID : CF_OK;
}

static int threads_for(const cf_norm_desc *d, const cf_options *options)
{
    return d->n * d->channels * d->points < CF_SERIAL_WORK ? 1 : options->threads;
}

cf_status cf_norm_forward(const cf_norm_desc *d, const cf_options *options, cf_norm_statistics statistics,
                          const void *x, const void *weight, const void *bias, const void *z, double *mean,
                          double *variance, void *y)
{
    job j = {.d = d, .kn = cf_kernels_for(options->isa, d->dtype), .statistics = statistics, .x = x, .weight = weight};
    if (check(d, j.kn)) return check(d, j.kn);
    j.bias = bias;
    j.z = z;
    j.mean = mean;
    j.variance = variance;
    j.out = y;
    cf_parallel_for(tasks_of(d), threads_for(d, options), forward_task, &j);
    return CF_OK;
}

int64_t cf_norm_workspace_bytes(const cf_norm_desc *d)
{
    return d->groups && !is_wide(d) ? 2 * d->n * d->channels * (int64_t)sizeof(double) : 0;
}

cf_status cf_norm_backward(const cf_norm_desc *d, const cf_options *options, cf_norm_statistics statistics,
                           const void *dy, const void *x, const void *weight, const void *bias, double *mean,
                           double *variance, void *dx, double *dweight, double *dbias, void *workspace)
{
    job j = {.d = d, .kn = cf_kernels_for(options->isa, d->dtype), .statistics = statistics, .x = x, .weight = weight};
    if (check(d, j.kn)) return check(d, j.kn);
    j.dy = dy;
    j.bias = bias;
    j.mean = mean;
    j.variance = variance;
    j.out = dx;
    j.dweight = dweight;
    j.dbias = dbias;
    j.dots = d->groups ? workspace : dweight;
    j.sums = d->groups ? j.dots + d->n * d->channels : dbias;
    memset(dweight, 0, (size_t)d->channels * sizeof(double));
    memset(dbias, 0, (size_t)d->channels * sizeof(double));
    if (d->groups) memset(workspace, 0, (size_t)cf_norm_workspace_bytes(d));
    cf_parallel_for(tasks_of(d), threads_for(d, options), backward_task, &j);
    if (d->groups)
        cf_parallel_for(d->groups * cf_ceil_div(d->channels / d->groups, COLUMNS), threads_for(d, options), add_samples,
                        &j);
    return CF_OK;
}
