/* SPDX-License-Identifier: BSD-3-Clause */
/* Gradient of max pooling with places: each to its point, a few planes at once.  Windows that adjoin are written as they lie; points
 * that few windows share look for what is theirs. */
#include "../core/parallel.h"
#include "blocking.h"
#include "pool_internal.h"

/* Reals of a plane that are cleared at once, or a row: what is cleared for all planes in turns is still in L1 for the sums (3x3/2 of
 * 64x112x112, Zen 3: 1.40 ms with 64, 1.41 with 256, 1.82 with 1024).  Gradients that are spread at once. */
enum { CF_CLEARED = 256, CF_SPREAD = 1024 };

typedef struct {
    const cf_pool_desc *d;
    const cf_kernels *kn;
    const void *dy;
    const uint8_t *place;
    void *dx;
    int64_t offset
        [CF_PLACE_NOWHERE]; /* of a place, from the first point of its window, or from where the window is a point */
} job;

/* Zeros from *done to `end` in every plane. */
static void clear(const job *j, int64_t plane, int64_t planes, int64_t *done, int64_t end)
{
    int64_t volume = cf_volume(j->d->in), size = j->kn->size;
    end = cf_min(end, volume);
    if (end <= *done) return;
    for (int64_t m = plane; m < plane + planes; m++)
        memset(cf_at(j->dx, m * volume + *done, size), 0, (size_t)((end - *done) * size));
    *done = end;
}

/* The windows of `rows` output rows from h on, of slice o. */
static void add_rows(const job *j, int64_t plane, int64_t planes, int64_t o, int64_t h, int64_t rows, int64_t *done)
{
    const cf_pool_desc *d = j->d;
    int64_t volume = cf_volume(d->in), points = cf_volume(d->out), size = j->kn->size, step = d->stride[1] * d->in[2];
    int64_t row = (o * d->stride[0] - d->pad[0]) * d->in[1] + h * d->stride[1] - d->pad[1];
    int64_t first = row * d->in[2] - d->pad[2], from = plane * points + (o * d->out[1] + h) * d->out[2];
    int64_t reach = j->offset[cf_volume(d->kernel) - 1] + (d->out[2] - 1) * d->stride[2] + 1;
    clear(j, plane, planes, done, first + (rows - 1) * step + reach);
    j->kn->add_places(planes, rows, d->out[2], j->offset, j->place + from, cf_at_const(j->dy, from, size), points,
                      cf_at(j->dx, plane * volume + first, size), volume, step, d->stride[2]);
}

static void add_planes(const job *j, int64_t plane, int64_t planes)
{
    const cf_pool_desc *d = j->d;
    int64_t most = cf_max(1, CF_CLEARED / (d->stride[1] * d->in[2])), done = 0;
    for (int64_t o = 0; o < d->out[0]; o++)
        for (int64_t h = 0; h < d->out[1]; h += most)
            add_rows(j, plane, planes, o, h, cf_min(most, d->out[1] - h), &done);
    clear(j, plane, planes, &done, cf_volume(d->in));
}

static void add_range(void *ctx, int64_t begin, int64_t end)
{
    for (int64_t plane = begin; plane < end; plane += CF_PLANE_TURNS)
        add_planes(ctx, plane, cf_min(CF_PLANE_TURNS, end - plane));
}

/* Whether windows cover the input and share nothing. */
static int is_tiled(const cf_pool_desc *d)
{
    for (int i = 0; i < 3; i++)
        if (d->kernel[i] != d->stride[i] || (d->dil[i] > 1 && d->kernel[i] > 1) || d->in[i] != d->out[i] * d->stride[i])
            return 0;
    return d->pad[0] == 0 && d->pad[1] == 0 && d->pad[2] == 0;
}

/* The windows of output rows [begin, end) of all planes, a few rows of a slice at once: what they read stays in L1, and rows of a
 * slice of the input are written one after another. */
static void spread_rows(void *ctx, int64_t begin, int64_t end)
{
    const job *j = ctx;
    const cf_pool_desc *d = j->d;
    const int64_t *k = d->kernel, n = d->out[2], most = cf_max(1, CF_SPREAD / n), size = j->kn->size;
    for (int64_t r = begin, rows; r < end; r += rows) {
        int64_t slice = r / d->out[1], h = r % d->out[1];
        rows = cf_min(most, cf_min(end - r, d->out[1] - h));
        for (int64_t z = 0; z < k[0]; z++) {
            int64_t to = ((slice * k[0] + z) * d->in[1] + h * k[1]) * d->in[2];
            for (int64_t from = r * n; from < (r + rows) * n; from += n)
                for (int64_t t = 0; t < k[1]; t++, to += d->in[2])
                    j->kn->spread_places(n, k[2], (z * k[1] + t) * k[2], j->place + from,
                                         cf_at_const(j->dy, from, size), cf_at(j->dx, to, size));
        }
    }
}

/* Whether a gradient is as far from its point in all planes, seen as one long row: windows a point apart, as many as points.  Those
 * narrower than a plane go to a point in their own order. */
static int is_flat(const cf_pool_desc *d)
{
    for (int i = 0; i < 3; i++)
        if (d->stride[i] != 1 || d->in[i] != d->out[i] || (d->kernel[i] - 1) * d->dil[i] >= d->in[i]) return 0;
    return 1;
}

static void gather_range(void *ctx, int64_t begin, int64_t end)
{
    const job *j = ctx;
    const cf_pool_desc *d = j->d;
    j->kn->gather_places(begin, end, d->planes * cf_volume(d->in), cf_volume(d->kernel), j->offset, j->place, j->dy,
                         j->dx);
}

void cf_place_max_backward(const cf_pool_desc *d, const cf_options *options, const void *dy, const uint8_t *place,
                           void *dx)
{
    job j = {.d = d, .kn = cf_kernels_for(options->isa, d->dtype), .dy = dy, .place = place, .dx = dx};
    int64_t taps = cf_volume(d->kernel), volume = cf_max(1, cf_max(cf_volume(d->in), cf_volume(d->out)));
    int flat = taps <= CF_PLACE_GATHERED && is_flat(d);
    int64_t first = flat ? (d->pad[0] * d->in[1] + d->pad[1]) * d->in[2] + d->pad[2] : 0;
    for (int64_t t = 0; t < taps; t++) {
        int64_t w = t % d->kernel[2], h = t / d->kernel[2] % d->kernel[1], z = t / d->kernel[2] / d->kernel[1];
        j.offset[t] = (z * d->dil[0] * d->in[1] + h * d->dil[1]) * d->in[2] + w * d->dil[2] - first;
    }
    int64_t work = CF_SERIAL_WORK / 2, row = cf_max(1, d->in[2] * d->kernel[0] * d->kernel[1]);
    if (flat) cf_parallel_range(d->planes * cf_volume(d->in), work, options->threads, gather_range, &j);
    else if (is_tiled(d) && d->out[2] >= j.kn->lanes)
        cf_parallel_range(d->planes * d->out[0] * d->out[1], cf_ceil_div(work, row), options->threads, spread_rows, &j);
    else cf_parallel_range(d->planes, work / volume, options->threads, add_range, &j);
}
