/* SPDX-License-Identifier: BSD-3-Clause */
/* Softmax and cross entropy: blocks of lines to threads. */
#include "softmax.h"
#include <math.h>
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

/* Lines that a task handles together, from number `first` on, which begins at element `at`. */
typedef struct {
    int64_t first, at;
    cf_lines lines;
} block;

enum { BLOCK_ELEMENTS = 4096 }; /* enough work for a task, where lines are short */

/* Lines of a block where classes are neighbours. */
static int64_t rows_of(const cf_softmax_desc *d)
{
    return cf_max(1, cf_min(CF_SOFTMAX_LINES, BLOCK_ELEMENTS / d->classes));
}

static int64_t blocks_of(const cf_softmax_desc *d)
{
    return d->inner == 1 ? cf_ceil_div(d->outer, rows_of(d)) : d->outer * cf_ceil_div(d->inner, CF_SOFTMAX_LINES);
}

static block block_of(const cf_softmax_desc *d, int64_t task)
{
    if (d->inner == 1) {
        int64_t first = task * rows_of(d);
        return (block){first, first * d->classes, {cf_min(rows_of(d), d->outer - first), d->classes, d->classes, 1}};
    }
    int64_t blocks = cf_ceil_div(d->inner, CF_SOFTMAX_LINES), outer = task / blocks,
            inner = task % blocks * CF_SOFTMAX_LINES;
    return (block){outer * d->inner + inner,
                   outer * d->classes * d->inner + inner,
                   {cf_min(CF_SOFTMAX_LINES, d->inner - inner), d->classes, 1, d->inner}};
}

static void softmax_block(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    block b = block_of(j->d, task);
    double most[CF_SOFTMAX_LINES], sum[CF_SOFTMAX_LINES];
    const void *x = cf_at_const(j->x, b.at, j->kn->size);
    void *y = cf_at(j->out, b.at, j->kn->size);
    (void)thread;
    j->kn->line_sums(&b.lines, x, most, sum);
    for (int64_t l = 0; l < b.lines.lines; l++) sum[l] = j->logarithm ? log(sum[l]) : 1 / sum[l];
    (j->logarithm ? j->kn->log_softmax : j->kn->softmax)(&b.lines, x, most, sum, y);
}

static void softmax_backward_block(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    block b = block_of(j->d, task);
    int64_t size = j->kn->size;
    (void)thread;
    j->kn->softmax_backward(&b.lines, j->logarithm, cf_at_const(j->x, b.at, size), cf_at_const(j->dy, b.at, size),
                            cf_at(j->out, b.at, size));
}

/* Weight of line l's class in the loss; 0 where there is none. */
static double class_weight(const job *j, int64_t line)
{
    const cf_cross_entropy_desc *e = j->entropy;
    if (!e->target || e->target[line] == e->ignore_index) return 0;
    return (1 - e->smoothing) * (e->weight ? e->weight[e->target[line]] : 1);
}

static int is_ignored(const job *j, int64_t line)
{
    return j->entropy->target && j->entropy->target[line] == j->entropy->ignore_index;
}

/* Everything about a block's lines that loss and gradient share; total is the sum of q, loss what comes from soft
 * targets. */
typedef struct {
    block b;
    cf_soft_target q;
    int soft;
    double most[CF_SOFTMAX_LINES], sum[CF_SOFTMAX_LINES], level[CF_SOFTMAX_LINES], total[CF_SOFTMAX_LINES],
        loss[CF_SOFTMAX_LINES];
} entropy_block;

static void open_block(const job *j, int64_t task, entropy_block *e)
{
    const cf_cross_entropy_desc *d = j->entropy;
    e->b = block_of(j->d, task);
    e->soft = !d->target || d->smoothing > 0;
    e->q = (cf_soft_target){NULL, d->weight, 1 - d->smoothing, d->smoothing / (double)j->d->classes};
    if (!d->target) e->q.t = cf_at_const(d->probabilities, e->b.at, j->kn->size);
    const void *x = cf_at_const(j->x, e->b.at, j->kn->size);
    j->kn->line_sums(&e->b.lines, x, e->most, e->sum);
    for (int64_t l = 0; l < e->b.lines.lines; l++) {
        e->level[l] = e->most[l] + log(e->sum[l]);
        e->total[l] = e->loss[l] = 0;
    }
    if (e->soft) j->kn->target_sums(&e->b.lines, &e->q, x, e->level, e->total, e->loss);
}

/* Index of the class of line l of a block. */
static int64_t target_at(const job *j, const block *b, int64_t l)
{
    return b->at + l * b->lines.ls + j->entropy->target[b->first + l] * b->lines.cs;
}

static void entropy_forward(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    entropy_block e;
    (void)thread;
    open_block(j, task, &e);
    for (int64_t l = 0; l < e.b.lines.lines; l++) {
        int64_t line = e.b.first + l;
        double *loss = &j->loss[line];
        *loss = is_ignored(j, line) ? 0 : e.loss[l];
        if (!j->entropy->target || is_ignored(j, line)) continue;
        *loss += class_weight(j, line) * (e.level[l] - cf_get(j->kn, j->x, target_at(j, &e.b, l)));
    }
}

static void entropy_backward(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    entropy_block e;
    double grad[CF_SOFTMAX_LINES], factor[CF_SOFTMAX_LINES];
    (void)thread;
    open_block(j, task, &e);
    for (int64_t l = 0; l < e.b.lines.lines; l++) {
        int64_t line = e.b.first + l;
        grad[l] = is_ignored(j, line) ? 0 : j->grad[line];
        factor[l] = grad[l] * (e.total[l] + class_weight(j, line)) / e.sum[l];
    }
    void *dx = cf_at(j->out, e.b.at, j->kn->size);
    j->kn->softmax(&e.b.lines, cf_at_const(j->x, e.b.at, j->kn->size), e.most, factor, dx);
    if (e.soft) j->kn->subtract_targets(&e.b.lines, &e.q, grad, dx);
    for (int64_t l = 0; l < e.b.lines.lines && j->entropy->target; l++) {
        if (is_ignored(j, e.b.first + l)) continue;
        int64_t at = target_at(j, &e.b, l);
        j->kn->set(1, cf_at(j->out, at, j->kn->size),
                   cf_get(j->kn, j->out, at) - grad[l] * class_weight(j, e.b.first + l));
    }
}

/* An exponential costs about as much as ten multiplications. */
static cf_status run(job *j, const cf_options *options, cf_task_fn *fn)
{
    const cf_softmax_desc *d = j->d;
    j->kn = cf_kernels_for(options->isa, d->dtype);
    if (!j->kn) return CF_UNSUPPORTED;
    if (d->classes == 0) return CF_OK;
    int threads = d->outer * d->classes * d->inner < CF_SERIAL_WORK / 10 ? 1 : options->threads;
    cf_parallel_for(blocks_of(d), threads, fn, j);
    return CF_OK;
}

cf_status cf_softmax_forward(const cf_softmax_desc *d, const cf_options *options, int logarithm, const void *x, void *y)
{
    job j = {.d = d, .logarithm = logarithm, .x = x, .out = y};
    return run(&j, options, softmax_block);
}

cf_status cf_softmax_backward(const cf_softmax_desc *d, const cf_options *options, int logarithm, const void *y,
                              const void *dy, void *dx)
{
    job j = {.d = d, .logarithm = logarithm, .x = y, .dy = dy, .out = dx};
    return run(&j, options, softmax_backward_block);
}

static int targets_are_classes(const cf_cross_entropy_desc *d)
{
    int64_t outside = 0, lines = d->shape.outer * d->shape.inner;
    for (int64_t i = 0; d->target && i < lines; i++)
        outside |= d->target[i] != d->ignore_index && (d->target[i] < 0 || d->target[i] >= d->shape.classes);
    return !outside;
}

cf_status cf_cross_entropy_forward(const cf_cross_entropy_desc *d, const cf_options *options, const void *x,
                                   double *loss)
{
    job j = {.d = &d->shape, .entropy = d, .x = x, .loss = loss};
    return targets_are_classes(d) ? run(&j, options, entropy_forward) : CF_INVALID;
}

cf_status cf_cross_entropy_backward(const cf_cross_entropy_desc *d, const cf_options *options, const void *x,
                                    const double *grad, void *dx)
{
    job j = {.d = &d->shape, .entropy = d, .x = x, .grad = grad, .out = dx};
    return targets_are_classes(d) ? run(&j, options, entropy_backward) : CF_INVALID;
}
