/* SPDX-License-Identifier: BSD-3-Clause */
/* Plan of Winograd's convolution: which pieces, by their cost, and how they are cut into boxes, batches and panels.
 * The order of additions follows from the pieces alone, and these from the shape. */
#include "winograd_internal.h"

/* The fewest tiles of a batch, for which U is not read too often. */
enum { BATCH_TILES = 24 };

/* Bytes that V and M of a batch take of an L2: what is left is for the U of a point. */
static int64_t batch_bytes(const cf_kernels *kn) { return kn->core.l2 / 4 * 3; }

/* Reals of a slab of a box: half of L1 in float. */
enum { SLAB = 4 * 1024 };

/* Bytes of U above which threads rather make their own part of it than write all of it for all; and of V for all. */
enum { U_BYTES = 1024 * 1024, V_BYTES = 4 * 1024 * 1024 };

/* Largest array of filters that are transformed together, with what is between the passes, in reals: half of L1 in float. */
enum { FILTERS = 4 * 1024 };

/* Bytes of scratch that a thread may have beside transformed weights. */
enum { THREAD_BYTES = 6 * 1024 * 1024 };

/* The choice decides the order of additions, so it is made for this number of threads whatever theirs is. */
enum { CHOICE_THREADS = 2 };

/* Direct convolution is more accurate, so it is kept where little would be gained: with 1.04 the gradient of the input of a 7x7 of
 * stride 2, 3 to 64 channels, took 1.2 times as long as directly.  The coarser model of backward-weights asks too much for
 * Winograd's: of 75 random layers 9 were over 5 % slower than the faster algorithm with 0.9, 16 with 1.1 (Zen 3). */
static const double MARGIN = 1.08, WEIGHTS_MARGIN = 0.9;

/* How much the transforms of so many points amplify the rounding errors of a product, in root mean square, of 3 and 4 taps
 * (winograd.md derives it from the points), and how much more of 2.  Those of axes multiply.  In float a unit of it was
 * measured to be an error of 2.1e-7 with sums of CF_WINOGRAD_TERMS, and of 1.6e-7 with half as long ones, which serve from HALVED
 * on: a fifth of the promise is in reserve. */
static const double amplified[CF_POINTS_MAX + 1] = {0, 1, 0, 0, 1.3, 2.1, 2.2, 3.8};
static const double AMPLIFIED_BY_TWO = 1.1, AMPLIFIED = 15, HALVED = 11;

static double amplification(const cf_pieces axis[3])
{
    double all = 1;
    for (int i = 0; i < 3; i++) all *= amplified[axis[i].n] * (axis[i].n > 1 && axis[i].r == 2 ? AMPLIFIED_BY_TWO : 1);
    return all;
}

static int64_t product_of(const cf_pieces axis[3], int which)
{
    int64_t product = 1;
    for (int i = 0; i < 3; i++) {
        const int64_t of[] = {axis[i].n, axis[i].sources, axis[i].most, axis[i].phases};
        product *= of[which];
    }
    return product;
}
enum { POINTS, SOURCES, PIECES, PHASES };

enum { OPTIONS_MAX = 9 };

/* Pieces that may serve an axis. */
static int options_of(const cf_axis *a, cf_pieces *options)
{
    int64_t taps = cf_pieces_taps(a), r = cf_ceil_div(taps, cf_ceil_div(taps, CF_TAPS_MAX));
    int found = cf_pieces_of(&options[0], a, 1, 1);
    if (taps <= 1 || cf_axis_points(a) == 1) return found;
    /* phases whose taps are a place apart can share a source that has a place more */
    for (int64_t places = r; places <= cf_min(CF_TAPS_MAX, r + (a->dstep > 1)); places++)
        for (int64_t n = cf_max(4, places + 1); n <= CF_POINTS_MAX; n++)
            found += cf_pieces_of(&options[found], a, n + 1 - places, places);
    return found;
}

static void describe(cf_winograd_plan *p, const cf_conv_desc *d, int adjoint, cf_axis axis[3])
{
    int64_t ic = d->ic / d->groups, oc = d->oc / d->groups, vol = cf_volume(d->kernel);
    *p = (cf_winograd_plan){.rows = adjoint ? ic : oc, .red = adjoint ? oc : ic, .vol = vol};
    p->w_group = ic * oc * vol;
    p->w_row = adjoint ? vol : ic * vol;
    p->w_red = adjoint ? ic * vol : vol;
    for (int i = 0; i < 3; i++) {
        axis[i] = cf_axis_of(adjoint, d->in[i], d->out[i], d->kernel[i], d->stride[i], d->dil[i], d->pad[i]);
        p->src[i] = axis[i].src;
    }
}

/* V of so many channels, U, and the tile for a product of so many rows. */
static void lay_out(cf_winograd_plan *p, const cf_kernels *kn, int64_t channels, int64_t rows)
{
    p->points = product_of(p->axis, POINTS);
    p->sources = product_of(p->axis, SOURCES);
    p->pieces = product_of(p->axis, PIECES);
    p->phases = product_of(p->axis, PHASES);
    p->terms = amplification(p->axis) < HALVED ? CF_WINOGRAD_TERMS : CF_WINOGRAD_TERMS / 2;
    int64_t whole = cf_round_up(channels, kn->lanes), vectors = cf_ceil_div(p->rows, kn->lanes);
    p->v_source = cf_mixes_sources(p, kn->lanes) ? channels : whole;
    p->v_blocks = cf_ceil_div(p->sources * p->v_source, kn->lanes);
    p->v_row = p->v_blocks * kn->lanes;
    p->v_next = cf_round_up(p->v_source, kn->lanes);
    p->nv = cf_choose_tile(kn, rows, vectors).nv;
    p->mr = cf_ceil_div(rows, cf_choose_tile(kn, rows, p->nv).panels);
    p->panels = cf_ceil_div(vectors, p->nv);
    p->ld = p->nv * kn->lanes;
    p->u_plane = cf_odd_lines(p->pieces * p->u_piece * p->ld, kn->size);
    p->u_size = p->phases * p->points * p->u_plane;
}

/* The most tiles of axis i, of those that are left of a number. */
static int64_t cut_axis(cf_winograd_plan *p, int i, int64_t most)
{
    const cf_pieces *a = &p->axis[i];
    int64_t len = cf_max(1, most / a->lattices);
    p->boxes[i] = cf_ceil_div(a->tiles, len);
    p->box[i] = cf_ceil_div(a->tiles, p->boxes[i]);
    p->boxes[i] = cf_ceil_div(a->tiles, p->box[i]);
    return p->boxes[i] > 1 ? 1 : cf_max(1, most / cf_tiles_along(a, a->tiles));
}

static int64_t slab_size(const cf_winograd_plan *p, int64_t lanes)
{
    int64_t size = lanes;
    for (int i = 0; i < 3; i++) size *= cf_winograd_span(p, i, lanes);
    return size;
}

/* Boxes of so many tiles as a batch may have, less if their slab has more reals than it may have; then as many boxes in a batch
 * as it may have, and batches that can be dealt to threads evenly. */
static void cut_tiles(cf_winograd_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int64_t most, int64_t slab,
                      int threads)
{
    for (int64_t tiles = most;; tiles = cf_max(1, tiles / 2)) {
        int64_t left = tiles;
        for (int i = 2; i >= 0; i--) left = cut_axis(p, i, left);
        if (tiles == 1 || slab_size(p, kn->lanes) <= slab) break;
    }
    p->box_tiles = cf_box_tiles(p, p->box);
    p->all_boxes = d->n * cf_volume(p->boxes);
    int64_t batches = cf_ceil_div(p->all_boxes, cf_max(1, most / p->box_tiles));
    p->batches = cf_min(p->all_boxes, cf_round_up(batches, threads));
    p->batch_boxes = cf_ceil_div(p->all_boxes, p->batches);
    p->batch_tiles = p->batch_boxes * p->box_tiles;
    p->m_plane = cf_odd_lines(p->batch_tiles * p->ld, kn->size);
}

static void share(cf_winograd_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int threads)
{
    int64_t u = d->groups * p->panels * p->u_size * kn->size;
    int64_t v = d->groups * p->batches * p->points * p->v_plane * kn->size;
    int64_t batches = d->groups * p->batches, panels = d->groups * p->panels;
    int uneven = batches < 16 * threads && batches % threads != 0;
    p->keep_source = v <= V_BYTES * threads && panels >= threads && (u > U_BYTES || uneven);
}

cf_winograd_room cf_winograd_room_of(const cf_winograd_plan *p, int64_t size, void *base, int64_t *bytes)
{
    int64_t used = 0;
    cf_winograd_room r;
    r.v = cf_at(base, cf_take(&used, p->room_v * size), 1);
    r.u = cf_at(base, cf_take(&used, p->room_u * size), 1);
    r.m = cf_at(base, cf_take(&used, p->room_m * size), 1);
    r.slab = cf_at(base, cf_take(&used, p->slab_size * size), 1);
    r.temp[0] = cf_at(base, cf_take(&used, cf_max(p->temp_size, p->filter_size) * size), 1);
    r.temp[1] = cf_at(base, cf_take(&used, p->temp_size * size), 1);
    r.out = cf_at(base, cf_take(&used, p->room_out * size), 1);
    *bytes = used;
    return r;
}

/* What a thread needs. */
static void measure(cf_winograd_plan *p, const cf_kernels *kn)
{
    p->slab_size = slab_size(p, kn->lanes) + kn->lanes;
    p->temp_size = cf_temp_size(p->axis, p->box, kn->lanes);
    p->channels = cf_min(p->red, cf_max(1, FILTERS / cf_filter_size(p, 1, kn->lanes)));
    p->filter_size = cf_filter_size(p, p->channels, kn->lanes);
    p->filter_bytes = cf_round_up(p->room_u * kn->size, CF_ALIGN);
    cf_winograd_room_of(p, kn->size, NULL, &p->thread_bytes);
}

/* v and u: reals that all threads share. */
static void take_workspace(cf_conv_plan *plan, const cf_kernels *kn, int64_t v, int64_t u)
{
    cf_winograd_plan *p = &plan->winograd;
    int64_t size = kn->size, used = 0;
    p->zeros_at = cf_take(&used, cf_max(CF_MR_MAX, p->ld) * size);
    p->koff_at = cf_take(&used, CF_WINOGRAD_TERMS * (int64_t)sizeof(int32_t));
    p->tiles_at = cf_take(&used, p->batches * (int64_t)sizeof(int64_t));
    p->v_at = cf_take(&used, v * size);
    p->u_at = cf_take(&used, u * size);
    p->thread_at = cf_take(&used, p->thread_bytes * plan->options.threads);
    plan->workspace_bytes = used;
}

/* Forward and backward-data: everything that follows from the pieces. */
static void cut_correlation(cf_winograd_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int threads)
{
    p->u_piece = p->red;
    lay_out(p, kn, p->red, BATCH_TILES);
    int64_t tile_bytes = p->points * (p->v_row + p->ld) * kn->size;
    int64_t most = cf_max(BATCH_TILES, batch_bytes(kn) / tile_bytes);
    cut_tiles(p, d, kn, cf_max(1, cf_min(most, THREAD_BYTES / 4 * 3 / tile_bytes)), SLAB, threads);
    p->v_plane = cf_odd_lines(p->batch_tiles * p->v_row, kn->size);
    share(p, d, kn, threads);
    p->out_size = p->phases * kn->lanes;
    for (int i = 0; i < 3; i++) p->out_size *= p->axis[i].lattices * p->axis[i].m * p->box[i];
    p->room_v = p->keep_source ? 0 : p->points * p->v_plane;
    p->room_u = p->keep_source && !p->prepared ? p->u_size : 0;
    p->room_m = p->points * p->m_plane;
    p->room_out = p->batch_boxes * p->nv * p->out_size;
    measure(p, kn);
}

static void plan_correlation(cf_conv_plan *plan, const cf_kernels *kn)
{
    cf_winograd_plan *p = &plan->winograd;
    int64_t groups = plan->desc.groups;
    cut_correlation(p, &plan->desc, kn, plan->options.threads);
    int64_t u = groups * p->panels * p->u_size;
    plan->prepared_bytes = u * kn->size;
    take_workspace(plan, kn, p->keep_source ? groups * p->batches * p->points * p->v_plane : 0,
                   p->keep_source || p->prepared ? 0 : u);
}

static int is_allowed(const cf_winograd_plan *p, cf_dtype dtype)
{
    return product_of(p->axis, POINTS) > 1 && (dtype == CF_F64 || amplification(p->axis) <= AMPLIFIED);
}

/* The cost of pieces; 0 if they are not allowed. */
static double price(cf_winograd_plan *trial, const cf_conv_plan *plan, const cf_kernels *kn)
{
    const cf_conv_desc *d = &plan->desc;
    if (!is_allowed(trial, d->dtype)) return 0;
    if (plan->pass == CF_BACKWARD_WEIGHTS) return cf_winograd_weights_cost(trial, d, kn);
    cut_correlation(trial, d, kn, CHOICE_THREADS);
    if (trial->thread_bytes - trial->filter_bytes > THREAD_BYTES) return 0;
    return cf_winograd_cost(trial, d, kn, CHOICE_THREADS);
}

/* The cheapest pieces that are allowed, and their cost; 0 if there are none. */
static double choose_pieces(cf_conv_plan *plan, const cf_axis axis[3], const cf_kernels *kn)
{
    cf_winograd_plan *p = &plan->winograd;
    cf_pieces options[3][OPTIONS_MAX];
    int found[3], at[3];
    double least = 0;
    for (int i = 0; i < 3; i++) found[i] = options_of(&axis[i], options[i]);
    for (at[0] = 0; at[0] < found[0]; at[0]++)
        for (at[1] = 0; at[1] < found[1]; at[1]++)
            for (at[2] = 0; at[2] < found[2]; at[2]++) {
                cf_winograd_plan trial = *p;
                for (int i = 0; i < 3; i++) trial.axis[i] = options[i][at[i]];
                double cost = price(&trial, plan, kn);
                if (cost == 0 || (least > 0 && cost >= least)) continue;
                least = cost;
                memcpy(p->axis, trial.axis, sizeof p->axis);
            }
    return least;
}

/* Channels of a block of dU: with 16 rows, for CF_WINOGRAD_TERMS tiles, its V and D are in L1 together (AVX2); and its panels of rows
 * at most, which share V. */
enum { BLOCK_CHANNELS = 32, BLOCK_PANELS = 4 };

/* Bytes of V and D in a chunk, a thread's part, which stay in L3 whoever else uses it; and in a batch at most, so that sums are long
 * and dU is read seldom.  With 6 MB in a chunk of a thread most problems took 1.05 to 1.35 times as long (Zen 3). */
enum { CHUNK_BYTES = 3 * 1024 * 1024, WEIGHTS_BATCH_BYTES = 6 * 1024 * 1024 };

/* Reals of a slab of a box: so large that rows are long runs. */
static int64_t weights_slab(const cf_kernels *kn) { return kn->core.l2 / 4 / kn->size; }

/* Batches follow from the shape alone, since they say in which order sums are added. */
static void cut_batches(cf_winograd_plan *p, const cf_conv_desc *d, const cf_kernels *kn)
{
    int64_t tile = p->points * (p->sources * p->red + p->rows) * kn->size;
    int64_t most = cf_min(CF_WINOGRAD_TERMS, cf_max(BATCH_TILES, WEIGHTS_BATCH_BYTES / tile));
    cut_tiles(p, d, kn, most, weights_slab(kn), 1);
    /* a source at a time is read in order; few channels lie beside those of the other sources */
    if (!cf_mixes_sources(p, kn->lanes)) {
        p->v_row = p->v_source;
        p->v_source = p->v_next = p->v_source * p->batch_tiles;
    }
    p->v_plane = cf_odd_lines(p->v_blocks * kn->lanes * p->batch_tiles, kn->size);
    p->unit_size = p->points * (p->channel_panels * p->v_plane + p->panels * p->m_plane);
}

static void plan_weights(cf_conv_plan *plan, const cf_kernels *kn)
{
    cf_winograd_plan *p = &plan->winograd;
    int64_t groups = plan->desc.groups, threads = plan->options.threads, blocks = cf_ceil_div(p->red, kn->lanes);
    p->channel_panels = cf_ceil_div(blocks, cf_max(1, BLOCK_CHANNELS / kn->lanes));
    p->u_piece = cf_min(p->red, cf_ceil_div(blocks, p->channel_panels) * kn->lanes);
    lay_out(p, kn, p->u_piece, BLOCK_CHANNELS);
    cut_batches(p, &plan->desc, kn);
    int64_t tasks = groups * p->channel_panels * p->panels;
    p->row_blocks = cf_ceil_div(p->panels, cf_max(1, cf_min(BLOCK_PANELS, tasks / (4 * threads))));
    int64_t units = groups * p->batches, u = tasks * p->u_size, most = CHUNK_BYTES * threads / kn->size;
    /* dU, which all chunks read and write, may be so large that V and D had better leave the cache (512 channels) */
    most = cf_max(units * p->unit_size <= u * 5 / 8 ? units * p->unit_size : 0, most);
    p->chunks = cf_ceil_div(units, cf_max(1, most / p->unit_size));
    p->room_u = p->chunks == 1 ? cf_ceil_div(p->panels, p->row_blocks) * p->u_size : 0;
    measure(p, kn);
    take_workspace(plan, kn, cf_ceil_div(units, p->chunks) * p->unit_size, p->chunks == 1 ? 0 : u);
}

static int is_faster(const cf_conv_plan *plan, const cf_axis axis[3], const cf_kernels *kn, double cost)
{
    if (plan->pass == CF_BACKWARD_WEIGHTS) return cost * WEIGHTS_MARGIN < cf_direct_weights_cost(&plan->desc, axis, kn);
    return cost * MARGIN < cf_correlate_cost(plan, kn, CHOICE_THREADS);
}

int cf_winograd_plan_init(cf_conv_plan *plan, const cf_kernels *kn, cf_algorithm algorithm)
{
    cf_winograd_plan *p = &plan->winograd;
    cf_axis axis[3];
    describe(p, &plan->desc, plan->pass == CF_BACKWARD_DATA, axis);
    p->prepared = plan->prepared;
    double cost = choose_pieces(plan, axis, kn);
    if (cost == 0 || (algorithm == CF_AUTO && !is_faster(plan, axis, kn, cost))) return 0;
    if (plan->pass == CF_BACKWARD_WEIGHTS) plan_weights(plan, kn);
    else plan_correlation(plan, kn);
    return 1;
}
