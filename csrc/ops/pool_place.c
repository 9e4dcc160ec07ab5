/* SPDX-License-Identifier: BSD-3-Clause */
/* Max pooling with places: along the columns, down the rows, over the slices of a box. */
#include "../core/parallel.h"
#include "blocking.h"
#include "pool_internal.h"

typedef struct {
    const cf_place_plan *p;
    const cf_kernels *kn;
    const void *x;
    void *y, *workspace;
    uint8_t *place;
} job;

/* Values and their places, element for element. */
typedef struct {
    void *value;
    uint8_t *place;
} lines;

/* A box at work: its output points, the input points [first, end) under them on an axis, lanes of a row, scratch memory. */
typedef struct {
    const job *j;
    int64_t plane, at[3], len[3], first[3], end[3], lanes;
    lines rows, slices, result;
} box;

static int64_t *offsets(const job *j, int axis) { return cf_at(j->workspace, j->p->off_at[axis], 1); }

static lines after(const job *j, lines a, int64_t n) { return (lines){cf_at(a.value, n, j->kn->size), a.place + n}; }

static void lay_out(box *b, int thread)
{
    const cf_place_plan *p = b->j->p;
    int64_t size = b->j->kn->size, rows = p->rows * p->ld, slices = p->slices * p->box[1] * p->ld;
    b->rows.value = cf_at(b->j->workspace, p->scratch_at + thread * p->scratch_bytes, 1);
    b->rows.place = cf_at(b->rows.value, rows + slices + p->box[0] * p->box[1] * p->ld, size);
    b->slices = after(b->j, b->rows, rows);
    b->result = after(b->j, b->slices, slices);
}

static box box_of(const job *j, int64_t task, int thread)
{
    const cf_pool_desc *d = &j->p->desc;
    box b = {.j = j};
    for (int i = 2; i >= 0; i--) {
        b.at[i] = task % j->p->boxes[i] * j->p->box[i];
        b.len[i] = cf_min(j->p->box[i], d->out[i] - b.at[i]);
        task /= j->p->boxes[i];
        int64_t top = b.at[i] * d->stride[i] - d->pad[i];
        int64_t bottom = top + (b.len[i] - 1) * d->stride[i] + (d->kernel[i] - 1) * d->dil[i] + 1;
        b.first[i] = cf_min(d->in[i], cf_max(0, top));
        b.end[i] = cf_max(b.first[i], cf_min(d->in[i], bottom));
    }
    b.plane = task;
    b.lanes = cf_round_up(b.len[2], j->kn->lanes);
    lay_out(&b, thread);
    return b;
}

/* Rows of slice z, reduced along the columns. */
static void reduce_columns(const box *b, int64_t z, lines to)
{
    const cf_place_plan *p = b->j->p;
    const cf_pool_desc *d = &p->desc;
    int64_t row = ((b->plane * d->in[0] + z) * d->in[1] + b->first[1]) * d->in[2];
    b->j->kn->max_columns(b->end[1] - b->first[1], b->len[2], d->kernel[2], d->dil[2], d->stride[2],
                          b->at[2] * d->stride[2] - d->pad[2], d->in[2], cf_at_const(b->j->x, row, b->j->kn->size),
                          d->in[2], to.value, to.place, p->ld);
}

/* Rows or slices, of which x holds the first line of each, `ld` apart, reduced; `unit` points of a window have one tap. */
static void reduce_points(const box *b, int axis, int64_t unit, lines x, lines y, int64_t ld)
{
    const cf_pool_desc *d = &b->j->p->desc;
    int64_t at = b->at[axis], end = at + b->len[axis], step = d->stride[axis];
    for (int64_t o = at, n; o < end; o += n) {
        cf_window w = cf_pool_window(d, axis, o);
        int64_t tap = (w.first - o * step + d->pad[axis]) / d->dil[axis];
        lines from = after(b->j, x, w.count ? (w.first - b->first[axis]) * ld : 0), to = after(b->j, y, (o - at) * ld);
        n = cf_pool_alike(d, axis, o, end);
        b->j->kn->max_taps(n, b->lanes, w.count, offsets(b->j, axis), tap * unit, unit, from.place, from.value,
                           step * ld, to.value, to.place, ld);
    }
}

static void reduce_slice(const box *b, int64_t z, lines to)
{
    const cf_place_plan *p = b->j->p;
    int plain = cf_pool_is_plain(&p->desc, 1);
    reduce_columns(b, z, plain ? to : b->rows);
    if (!plain) reduce_points(b, 1, p->desc.kernel[2], b->rows, to, p->ld);
}

/* Places in output row (z, h) of windows without a point. */
static void mark_nowhere(const box *b, int64_t z, int64_t h, uint8_t *place)
{
    const cf_pool_desc *d = &b->j->p->desc;
    if (cf_pool_window(d, 0, z).count == 0 || cf_pool_window(d, 1, h).count == 0)
        memset(place, CF_PLACE_NOWHERE, (size_t)b->len[2]);
    for (int64_t q = 0; q < b->len[2] && b->j->p->gaps; q++)
        if (cf_pool_window(d, 2, b->at[2] + q).count == 0) place[q] = CF_PLACE_NOWHERE;
}

static void emit(const box *b, int64_t o, lines slice)
{
    const cf_place_plan *p = b->j->p;
    const cf_pool_desc *d = &p->desc;
    int64_t to = ((b->plane * d->out[0] + o) * d->out[1] + b->at[1]) * d->out[2] + b->at[2];
    b->j->kn->gather_rows(cf_at(b->j->y, to, b->j->kn->size), d->out[2], slice.value, p->ld, b->len[1], b->len[2], 0,
                          b->len[2], 1, 0);
    for (int64_t h = 0; h < b->len[1]; h++) {
        uint8_t *place = b->j->place + to + h * d->out[2];
        memcpy(place, slice.place + h * p->ld, (size_t)b->len[2]);
        mark_nowhere(b, o, b->at[1] + h, place);
    }
}

static void pool_box(void *ctx, int64_t task, int thread)
{
    const box whole = box_of(ctx, task, thread), *b = &whole;
    const cf_place_plan *p = b->j->p;
    const cf_pool_desc *d = &p->desc;
    int64_t slice = p->box[1] * p->ld;
    int plain = cf_pool_is_plain(d, 0);
    for (int64_t z = b->first[0]; z < b->end[0]; z++)
        reduce_slice(b, z, after(b->j, b->slices, (z - b->first[0]) * slice));
    for (int64_t h = 0; h < b->len[1] && !plain; h++)
        reduce_points(b, 0, d->kernel[1] * d->kernel[2], after(b->j, b->slices, h * p->ld),
                      after(b->j, b->result, h * p->ld), slice);
    for (int64_t o = 0; o < b->len[0]; o++)
        emit(b, b->at[0] + o, after(b->j, plain ? b->slices : b->result, o * slice));
}

/* Where the rows and slices of a window lie. */
static void fill_tables(const job *j)
{
    const cf_place_plan *p = j->p;
    const cf_pool_desc *d = &p->desc;
    for (int64_t t = 0; t < d->kernel[1]; t++) offsets(j, 1)[t] = t * d->dil[1] * p->ld;
    for (int64_t t = 0; t < d->kernel[0]; t++) offsets(j, 0)[t] = t * d->dil[0] * p->box[1] * p->ld;
}

void cf_place_max(const cf_place_plan *p, const void *x, void *y, uint8_t *place, void *workspace)
{
    if (p->desc.planes == 0) return;
    job j = {.p = p, .x = x, .y = y, .place = place, .workspace = workspace};
    j.kn = cf_kernels_for(p->options.isa, p->desc.dtype);
    fill_tables(&j);
    cf_parallel_small(p->desc.planes * cf_volume(p->boxes), p->options.threads, pool_box, &j);
}
