/* SPDX-License-Identifier: BSD-3-Clause */
/* im2col and col2im: rows of points are copied to or from the columns where points lie side by side there; else the
 * axis that does becomes the lanes of a tile of rows, which is transposed. */
#include "columns.h"
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "axis.h"
#include "blocking.h"

/* A tile of rows: 64 KB in float, in L2 beside what it is copied to. */
enum { CF_TILE_LANES = 64, CF_TILE_POINTS = 256 };

/* Chunks a thread takes: rows may be as short as a point. */
enum { CF_CHUNKS = 16 };

enum { IMAGE, CHANNEL, TAP, POINT };

typedef struct {
    const cf_columns_desc *d;
    const cf_kernels *kn;
    int adjoint; /* col2im: reads cols and writes x, else the other way round */
    void *x, *cols;
    int64_t extent[3], group[3]; /* images, channels, taps: all of them, and those that the lanes run over */
    int64_t lanes, blocks, tap_groups; /* lanes of a group, their blocks */
    int64_t steps, tap_steps; /* blocks of all groups; those that go through all taps of the same planes */
    int64_t rows, items, chunks;
    void *scratch;
} job;

/* Lanes first, first + 1, ... of a group; `base` is the group's first image, channel and tap. */
typedef struct {
    int64_t base[3], first, count;
} block;

/* Where a lane reads or writes: its plane, what its tap adds to the row of a point, and the points [first, last) inside
 * the image, the first of them in `column`. */
typedef struct {
    int64_t plane, depth, height, column, first, last;
} lane;

static int64_t taps_of(const cf_columns_desc *d) { return cf_volume(d->kernel); }

/* The axis that is contiguous in the columns. */
static int lane_axis(const job *j)
{
    int axis = POINT;
    for (int i = IMAGE; i < POINT && j->d->at[POINT] != 1; i++)
        if (j->d->at[i] == 1 && (axis == POINT || j->extent[i] > j->extent[axis])) axis = i;
    return axis;
}

static void cut(job *j, int threads)
{
    const cf_columns_desc *d = j->d;
    int axis = lane_axis(j);
    for (int i = 0; i < 3; i++) j->group[i] = i == axis ? j->extent[i] : 1;
    if (!j->adjoint && axis == TAP && d->at[CHANNEL] == taps_of(d)) j->group[CHANNEL] = d->c;
    j->lanes = cf_volume(j->group);
    j->blocks = cf_ceil_div(j->lanes, CF_TILE_LANES);
    j->tap_groups = j->extent[TAP] / j->group[TAP];
    j->tap_steps = j->tap_groups * (axis == TAP ? j->blocks : 1);
    j->steps = cf_volume(j->extent) / j->lanes * j->blocks;
    j->rows = d->out[0] * d->out[1];
    j->items = j->adjoint ? j->steps / j->tap_steps : j->steps * j->rows;
    j->chunks = cf_min(j->items, CF_CHUNKS * threads);
}

/* Groups of images, then of channels, then blocks of lanes, then groups of taps. */
static block block_of(const job *j, int64_t step)
{
    int64_t rest = step % (j->tap_groups * j->blocks), outer = step / (j->tap_groups * j->blocks);
    int64_t channel_groups = j->extent[CHANNEL] / j->group[CHANNEL];
    block b = {.first = rest / j->tap_groups * CF_TILE_LANES};
    b.count = cf_min(CF_TILE_LANES, j->lanes - b.first);
    b.base[IMAGE] = outer / channel_groups * j->group[IMAGE];
    b.base[CHANNEL] = outer % channel_groups * j->group[CHANNEL];
    b.base[TAP] = rest % j->tap_groups * j->group[TAP];
    return b;
}

static void place_of(const job *j, const block *b, int64_t l, int64_t place[3])
{
    int64_t at = b->first + l;
    place[TAP] = b->base[TAP] + at % j->group[TAP];
    place[CHANNEL] = b->base[CHANNEL] + at / j->group[TAP] % j->group[CHANNEL];
    place[IMAGE] = b->base[IMAGE] + at / j->group[TAP] / j->group[CHANNEL];
}

static lane lane_of(const cf_columns_desc *d, const int64_t place[3], int64_t q0, int64_t n)
{
    int64_t tw = place[TAP] % d->kernel[2], row = place[TAP] / d->kernel[2];
    int64_t start = q0 * d->stride[2] + tw * d->dil[2] - d->pad[2];
    lane l = {.plane = (place[IMAGE] * d->c + place[CHANNEL]) * cf_volume(d->in)};
    l.depth = row / d->kernel[1] * d->dil[0] - d->pad[0];
    l.height = row % d->kernel[1] * d->dil[1] - d->pad[1];
    cf_valid_range(n, start, d->stride[2], d->in[2], &l.first, &l.last);
    l.column = start + l.first * d->stride[2];
    return l;
}

/* Element of x under the first point of row r; -1 if there is none. */
static int64_t element_of(const cf_columns_desc *d, const lane *l, int64_t r)
{
    int64_t z = r / d->out[1] * d->stride[0] + l->depth, y = r % d->out[1] * d->stride[1] + l->height;
    if (z < 0 || z >= d->in[0] || y < 0 || y >= d->in[1] || l->first == l->last) return -1;
    return l->plane + (z * d->in[1] + y) * d->in[2] + l->column;
}

/* n points of row r of one lane, between x and `row`. */
static void move_row(const job *j, const lane *l, int64_t r, int64_t n, void *row)
{
    int64_t at = element_of(j->d, l, r), size = j->kn->size, step = j->d->stride[2];
    void *x = cf_at(j->x, cf_max(at, 0), size);
    if (j->adjoint && at >= 0) j->kn->add_rows(x, 0, step, cf_at(row, l->first, size), 0, 1, l->last - l->first);
    if (!j->adjoint && at >= 0) j->kn->gather_rows(row, 0, x, 0, 1, n, l->first, l->last, step, j->d->fill);
    if (!j->adjoint && at < 0) j->kn->set(n, row, j->d->fill);
}

/* n points of row r of all lanes of a block, between x and the columns from element `at` on. */
static void move_tile(const job *j, const lane *lanes, int64_t count, int64_t r, int64_t n, int64_t at, void *tile)
{
    int64_t size = j->kn->size, ld = j->d->at[POINT];
    void *cols = cf_at(j->cols, at, size);
    if (ld == 1) {
        move_row(j, lanes, r, n, cols);
        return;
    }
    if (j->adjoint) j->kn->transpose(n, count, cols, ld, tile, CF_TILE_POINTS);
    for (int64_t i = 0; i < count; i++) move_row(j, &lanes[i], r, n, cf_at(tile, i * CF_TILE_POINTS, size));
    if (!j->adjoint) j->kn->transpose(count, n, tile, CF_TILE_POINTS, cols, ld);
}

static void run_step(const job *j, int64_t step, int64_t r0, int64_t r1, int thread)
{
    const cf_columns_desc *d = j->d;
    block b = block_of(j, step);
    int64_t place[3], width = d->at[POINT] == 1 ? d->out[2] : CF_TILE_POINTS;
    void *tile = cf_at(j->scratch, thread * CF_TILE_LANES * CF_TILE_POINTS, j->kn->size);
    lane lanes[CF_TILE_LANES];
    place_of(j, &b, 0, place);
    int64_t base = place[IMAGE] * d->at[IMAGE] + place[CHANNEL] * d->at[CHANNEL] + place[TAP] * d->at[TAP];
    for (int64_t q0 = 0; q0 < d->out[2]; q0 += width) {
        int64_t n = cf_min(width, d->out[2] - q0);
        for (int64_t l = 0; l < b.count; l++) {
            place_of(j, &b, l, place);
            lanes[l] = lane_of(d, place, q0, n);
        }
        for (int64_t r = r0; r < r1; r++)
            move_tile(j, lanes, b.count, r, n, base + (r * d->out[2] + q0) * d->at[POINT], tile);
    }
}

/* All taps of the planes that the lanes of a step see. */
static void add_planes(const job *j, int64_t first, int thread)
{
    block b = block_of(j, first);
    int64_t size = j->kn->size, points = cf_volume(j->d->in), place[3];
    for (int64_t l = 0; l < b.count; l++) {
        place_of(j, &b, l, place);
        void *plane = cf_at(j->x, (place[IMAGE] * j->d->c + place[CHANNEL]) * points, size);
        if (place[TAP] == 0) memset(plane, 0, (size_t)(points * size));
    }
    for (int64_t t = 0; t < j->tap_steps; t++) run_step(j, first + t, 0, j->rows, thread);
}

static void run_chunk(void *ctx, int64_t chunk, int thread)
{
    const job *j = ctx;
    int64_t item = cf_part(j->items, j->chunks, chunk), end = cf_part(j->items, j->chunks, chunk + 1);
    for (; j->adjoint && item < end; item++) add_planes(j, item * j->tap_steps, thread);
    while (item < end) {
        int64_t r0 = item % j->rows, r1 = cf_min(j->rows, r0 + end - item);
        run_step(j, item / j->rows, r0, r1, thread);
        item += r1 - r0;
    }
}

static int threads_for(const cf_columns_desc *d, const cf_options *options)
{
    double work = (double)d->n * (double)d->c * (double)taps_of(d) * (double)cf_volume(d->out);
    return work < CF_SERIAL_WORK ? 1 : options->threads;
}

int64_t cf_columns_workspace(const cf_columns_desc *d, const cf_options *options)
{
    int64_t tile = CF_TILE_LANES * CF_TILE_POINTS * (d->dtype == CF_F64 ? 8 : 4);
    return d->at[POINT] == 1 ? 0 : threads_for(d, options) * tile;
}

static cf_status run(job *j, const cf_options *options)
{
    const cf_columns_desc *d = j->d;
    int threads = threads_for(d, options);
    j->kn = cf_kernels_for(options->isa, d->dtype);
    if (!j->kn) return CF_UNSUPPORTED;
    if (d->n == 0) return CF_OK;
    j->extent[IMAGE] = d->n;
    j->extent[CHANNEL] = d->c;
    j->extent[TAP] = taps_of(d);
    cut(j, threads);
    cf_parallel_for(j->chunks, threads, run_chunk, j);
    return CF_OK;
}

cf_status cf_im2col(const cf_columns_desc *d, const cf_options *options, const void *x, void *cols, void *workspace)
{
    job j = {.d = d, .x = (void *)x, .cols = cols, .scratch = workspace};
    return run(&j, options);
}

cf_status cf_col2im(const cf_columns_desc *d, const cf_options *options, const void *cols, void *x, void *workspace)
{
    job j = {.d = d, .adjoint = 1, .x = x, .cols = (void *)cols, .scratch = workspace};
    return run(&j, options);
}
