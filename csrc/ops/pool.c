/* SPDX-License-Identifier: BSD-3-Clause */
/* Pooling: an output row is made from the input rows of its window, tap by tap along the row. */
#include "pool.h"
#include <math.h>
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "axis.h"
#include "blocking.h"

typedef struct {
    const cf_pool_desc *d;
    const cf_kernels *kn;
    const void *x;
    void *y, *row; /* row: scratch, one a thread */
    int64_t *index, *start, *end, row_bytes;
    double *count;
} job;

/* Input points of a window along an axis: first, first + step, ... below last. */
typedef struct {
    int64_t first, last, step;
} window;

static window window_of(const cf_pool_desc *d, int axis, int64_t o)
{
    int64_t in = d->in[axis], out = d->out[axis], step = d->dil[axis];
    if (d->adaptive) return (window){o * in / out, cf_ceil_div((o + 1) * in, out), 1};
    int64_t start = o * d->stride[axis] - d->pad[axis], end = start + (d->kernel[axis] - 1) * step + 1;
    if (start < 0) start += cf_ceil_div(-start, step) * step;
    return (window){start, cf_min(end, in), step};
}

/* Points of a window that an average counts. */
static double points_of(const cf_pool_desc *d, int axis, int64_t o)
{
    if (d->adaptive || !d->count_pad) {
        window w = window_of(d, axis, o);
        return (double)cf_max(0, cf_ceil_div(w.last - w.first, w.step));
    }
    int64_t start = o * d->stride[axis] - d->pad[axis];
    return (double)(cf_min(start + d->kernel[axis], d->in[axis] + d->pad_hi[axis]) - start);
}

int64_t cf_pool_workspace(const cf_pool_desc *d, const cf_options *options)
{
    int64_t used = 0, rows = (d->out[2] + 1) * (int64_t)sizeof(double);
    for (int i = 0; i < 3; i++) cf_take(&used, rows);
    return used + cf_round_up(rows, CF_ALIGN) * options->threads;
}

static cf_status begin(job *j, const cf_pool_desc *d, const cf_options *options, void *workspace)
{
    int64_t used = 0, rows = (d->out[2] + 1) * (int64_t)sizeof(double);
    j->d = d;
    j->kn = cf_kernels_for(options->isa, d->dtype);
    j->start = cf_at(workspace, cf_take(&used, rows), 1);
    j->end = cf_at(workspace, cf_take(&used, rows), 1);
    j->count = cf_at(workspace, cf_take(&used, rows), 1);
    j->row = cf_at(workspace, used, 1);
    j->row_bytes = cf_round_up(rows, CF_ALIGN);
    for (int64_t o = 0; o < d->out[2]; o++) {
        window w = window_of(d, 2, o);
        j->start[o] = w.first;
        j->end[o] = w.last;
        j->count[o] = d->divisor != 0 ? 1 : points_of(d, 2, o);
    }
    return j->kn ? CF_OK : CF_UNSUPPORTED;
}

static int threads_for(const cf_pool_desc *d, const cf_options *options)
{
    double work = (double)d->planes * (double)cf_volume(d->in);
    return work < CF_SERIAL_WORK ? 1 : options->threads;
}

/* The output points [first, last) of a row whose tap t lies inside it, and the input point of the first. */
static int64_t tap_range(const cf_pool_desc *d, int64_t t, int64_t *first, int64_t *last)
{
    int64_t offset = t * d->dil[2] - d->pad[2];
    cf_valid_range(d->out[2], offset, d->stride[2], d->in[2], first, last);
    return *first * d->stride[2] + offset;
}

static void max_from_row(const job *j, const void *x, int64_t index0, void *y, int64_t *index)
{
    const cf_pool_desc *d = j->d;
    if (d->adaptive) {
        j->kn->window_max(d->out[2], j->start, j->end, x, index0, y, index);
        return;
    }
    for (int64_t t = 0; t < d->kernel[2]; t++) {
        int64_t first, last, from = tap_range(d, t, &first, &last);
        const void *tap = cf_at_const(x, from, j->kn->size);
        void *to = cf_at(y, first, j->kn->size);
        if (index) j->kn->max_row_index(last - first, tap, d->stride[2], index0 + from, to, index + first);
        else j->kn->max_row(last - first, tap, d->stride[2], to);
    }
}

static void sum_from_row(const job *j, const void *x, void *y)
{
    const cf_pool_desc *d = j->d;
    if (d->adaptive) {
        j->kn->window_sum(d->out[2], j->start, j->end, x, y);
        return;
    }
    for (int64_t t = 0; t < d->kernel[2]; t++) {
        int64_t first, last, from = tap_range(d, t, &first, &last);
        j->kn->sum_row(last - first, cf_at_const(x, from, j->kn->size), d->stride[2], cf_at(y, first, j->kn->size));
    }
}

/* Task = (plane, output slice). */
static void max_slice(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_pool_desc *d = j->d;
    int64_t size = j->kn->size, width = d->out[2], plane = task / d->out[0];
    window wd = window_of(d, 0, task % d->out[0]);
    (void)thread;
    for (int64_t h = 0; h < d->out[1]; h++) {
        window wh = window_of(d, 1, h);
        int64_t at = (task * d->out[1] + h) * width;
        int64_t *index = j->index ? j->index + at : NULL;
        void *y = cf_at(j->y, at, size);
        j->kn->set(width, y, -INFINITY);
        for (int64_t q = 0; index && q < width; q++) index[q] = -1;
        for (int64_t z = wd.first; z < wd.last; z += wd.step)
            for (int64_t r = wh.first; r < wh.last; r += wh.step) {
                int64_t row = (z * d->in[1] + r) * d->in[2];
                max_from_row(j, cf_at_const(j->x, plane * cf_volume(d->in) + row, size), row, y, index);
            }
    }
}

static double row_factor(const cf_pool_desc *d, int64_t z, int64_t h)
{
    return d->divisor != 0 ? d->divisor : points_of(d, 0, z) * points_of(d, 1, h);
}

static void average_slice(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_pool_desc *d = j->d;
    int64_t size = j->kn->size, width = d->out[2], plane = task / d->out[0], o = task % d->out[0];
    window wd = window_of(d, 0, o);
    (void)thread;
    for (int64_t h = 0; h < d->out[1]; h++) {
        window wh = window_of(d, 1, h);
        void *y = cf_at(j->y, (task * d->out[1] + h) * width, size);
        j->kn->set(width, y, 0);
        for (int64_t z = wd.first; z < wd.last; z += wd.step)
            for (int64_t r = wh.first; r < wh.last; r += wh.step) {
                int64_t row = (z * d->in[1] + r) * d->in[2];
                sum_from_row(j, cf_at_const(j->x, plane * cf_volume(d->in) + row, size), y);
            }
        j->kn->divide_row(width, row_factor(d, o, h), j->count, y, y);
    }
}

/* Gradient of one output row, already divided, to one input row. */
static void add_to_row(const job *j, const void *dy, void *dx)
{
    const cf_pool_desc *d = j->d;
    if (d->adaptive) {
        j->kn->window_add(d->out[2], j->start, j->end, dy, dx);
        return;
    }
    for (int64_t t = 0; t < d->kernel[2]; t++) {
        int64_t first, last, to = tap_range(d, t, &first, &last);
        j->kn->add_rows(cf_at(dx, to, j->kn->size), 0, d->stride[2], cf_at_const(dy, first, j->kn->size), 0, 1, last - first);
    }
}

static void average_plane_backward(void *ctx, int64_t plane, int thread)
{
    const job *j = ctx;
    const cf_pool_desc *d = j->d;
    int64_t size = j->kn->size, width = d->out[2];
    void *row = cf_at(j->row, thread, j->row_bytes), *dx = cf_at(j->y, plane * cf_volume(d->in), size);
    memset(dx, 0, (size_t)(cf_volume(d->in) * size));
    for (int64_t o = 0; o < d->out[0] * d->out[1]; o++) {
        window wd = window_of(d, 0, o / d->out[1]), wh = window_of(d, 1, o % d->out[1]);
        const void *dy = cf_at_const(j->x, (plane * d->out[0] * d->out[1] + o) * width, size);
        j->kn->divide_row(width, row_factor(d, o / d->out[1], o % d->out[1]), j->count, dy, row);
        for (int64_t z = wd.first; z < wd.last; z += wd.step)
            for (int64_t r = wh.first; r < wh.last; r += wh.step)
                add_to_row(j, row, cf_at(dx, (z * d->in[1] + r) * d->in[2], size));
    }
}

cf_status cf_max_pool(const cf_pool_desc *d, const cf_options *options, const void *x, void *y, int64_t *index, void *workspace)
{
    job j = {.x = x, .y = y, .index = index};
    cf_status status = begin(&j, d, options, workspace);
    if (status == CF_OK) cf_parallel_for(d->planes * d->out[0], threads_for(d, options), max_slice, &j);
    return status;
}

cf_status cf_average_pool(const cf_pool_desc *d, const cf_options *options, const void *x, void *y, void *workspace)
{
    job j = {.x = x, .y = y};
    cf_status status = begin(&j, d, options, workspace);
    if (status == CF_OK) cf_parallel_for(d->planes * d->out[0], threads_for(d, options), average_slice, &j);
    return status;
}

cf_status cf_average_pool_backward(const cf_pool_desc *d, const cf_options *options, const void *dy, void *dx, void *workspace)
{
    job j = {.x = dy, .y = dx};
    cf_status status = begin(&j, d, options, workspace);
    if (status == CF_OK) cf_parallel_for(d->planes, threads_for(d, options), average_plane_backward, &j);
    return status;
}
