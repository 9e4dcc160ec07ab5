/* SPDX-License-Identifier: BSD-3-Clause */
/* Expected time of a plan of Winograd's convolution, in cycles, to be compared with that of direct convolution
 * (correlate_plan.c): vectors that are multiplied, transformed and transposed, each times what it takes. */
#include "winograd_internal.h"

/* Cycles of: a multiply-add in a tile, in units of the tile's own model; a call of the tile; a vector that a transform of inputs
 * or filters writes, or of outputs; a vector that is transposed into a slab or out of it; a vector of V that another thread
 * wrote, or for which L2 has no room.  Fitted on 1134 plans of 310 passes of random layers, two threads (Zen 3).  The last is of a
 * vector of U for which no cache has room: a layer with 57 MB of U takes five times what the rest says. */
static const double PRODUCT = 1.2, CALL = 40, TRANSFORM = 4, OUTPUT = 7, TRANSPOSE = 6, FAR = 10, MEMORY = 40;

/* Cycles of a vector of a prepared U (of 1.25, 2.5 and 5 the best for the layers of ResNet-18 on an image). */
static const double STREAM = 1.25;

/* Bytes that stay in a cache which all threads share: a quarter of a common L3. */
static const double CACHE = 8 * 1024 * 1024;

/* The share of so many bytes that a cache has no room for. */
static double beyond(double bytes, double cache) { return bytes > cache ? 1 - cache / bytes : 0; }

/* The part of equal tasks that the busiest thread has. */
static double share_of(int64_t tasks, int threads) { return (double)cf_ceil_div(tasks, threads) / (double)tasks; }

/* Pairs of a piece and a point that it uses, of all phases. */
static int64_t uses_of(const cf_pieces *a)
{
    int64_t uses = 0;
    for (int64_t f = 0; f < a->phases; f++)
        for (int64_t i = 0; i < a->pieces[f]; i++)
            for (int64_t point = 0; point < a->n; point++) uses += cf_subkernel_uses(a, &a->piece[f][i], point);
    return uses;
}

/* Vectors that a transform of a tile writes, the axes from the first or from the last. */
static double lines_of(const cf_pieces a[3], const int64_t before[3], const int64_t after[3], int backwards)
{
    double lines = 0;
    int64_t have[3] = {before[0], before[1], before[2]};
    for (int i = 0; i < 3; i++) {
        int axis = backwards ? 2 - i : i;
        have[axis] = after[axis];
        if (a[axis].n > 1 || axis == 2) lines += (double)cf_volume(have);
    }
    return lines;
}

typedef struct {
    const cf_winograd_plan *p;
    const cf_kernels *kn;
    double tiles, vectors; /* of a group; vectors of channels of the destination */
    int64_t n[3], m[3], r[3];
} job;

/* Pieces of an axis that a point uses, of its longest phase, and the runs in which they lie. */
typedef struct {
    int64_t used, runs, of;
} use;

static use use_of(const cf_pieces *a, int64_t point)
{
    int64_t phase = 0;
    for (int64_t f = 1; f < a->phases; f++)
        if (a->pieces[f] > a->pieces[phase]) phase = f;
    use u = {.of = a->pieces[phase]};
    for (int64_t i = 0, before = 0; i < u.of; i++) {
        int64_t now = cf_subkernel_uses(a, &a->piece[phase][i], point);
        u.used += now;
        u.runs += now && !before;
        before = now;
    }
    return u;
}

/* Sums of all points of a phase: a run of pieces goes on from one place of an axis to the next where the axes within use all of theirs. */
static int64_t sums_of(const cf_winograd_plan *p)
{
    int64_t sums = 0, point[3];
    const cf_pieces *a = p->axis;
    for (point[0] = 0; point[0] < a[0].n; point[0]++)
        for (point[1] = 0; point[1] < a[1].n; point[1]++)
            for (point[2] = 0; point[2] < a[2].n; point[2]++) {
                int64_t used = 1, runs = 1, adjoin = p->v_source == p->red;
                for (int i = 2; i >= 0; i--) {
                    use u = use_of(&a[i], point[i]);
                    used *= u.used;
                    runs = adjoin ? u.runs : runs * u.used;
                    adjoin = adjoin && u.used == u.of;
                }
                sums += runs ? runs * cf_ceil_div(used * p->red, runs * p->terms) : 1;
            }
    return sums;
}

static double product_cost(const job *j)
{
    const cf_winograd_plan *p = j->p;
    double uses = 1;
    for (int i = 0; i < 3; i++) uses *= (double)uses_of(&p->axis[i]);
    cf_tile_shape shape = cf_choose_tile(j->kn, p->batch_tiles, p->nv);
    double calls = (double)(p->phases * sums_of(p) * shape.panels * p->panels * p->batches);
    double products = j->tiles * j->vectors * uses * (double)p->red;
    return products * shape.cost * PRODUCT * j->kn->core.fma + calls * CALL;
}

static double input_cost(const job *j)
{
    const cf_winograd_plan *p = j->p;
    double span = 1, bytes = (double)(p->points * p->v_plane * j->kn->size);
    for (int i = 0; i < 3; i++) span *= (double)cf_winograd_span(p, i, j->kn->lanes);
    double lines = lines_of(p->axis, j->m, j->n, 0);
    double far = (double)p->points * (p->keep_source ? 1 : beyond(bytes, (double)j->kn->core.l2));
    double loaded =
        (double)(cf_mixes_sources(p, j->kn->lanes) ? p->v_blocks : cf_ceil_div(p->red, j->kn->lanes)) * span;
    return j->tiles *
           ((double)p->v_blocks * (lines * TRANSFORM + far * FAR) + loaded / (double)p->box_tiles * TRANSPOSE);
}

static double output_cost(const job *j)
{
    double tile = lines_of(j->p->axis, j->n, j->m, 1) * OUTPUT + (double)cf_volume(j->m) * TRANSPOSE;
    return j->tiles * j->vectors * (double)j->p->phases * tile;
}

static double filter_cost(const job *j)
{
    const cf_winograd_plan *p = j->p;
    double filters = (double)(p->red * p->phases * p->pieces), lines = lines_of(p->axis, j->r, j->n, 0);
    if (p->prepared) return j->vectors * filters * (double)p->points * STREAM;
    double in_memory = p->keep_source ? 0 : beyond((double)(p->panels * p->u_size * j->kn->size), CACHE);
    return j->vectors * filters * (lines * TRANSFORM + (double)p->points * in_memory * MEMORY);
}

double cf_winograd_cost(const cf_winograd_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int threads)
{
    int64_t blocks = cf_ceil_div(p->red, kn->lanes), whole[3];
    job j = {.p = p, .kn = kn, .vectors = (double)cf_ceil_div(p->rows, kn->lanes)};
    for (int i = 0; i < 3; i++) {
        const cf_pieces *a = &p->axis[i];
        whole[i] = cf_tiles_along(a, a->tiles);
        j.n[i] = a->n, j.m[i] = a->m, j.r[i] = a->r;
    }
    j.tiles = (double)(d->n * cf_volume(whole));
    double groups = (double)d->groups, batches = share_of(d->groups * p->batches, threads);
    double panels = share_of(d->groups * p->panels, threads);
    double cost = filter_cost(&j) * (p->keep_source ? panels : 1.0 / threads);
    cost += input_cost(&j) * (p->keep_source ? share_of(d->groups * p->batches * blocks, threads) : batches);
    return groups * (cost + (product_cost(&j) + output_cost(&j)) * (p->keep_source ? panels : batches));
}

/* ---- backward-weights, in multiply-adds of vectors */

/* One of them; a vector that a transform of points writes, or of filters; one that is transposed into a slab; a vector of sums that is
 * loaded and written.  V and D go through L3.  Chosen by 137 measured problems (Zen 3, 2 threads). */
static const double WEIGHTS_PRODUCT = 1.3, POINT = 10, FILTER = 2, SLAB = 12, SUM = 18;

/* In direct convolution: a multiply-add, and a vector of dw, whose sums are written, read and written again: 16 in L2, 63 in L3. */
static const double DIRECT_PRODUCT = 1.15, DIRECT_SUM = 50;

double cf_winograd_weights_cost(const cf_winograd_plan *p, const cf_conv_desc *d, const cf_kernels *kn)
{
    const cf_pieces *a = p->axis;
    int64_t n[3], m[3], r[3], whole[3];
    double uses = 1, loaded = 1, sources = 1, pieces = 1;
    for (int i = 0; i < 3; i++) {
        n[i] = a[i].n, m[i] = a[i].m, r[i] = a[i].r, whole[i] = cf_tiles_along(&a[i], a[i].tiles);
        uses *= (double)uses_of(&a[i]);
        loaded *= (double)cf_pieces_span(&a[i], a[i].tiles) / (double)a[i].tiles;
        sources *= (double)a[i].sources;
        pieces *= (double)a[i].most;
    }
    int64_t tiles = d->n * cf_volume(whole);
    double rows = (double)cf_ceil_div(p->rows, kn->lanes), blocks = (double)cf_ceil_div(p->red, kn->lanes);
    double red = (double)p->red, lines = lines_of(a, m, n, 0);
    double product = rows * uses * red * (WEIGHTS_PRODUCT + SUM / (double)cf_min(tiles, CF_WINOGRAD_TERMS));
    double input = blocks * (sources * lines * POINT + loaded * SLAB);
    double gradient = rows * (lines * POINT + (double)cf_volume(m) * SLAB);
    double filter = rows * red * pieces * lines_of(a, r, n, 0) * FILTER;
    return (double)d->groups * ((double)tiles * (product + input + gradient) + filter);
}

double cf_direct_weights_cost(const cf_conv_desc *d, const cf_axis axis[3], const cf_kernels *kn)
{
    double weights = (double)(d->oc / d->groups) * (double)d->ic * (double)cf_volume(d->kernel);
    double terms = (double)d->n * (double)cf_volume(d->out) * DIRECT_PRODUCT;
    for (int i = 0; i < 3; i++) terms *= cf_axis_inside(&axis[i]);
    return weights / (double)kn->lanes * (terms + DIRECT_SUM);
}
