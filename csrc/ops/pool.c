/* SPDX-License-Identifier: BSD-3-Clause */
/* Pooling: down the rows of the windows into a line, then along the line; averages backward the same way up. */
#include "pool.h"
#include <math.h>
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "axis.h"
#include "blocking.h"
#include "pool_internal.h"

typedef struct {
    const cf_pool_plan *p;
    const cf_kernels *kn;
    cf_pool_op op;
    const void *x;
    void *y;
    int64_t *index, *start, *end;
    int32_t *count, *row_count;
    void *scratch;
} job;

/* Output rows [h0, h1) and columns [q0, q0 + n) of slice o; `from` is the input column where the line begins, and [left, right)
 * those of its columns that are not padding. */
typedef struct {
    int64_t plane, o, h0, h1, q0, n, from, left, right;
} block;

/* Values, and unless NULL their indices. */
typedef struct {
    const void *value, *at;
    int64_t ld;
} lines;

static lines after(const job *j, lines a, int64_t n)
{
    return (lines){cf_at_const(a.value, n, j->kn->size), a.at ? cf_at_const(a.at, n, j->kn->size) : NULL, a.ld};
}

/* Blocks of a plane. */
static int64_t blocks_of(const cf_pool_plan *p) { return p->desc.out[0] * p->row_blocks * p->column_blocks; }

static block block_of(const cf_pool_plan *p, int64_t task)
{
    const cf_pool_desc *d = &p->desc;
    int64_t c = task % p->column_blocks, r = task / p->column_blocks % p->row_blocks;
    int64_t slice = task / p->column_blocks / p->row_blocks, q0 = cf_part(d->out[2], p->column_blocks, c);
    block b = {.plane = slice / d->out[0], .o = slice % d->out[0], .q0 = q0};
    b.h0 = cf_part(d->out[1], p->row_blocks, r);
    b.h1 = cf_part(d->out[1], p->row_blocks, r + 1);
    b.n = cf_part(d->out[2], p->column_blocks, c + 1) - q0;
    b.from = d->adaptive ? 0 : q0 * d->stride[2] - d->pad[2];
    b.left = cf_max(0, -b.from);
    b.right = cf_max(b.left, cf_min(p->ld / d->lanes, d->in[2] - b.from));
    return b;
}

/* Elements of the output before a block. */
static int64_t output_at(const cf_pool_desc *d, const block *b)
{
    return (((b->plane * d->out[0] + b->o) * d->out[1] + b->h0) * d->out[2] + b->q0) * d->lanes;
}

/* Elements of the input before row h of slice z, counted from the plane. */
static int64_t row_at(const cf_pool_desc *d, int64_t z, int64_t h) { return (z * d->in[1] + h) * d->in[2] * d->lanes; }

/* Elements of a plane of the input. */
static int64_t plane_of(const cf_pool_desc *d) { return cf_volume(d->in) * d->lanes; }

/* Lines [0, rows), reals [first, last): what padding is to the reduction. */
static void fill(const job *j, int64_t rows, void *line, void *at, int64_t first, int64_t last)
{
    int64_t size = j->kn->size, n = last - first;
    if (n <= 0) return;
    j->kn->fill_columns(rows, n, j->op == CF_POOL_MAX ? -INFINITY : 0, cf_at(line, first, size), j->p->ld);
    for (int64_t i = 0; at && i < rows * n; i++) {
        int64_t to = i / n * j->p->ld + first + i % n;
        if (size == 8) ((int64_t *)at)[to] = INT64_MAX;
        else ((int32_t *)at)[to] = INT32_MAX;
    }
}

/* The windows of output rows [h, h + rows), alike, reduced down their rows; `at` has the indices, counted from the
 * window's first slice. */
static void fill_lines(const job *j, const block *b, int64_t h, int64_t rows, void *line, void *at)
{
    const cf_pool_desc *d = &j->p->desc;
    cf_window wd = cf_pool_window(d, 0, b->o), wh = cf_pool_window(d, 1, h);
    int64_t size = j->kn->size, left = b->left * d->lanes, width = (b->right - b->left) * d->lanes, ld = j->p->ld;
    int64_t ldx = row_at(d, 0, d->dil[1]), step = row_at(d, 0, d->stride[1]);
    int empty = wd.count == 0 || wh.count == 0 || width == 0;
    fill(j, rows, line, at, 0, empty ? ld : left);
    if (empty) return;
    int64_t slice = row_at(d, d->dil[0], 0), first = row_at(d, wd.first, 0),
            from = row_at(d, 0, wh.first) + (b->from + b->left) * d->lanes;
    const void *x = cf_at_const(j->x, b->plane * plane_of(d) + first + from, size);
    void *to = cf_at(line, left, size), *places = at ? cf_at(at, left, size) : NULL;
    for (int64_t z = 0; at && z < wd.count; z++)
        j->kn->reduce_rows_index(z == 0, rows, width, wh.count, cf_at_const(x, z * slice, size), ldx, step,
                                 from + z * slice, to, places, ld);
    if (!at) j->kn->reduce_rows(j->op, rows, width, wd.count, slice, wh.count, ldx, x, step, to, ld);
    fill(j, rows, line, at, left + width, ld);
}

/* The first element of the windows' first slice in a plane. */
static int64_t base_of(const cf_pool_desc *d, const block *b) { return row_at(d, cf_pool_window(d, 0, b->o).first, 0); }

/* What the sums of a block are divided by, before the points of each row and column if these differ. */
static double divisor_of(const cf_pool_plan *p, const block *b)
{
    const cf_pool_desc *d = &p->desc;
    if (d->divisor != 0) return d->divisor;
    double slices = (double)cf_pool_points(d, 0, b->o);
    return p->uniform ? slices * (double)(cf_pool_points(d, 1, 0) * cf_pool_points(d, 2, 0)) : slices;
}

/* Lines whose windows do not overlap are one long line. */
static void join_lines(const cf_pool_desc *d, int64_t ld, int64_t *rows, int64_t *n)
{
    if (d->adaptive || ld != *n * d->stride[2] * d->lanes) return;
    *n *= *rows;
    *rows = 1;
}

/* The windows of `rows` lines, each with n points `step` apart. */
static void reduce_taps(const job *j, const block *b, int64_t rows, int64_t n, int64_t taps, int64_t dil, int64_t step,
                        lines from, int64_t to)
{
    const cf_pool_desc *d = &j->p->desc;
    void *y = cf_at(j->y, to, j->kn->size);
    if (from.at)
        j->kn->reduce_taps_index(rows, n, taps, dil, step, from.value, from.at, from.ld, base_of(d, b), y,
                                 j->index + to);
    else
        j->kn->reduce_taps(j->op, rows, n, taps, dil, step, from.value, from.ld,
                           !d->adaptive && j->p->uniform ? divisor_of(j->p, b) : 1, y);
}

static void reduce_spans(const job *j, const block *b, int64_t n, lines from, int64_t to)
{
    void *y = cf_at(j->y, to, j->kn->size);
    if (from.at)
        j->kn->reduce_spans_index(n, j->start, j->end, from.value, from.at, base_of(&j->p->desc, b), y, j->index + to);
    else j->kn->reduce_spans(j->op, n, j->start, j->end, from.value, y);
}

/* Row r of a block whose points have lanes: they are the points of a window, as far apart as they are many. */
static void reduce_lanes(const job *j, const block *b, lines from, int64_t to)
{
    const cf_pool_desc *d = &j->p->desc;
    int64_t lanes = d->lanes;
    if (!d->adaptive) {
        from.ld = d->stride[2] * lanes;
        reduce_taps(j, b, b->n, lanes, d->kernel[2], d->dil[2] * lanes, 1, from, to);
    }
    for (int64_t q = 0; q < b->n && d->adaptive; q++)
        reduce_taps(j, b, 1, lanes, j->end[q] - j->start[q], lanes, 1, after(j, from, j->start[q] * lanes),
                    to + q * lanes);
}

static void reduce_lines(const job *j, const block *b, lines from, int64_t to)
{
    const cf_pool_desc *d = &j->p->desc;
    int64_t rows = b->h1 - b->h0, n = b->n;
    if (!d->adaptive && d->lanes == 1) {
        join_lines(d, from.ld, &rows, &n);
        reduce_taps(j, b, rows, n, d->kernel[2], d->dil[2], d->stride[2], from, to);
        return;
    }
    for (int64_t r = 0; r < rows; r++, to += n * d->lanes)
        if (d->lanes == 1) reduce_spans(j, b, n, after(j, from, r * from.ld), to);
        else reduce_lanes(j, b, after(j, from, r * from.ld), to);
}

/* Indices of elements as those of points. */
static void count_points(const job *j, const block *b, int64_t to)
{
    int64_t lanes = j->p->desc.lanes, n = (b->h1 - b->h0) * b->n * lanes;
    for (int64_t i = to; i < to + n; i++) j->index[i] = cf_floor_div(j->index[i], lanes);
}

static void divide(const job *j, const block *b, const void *x, void *y)
{
    int64_t lanes = j->p->desc.lanes;
    j->kn->divide_rows(b->h1 - b->h0, b->n * lanes, divisor_of(j->p, b), j->row_count + b->h0,
                       j->p->uniform ? NULL : j->count + b->q0 * lanes, x, y);
}

static void pool_block(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_pool_plan *p = j->p;
    const cf_pool_desc *d = &p->desc;
    block b = block_of(p, task);
    int64_t size = j->kn->size, rows = b.h1 - b.h0;
    int64_t to = output_at(d, &b);
    void *y = cf_at(j->y, to, size), *line = cf_at(j->scratch, thread, p->scratch_bytes);
    void *at = j->index ? cf_at(line, rows * p->ld, size) : NULL;
    if (p->in_place) {
        int64_t from = b.plane * plane_of(d) + row_at(d, b.o * d->stride[0], b.h0 * d->stride[1]) + b.from * d->lanes;
        reduce_lines(j, &b, (lines){cf_at_const(j->x, from, size), NULL, row_at(d, 0, d->stride[1])}, to);
    } else {
        for (int64_t r = 0, n; r < rows; r += n) {
            n = cf_pool_alike(d, 1, b.h0 + r, b.h1);
            fill_lines(j, &b, b.h0 + r, n, cf_at(line, r * p->ld, size), at ? cf_at(at, r * p->ld, size) : NULL);
        }
        reduce_lines(j, &b, (lines){line, at, p->ld}, to);
    }
    if (at && d->lanes > 1) count_points(j, &b, to);
    if (j->op == CF_POOL_SUM && (d->adaptive || !p->uniform)) divide(j, &b, y, y);
}

/* The gradient of a line, spread along it; that of points with lanes row by row. */
static void spread_line(const job *j, int64_t n, const void *from, int64_t len, void *to)
{
    const cf_pool_desc *d = &j->p->desc;
    int64_t size = j->kn->size, lanes = d->lanes, ld = d->stride[2] * lanes;
    if (lanes > 1) memset(to, 0, (size_t)(len * size));
    if (lanes == 1 && d->adaptive) j->kn->spread_spans(n, j->start, j->end, from, len, to);
    else if (lanes == 1) j->kn->spread_taps(n, d->kernel[2], d->dil[2], d->stride[2], from, len, to);
    else if (d->adaptive)
        for (int64_t q = 0; q < n; q++)
            j->kn->add_rows(cf_at(to, j->start[q] * lanes, size), lanes, 1, cf_at_const(from, q * lanes, size), 0,
                            j->end[q] - j->start[q], lanes);
    else
        for (int64_t t = 0; t < d->kernel[2]; t++)
            j->kn->add_rows(cf_at(to, t * d->dil[2] * lanes, size), ld, 1, from, lanes, n, lanes);
}

/* The gradient of a block, divided, spread along its lines. */
static void spread_lines(const job *j, const block *b, const void *dy, void *line)
{
    const cf_pool_desc *d = &j->p->desc;
    int64_t rows = b->h1 - b->h0, n = b->n, ld = j->p->ld, size = j->kn->size, len = rows * ld;
    void *divided = cf_at(line, len, size);
    divide(j, b, dy, divided);
    join_lines(d, ld, &rows, &n);
    if (rows > 1) len = ld;
    for (int64_t r = 0; r < rows; r++)
        spread_line(j, n, cf_at_const(divided, r * n * d->lanes, size), len, cf_at(line, r * ld, size));
}

/* Row r of the windows of a block, in one slice: added, or written where all of the slice is written once. */
static void add_window_row(const job *j, const block *b, const void *line, int64_t r, void *slice)
{
    const cf_pool_desc *d = &j->p->desc;
    int64_t size = j->kn->size, step = d->stride[1], top = b->h0 * step + r * d->dil[1] - d->pad[1], first, last;
    cf_valid_range(b->h1 - b->h0, top, step, d->in[1], &first, &last);
    if (first == last) return;
    void *to = cf_at(slice, row_at(d, 0, top + first * step) + (b->from + b->left) * d->lanes, size);
    const void *from = cf_at_const(line, first * j->p->ld + b->left * d->lanes, size);
    int64_t rows = last - first, width = (b->right - b->left) * d->lanes, ld = row_at(d, 0, step);
    if (j->p->covers) j->kn->scatter_rows(to, ld, 1, from, j->p->ld, rows, width);
    else j->kn->add_rows(to, ld, 1, from, j->p->ld, rows, width);
}

/* The lines of a block, added to the rows of the windows. */
static void spread_block(const job *j, const block *b, void *line)
{
    const cf_pool_desc *d = &j->p->desc;
    cf_window wd = cf_pool_window(d, 0, b->o);
    int64_t size = j->kn->size;
    spread_lines(j, b, cf_at_const(j->x, output_at(d, b), size), line);
    for (int64_t z = 0; z < wd.count; z++) {
        void *slice = cf_at(j->y, b->plane * plane_of(d) + row_at(d, wd.first + z * d->dil[0], 0), size);
        for (int64_t r = 0; r < d->kernel[1] && !d->adaptive; r++) add_window_row(j, b, line, r, slice);
        for (int64_t h = b->h0; h < b->h1 && d->adaptive; h++) {
            cf_window w = cf_pool_window(d, 1, h);
            j->kn->add_rows(cf_at(slice, row_at(d, 0, w.first), size), row_at(d, 0, 1), 1,
                            cf_at_const(line, (h - b->h0) * j->p->ld, size), 0, w.count, row_at(d, 0, 1));
        }
    }
}

/* A task is the blocks of rows of its own, or else of a plane. */
static void spread_task(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_pool_desc *d = &j->p->desc;
    int64_t blocks = j->p->apart ? j->p->column_blocks : blocks_of(j->p), plane = d->in[0] * d->in[1],
            from = task * plane, rows = plane;
    if (j->p->apart) {
        block b = block_of(j->p, task * blocks);
        from = b.h0 * d->stride[1];
        rows = b.h1 * d->stride[1] - from;
    }
    if (!j->p->covers)
        memset(cf_at(j->y, row_at(d, 0, from), j->kn->size), 0, (size_t)(row_at(d, 0, rows) * j->kn->size));
    for (int64_t i = 0; i < blocks; i++) {
        block b = block_of(j->p, task * blocks + i);
        spread_block(j, &b, cf_at(j->scratch, thread, j->p->scratch_bytes));
    }
}

/* Planes [task * lanes, ...), as lanes of one whose points they share. */
static void pool_group(void *ctx, int64_t task, int thread)
{
    job j = *(const job *)ctx;
    const cf_pool_plan *p = j.p;
    const cf_pool_desc *d = &p->desc;
    int backward = p->pass == CF_AVERAGE_POOL_BACKWARD;
    int64_t in = cf_volume(backward ? d->out : d->in), out = cf_volume(backward ? d->in : d->out), size = j.kn->size;
    int64_t plane = task * d->lanes, planes = cf_min(d->lanes, p->grouped - plane);
    void *x = cf_at(j.scratch, thread * p->scratch_bytes + p->group_at, 1), *y = cf_at(x, in * d->lanes, size);
    j.kn->transpose(planes, in, cf_at_const(j.x, plane * in, size), in, x, d->lanes);
    for (int64_t i = 0; i < d->lanes * in; i += CF_ALIGN / size)
        __builtin_prefetch(cf_at_const(j.x, (plane + d->lanes) * in + i, size));
    void *result = cf_at(j.y, plane * out, size);
    j.x = x;
    j.y = y;
    if (backward) spread_task(&j, 0, thread);
    for (int64_t i = 0; i < blocks_of(p) && !backward; i++) pool_block(&j, i, thread);
    j.kn->transpose(out, planes, y, d->lanes, result, out);
}

static void fill_tables(const job *j)
{
    const cf_pool_desc *d = &j->p->desc;
    for (int64_t o = 0; o < d->out[2] && d->adaptive; o++) {
        cf_window w = cf_pool_window(d, 2, o);
        j->start[o] = w.first;
        j->end[o] = w.first + w.count;
    }
    if (j->op == CF_POOL_MAX || j->p->uniform) return;
    for (int64_t o = 0; o < d->out[1]; o++) j->row_count[o] = (int32_t)cf_pool_points(d, 1, o);
    for (int64_t i = 0; i < d->out[2] * d->lanes; i++) j->count[i] = (int32_t)cf_pool_points(d, 2, i / d->lanes);
}

void cf_pool(const cf_pool_plan *p, const void *x, void *y, int64_t *index, void *workspace)
{
    int average = p->pass == CF_AVERAGE_POOL || p->pass == CF_AVERAGE_POOL_BACKWARD;
    job j = {.p = p, .op = average ? CF_POOL_SUM : CF_POOL_MAX, .x = x, .y = y, .index = index};
    j.kn = cf_kernels_for(p->options.isa, p->desc.dtype);
    j.start = cf_at(workspace, p->start_at, 1);
    j.end = cf_at(workspace, p->end_at, 1);
    j.count = cf_at(workspace, p->count_at, 1);
    j.row_count = cf_at(workspace, p->row_count_at, 1);
    j.scratch = cf_at(workspace, p->scratch_at, 1);
    int backward = p->pass == CF_AVERAGE_POOL_BACKWARD;
    int64_t tasks = p->desc.planes * (!backward ? blocks_of(p) : p->apart ? p->row_blocks : 1);
    if (p->workspace_bytes) fill_tables(&j);
    if (p->grouped) {
        cf_parallel_small(cf_ceil_div(p->grouped, p->desc.lanes), p->options.threads, pool_group, &j);
        return;
    }
    cf_parallel_small(tasks, p->options.threads, backward ? spread_task : pool_block, &j);
}
