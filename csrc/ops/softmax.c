/* SPDX-License-Identifier: BSD-3-Clause */
/* Softmax and cross entropy: lines to threads. */
#include "softmax.h"
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

typedef struct {
    const cf_softmax_desc *d;
    const cf_cross_entropy_desc *entropy;
    const cf_kernels *kn;
    int logarithm;
    const void *x, *dy;
    const double *grad;
    double *loss;
    void *out;
} job;

static int64_t line_at(const cf_softmax_desc *d, int64_t line)
{
    return line / d->inner * d->classes * d->inner + line % d->inner;
}

static void softmax_lines(void *ctx, int64_t begin, int64_t end)
{
    const job *j = ctx;
    const cf_softmax_desc *d = j->d;
    int64_t size = j->kn->size;
    for (int64_t line = begin; line < end; line++) {
        int64_t at = line_at(d, line);
        const void *x = cf_at_const(j->x, at, size);
        void *out = cf_at(j->out, at, size);
        if (j->dy) j->kn->softmax_backward(d->classes, d->inner, j->logarithm, x, cf_at_const(j->dy, at, size), out);
        else j->kn->softmax(d->classes, d->inner, j->logarithm, x, out);
    }
}

static void entropy_line(const job *j, int64_t line)
{
    const cf_softmax_desc *d = j->d;
    const cf_cross_entropy_desc *e = j->entropy;
    int64_t at = line_at(d, line), target = e->target ? e->target[line] : -1, size = j->kn->size;
    const void *x = cf_at_const(j->x, at, size), *probabilities = NULL;
    double smoothing = e->smoothing, grad = j->grad ? j->grad[line] : 0;
    if (!e->target) probabilities = cf_at_const(e->probabilities, at, size);
    if (e->target && target == e->ignore_index) {
        if (j->loss) j->loss[line] = 0;
        for (int64_t c = 0; c < d->classes && j->out; c++) j->kn->set(1, cf_at(j->out, at + c * d->inner, size), 0);
    } else if (j->loss) {
        j->kn->cross_entropy(d->classes, d->inner, x, target, probabilities, e->weight, smoothing, &j->loss[line]);
    } else {
        j->kn->cross_entropy_backward(d->classes, d->inner, x, target, probabilities, e->weight, smoothing, grad,
                                      cf_at(j->out, at, size));
    }
}

static void entropy_lines(void *ctx, int64_t begin, int64_t end)
{
    for (int64_t line = begin; line < end; line++) entropy_line(ctx, line);
}

/* Exponentials cost about a hundred of the units in which CF_SERIAL_WORK counts. */
static cf_status run(job *j, const cf_options *options, cf_range_fn *fn)
{
    j->kn = cf_kernels_for(options->isa, j->d->dtype);
    if (!j->kn) return CF_UNSUPPORTED;
    cf_parallel_range(j->d->outer * j->d->inner, cf_max(1, CF_SERIAL_WORK / 100 / cf_max(1, j->d->classes)),
                      options->threads, fn, j);
    return CF_OK;
}

cf_status cf_softmax_forward(const cf_softmax_desc *d, const cf_options *options, int logarithm, const void *x, void *y)
{
    job j = {.d = d, .logarithm = logarithm, .x = x, .out = y};
    return run(&j, options, softmax_lines);
}

cf_status cf_softmax_backward(const cf_softmax_desc *d, const cf_options *options, int logarithm, const void *y,
                              const void *dy, void *dx)
{
    job j = {.d = d, .logarithm = logarithm, .x = y, .dy = dy, .out = dx};
    return run(&j, options, softmax_lines);
}

static int targets_are_classes(const cf_cross_entropy_desc *d)
{
    int64_t outside = 0, lines = d->shape.outer * d->shape.inner;
    for (int64_t i = 0; d->target && i < lines; i++)
        outside |= d->target[i] != d->ignore_index && (d->target[i] < 0 || d->target[i] >= d->shape.classes);
    return !outside;
}

cf_status cf_cross_entropy_forward(const cf_cross_entropy_desc *d, const cf_options *options, const void *x, double *loss)
{
    job j = {.d = &d->shape, .entropy = d, .x = x, .loss = loss};
    return targets_are_classes(d) ? run(&j, options, entropy_lines) : CF_INVALID;
}

cf_status cf_cross_entropy_backward(const cf_cross_entropy_desc *d, const cf_options *options, const void *x,
                                    const double *grad, void *dx)
{
    job j = {.d = &d->shape, .entropy = d, .x = x, .grad = grad, .out = dx};
    return targets_are_classes(d) ? run(&j, options, entropy_lines) : CF_INVALID;
}
