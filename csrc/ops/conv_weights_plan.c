/* SPDX-License-Identifier: BSD-3-Clause */
/* Plan of backward-weights: the tile, the chunks of the sum over points, and how threads share it.  Chunks and parts follow
 * from the shape, so the order of additions does not depend on the number of threads; shares follow from both. */
#include "conv_internal.h"

/* The fewest points of a chunk: the read-add-write of the accumulators is spread over them (prototype, Zen 4). */
enum { CHUNK_POINTS = 256 };

/* Reals of dy in a chunk: dy and x stay in L2 beside each other. */
static int64_t chunk_max(const cf_kernels *kn) { return 3 * kn->core.l2 / 8 / kn->size; }

/* Reals of the accumulators of all parts, and the most parts: few enough for adding them to be little work. */
enum { SUMS = 256 * 1024, PARTS_MAX = 16 };

/* Estimated cycles of packing a vector: 5 if it is transposed, twice that where each point has its own window. */
static double pack_cost(const cf_weights_plan *p) { return p->flat ? 11 : 5; }

/* Estimated cycles an output point of this tile, with its packing. */
static double lanes_cost(const cf_weights_plan *p, const cf_kernels *kn, double tile_cost)
{
    double x = (double)p->vectors * pack_cost(p), dy = 5 * (double)p->rows / (double)kn->lanes;
    for (int i = 0; i < 3; i++) x *= p->flat || p->axis[i].taps == 1 ? 1 : (double)p->axis[i].step;
    return (double)(p->rows * p->taps * p->vectors) * tile_cost + x + dy;
}

static double choose_tile(cf_weights_plan *p, const cf_kernels *kn, int flat)
{
    p->flat = flat;
    p->lanes = p->flat ? p->red * p->vol : p->red;
    p->taps = p->flat ? 1 : p->vol;
    p->vectors = cf_ceil_div(p->lanes, kn->lanes);
    cf_tile_shape shape = cf_choose_tile(kn, p->rows, p->vectors);
    p->nv = shape.nv;
    p->panels = shape.panels;
    p->tiles = cf_ceil_div(p->vectors, p->nv);
    p->ld = p->nv * kn->lanes;
    return lanes_cost(p, kn, shape.cost);
}

/* Grown from the innermost axis, so that the points of a chunk are one run of an image. */
static void choose_chunks(cf_weights_plan *p, const cf_kernels *kn, int64_t n)
{
    int64_t want =
                cf_max(chunk_max(kn) / cf_max(p->rows, p->flat ? p->vectors * p->ld / p->nv : p->rows), CHUNK_POINTS),
            have = 1;
    p->chunks = p->pixels = 1;
    for (int i = 3; i >= 0; i--) {
        int64_t points = i ? p->axis[i - 1].dst : n, most = cf_max(1, want / have);
        p->box[i] = cf_ceil_div(points, cf_ceil_div(points, most));
        p->boxes[i] = cf_ceil_div(points, p->box[i]);
        p->pixels *= p->box[i];
        p->chunks *= p->boxes[i];
        have = p->box[i] < points ? want : have * p->box[i];
    }
}

static void choose_sizes(cf_weights_plan *p, int64_t vl)
{
    int64_t span = 1;
    for (int i = 0; i < 3; i++) {
        const cf_axis *a = &p->axis[i];
        p->step[i] = a->taps == 1 ? 1 : a->step; /* with one tap, points that no output reads are left out */
        p->span[i] = (p->box[i + 1] - 1) * p->step[i] + (a->taps - 1) * a->dil + 1;
        span *= p->span[i];
    }
    p->dy_size = p->rows * p->pixels + p->panels * vl;
    p->x_size = p->ld * (p->flat ? p->pixels : span * p->box[0]);
    p->acc_size = p->tiles * p->rows * p->taps * p->ld;
    p->scratch_size = cf_max(p->flat ? p->ld * p->pixels : 0, p->taps * p->ld + vl) + vl;
}

/* Estimated cycles a point of the busiest thread: its packing, as in lanes_cost, and its multiply-adds. */
static double share_cost(const cf_weights_plan *p, int64_t groups, int64_t lane_splits, int64_t row_splits, int threads,
                         int64_t vl)
{
    double tiles = (double)cf_ceil_div(p->tiles, lane_splits), panels = (double)cf_ceil_div(p->panels, row_splits);
    double rows = panels * (double)p->rows / (double)p->panels, vectors = tiles * (double)p->nv;
    double tasks = (double)cf_ceil_div(groups * p->parts * lane_splits * row_splits, threads);
    return tasks * (vectors * (rows * (double)p->taps + pack_cost(p)) + 5 * rows / (double)vl);
}

static void choose_splits(cf_weights_plan *p, int64_t groups, int threads, int64_t vl)
{
    double least = 1e300;
    for (int64_t l = 1; l <= cf_min(p->tiles, 4 * threads); l++)
        for (int64_t r = 1; r <= cf_min(p->panels, 4 * threads); r++) {
            double cost = share_cost(p, groups, l, r, threads, vl);
            if (cost < least) {
                least = cost;
                p->lane_splits = l;
                p->row_splits = r;
            }
        }
}

static cf_status take_points_workspace(cf_conv_plan *plan, const cf_kernels *kn)
{
    const cf_points_plan *p = &plan->points;
    int64_t used = 0;
    plan->koff_at = cf_take(&used, p->terms * (int64_t)sizeof(int32_t));
    plan->acc_at = cf_take(&used, plan->desc.groups * p->parts * p->acc_size * kn->size);
    plan->thread_bytes = cf_round_up(p->images * p->slab_size * kn->size, CF_ALIGN);
    plan->thread_at = cf_take(&used, plan->thread_bytes * plan->options.threads);
    plan->workspace_bytes = used;
    return CF_OK;
}

cf_status cf_weights_plan_init(cf_conv_plan *plan, const cf_kernels *kn)
{
    const cf_conv_desc *d = &plan->desc;
    cf_weights_plan *p = &plan->weights;
    *p = (cf_weights_plan){.rows = d->oc / d->groups, .red = d->ic / d->groups, .vol = cf_volume(d->kernel)};
    for (int i = 0; i < 3; i++)
        p->axis[i] = cf_axis_of(0, d->in[i], d->out[i], d->kernel[i], d->stride[i], d->dil[i], d->pad[i]);
    cf_merge_plain_axes(p->axis);
    double channels = choose_tile(p, kn, 0), flat = choose_tile(p, kn, 1), least = channels < flat ? channels : flat;
    plan->lanes_are_points = !d->channels_last && cf_points_plan_init(&plan->points, d, kn, plan->options.threads) &&
                             cf_points_cost(&plan->points, kn) < least;
    if (plan->lanes_are_points) return take_points_workspace(plan, kn);
    choose_tile(p, kn, flat < channels);
    choose_chunks(p, kn, d->n);
    choose_sizes(p, kn->lanes);
    p->parts = cf_max(1, cf_min(cf_min(p->chunks, PARTS_MAX), SUMS / (d->groups * p->acc_size)));
    choose_splits(p, d->groups, plan->options.threads, kn->lanes);
    if ((double)p->x_size >= INT32_MAX) return CF_TOO_LARGE;

    int64_t used = 0;
    plan->zeros_at = cf_take(&used, p->rows * kn->size);
    plan->acc_at = cf_take(&used, d->groups * p->parts * p->acc_size * kn->size);
    plan->thread_bytes = cf_weights_room(p, kn->size).end;
    plan->thread_at = cf_take(&used, plan->thread_bytes * plan->options.threads);
    plan->workspace_bytes = used;
    return CF_OK;
}
