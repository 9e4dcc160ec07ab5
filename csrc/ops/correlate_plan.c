/* SPDX-License-Identifier: BSD-3-Clause */
/* Plan of forward and backward-data: how the problem is cut into tasks, and where the lanes come from.
 *
 * Along w, a slab that is expanded costs packing but leaves no lanes between rows (slab.h); the cheaper one by the cost
 * below is taken.
 *
 * Only red_block decides the order in which terms are added, and it is chosen from the shape alone. */
#include "conv_internal.h"

enum { IMAGES_MAX = 16, DEPTH_MAX = 8, FITTING_TRIED = 4 };

/* Share of row taps inside the source below which leaving the others out pays for an order of terms that walks through all
 * channels once for each of them (estimate).  It must also outweigh the lanes that rows of their own leave unused.  Shapes
 * alone decide, so that the order of additions does not depend on the number of threads. */
static const double ROWS_APART = 0.95;

static void describe(cf_correlate_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int adjoint)
{
    int64_t ic = d->ic / d->groups, oc = d->oc / d->groups, vol = cf_volume(d->kernel);
    *p = (cf_correlate_plan){.rows = adjoint ? ic : oc, .red = adjoint ? oc : ic, .vol = vol, .phases = 1};
    p->w_group = ic * oc * vol;
    p->w_row = adjoint ? vol : ic * vol;
    p->w_red = adjoint ? ic * vol : vol;
    cf_slab_axes(&p->slab, adjoint, d->in, d->out, d->kernel, d->stride, d->dil, d->pad);
    for (int i = 0; i < 3; i++) p->phases *= p->slab.axis[i].dstep;
    for (int i = 0; i < 2; i++) p->inside[i] = cf_axis_inside(&p->slab.axis[i]);
    int64_t width = cf_axis_points(&p->slab.axis[2]), filled = cf_round_up(width, kn->lanes);
    p->rows_apart = p->inside[1] < ROWS_APART && p->inside[1] * (double)filled < (double)width;
}

/* Lanes of one run in a block of `rows` rows, `width` points each. */
static int64_t run_lanes(const cf_correlate_plan *p, int64_t rows, int64_t width)
{
    return cf_slab_lanes(&p->slab, p->by_rows ? 1 : rows, width);
}

/* Everything that follows from block, images and the copies along w. */
static void set_layout(cf_correlate_plan *p, const cf_conv_desc *d, const cf_kernels *kn)
{
    for (int i = 0; i < 2; i++) p->slab.copies[i] = cf_slab_copies(&p->slab.axis[i], p->slab.block[i]);
    cf_slab_layout(&p->slab, kn);
    p->image_groups = cf_ceil_div(d->n, p->slab.images);
    p->direct =
        !d->channels_last && p->phases == 1 && p->slab.images == 1 && (p->by_rows || cf_slab_rows_adjoin(&p->slab));
    p->buffer_ld =
        cf_round_up(cf_slab_lanes(&p->slab, p->slab.block[1], p->slab.block[2]), kn->lanes) * p->slab.block[0];
    p->units = d->groups * p->image_groups * cf_slab_all_blocks(&p->slab) * p->splits;
}

static int fits(const cf_correlate_plan *p, const cf_kernels *kn)
{
    return p->red_block * p->slab.channel_size <= kn->core.slab / kn->size && cf_buffer_size(p) <= 2 * cf_slab_max(kn);
}

/* Vectors of the lanes of `rows` rows, `width` points each. */
static int64_t vectors_of(const cf_correlate_plan *p, int64_t rows, int64_t width, const cf_kernels *kn)
{
    return p->slab.block[0] * (p->by_rows ? rows : 1) * cf_ceil_div(run_lanes(p, rows, width), kn->lanes);
}

static cf_tile_shape tile_of(const cf_correlate_plan *p, const cf_kernels *kn, int64_t *vectors)
{
    *vectors = cf_ceil_div(run_lanes(p, p->slab.block[1], p->slab.block[2]), kn->lanes);
    return cf_choose_tile(kn, p->rows, *vectors);
}

/* Time of a vector of products in tiles, in multiply-adds, with the taps that are left out; a call of the tile takes 100
 * beside its products (LeNet's C1, Zen 4). */
static double product_cost(const cf_correlate_plan *p, const cf_kernels *kn)
{
    int64_t vectors;
    cf_tile_shape tile = tile_of(p, kn, &vectors);
    double inside = p->inside[0] * (p->by_rows && p->rows_apart ? p->inside[1] : 1);
    double calls = (double)(tile.panels * cf_ceil_div(vectors, tile.nv)) / (double)(p->rows * vectors);
    double terms = (double)(p->red_block * p->vol) / (double)p->phases;
    int across = cf_slab_src_plane(&p->slab) * kn->size % CF_ALIGN != 0; /* lanes begin anywhere in a line */
    return tile.cost * inside * (p->straight ? kn->core.in_place[across] : 1) + 100 * calls / terms;
}

/* Estimated cycles of the call, fitted on Zen 4: products as above; 100 a channel's slice that is packed, where reading starts
 * anew, 2 a row, and 6 a vector of it, 9 if strided; 40 a vector of output that goes through the buffer, since its lines are
 * fresh, 16 where phases are put together (Zen 3); one a vector of weights that streams from L2. */
static double cost_of(const cf_correlate_plan *p, const cf_kernels *kn, int threads)
{
    double lanes = (double)kn->lanes, red = (double)p->red, rows = (double)p->rows / (double)p->splits;
    double slices = (double)(p->slab.block[0] + p->slab.copies[0].halo) * (double)p->slab.copies[0].copies;
    double copies = (double)(p->slab.copies[1].copies * p->slab.copies[2].copies);
    double slice_rows = (double)((p->slab.block[1] + p->slab.copies[1].halo) * p->slab.images);
    double row = 2 + (p->slab.axis[2].step > 1 ? 9 : 6) * (double)cf_ceil_div(p->slab.pitch, kn->lanes);
    double packing = p->straight ? 0 : red * slices * (100 + copies * slice_rows * row);
    double out_vectors = (double)(p->slab.block[0] * p->slab.block[1] * p->slab.images * p->slab.block[2]) / lanes;
    double output = p->direct ? 0 : rows * (double)p->phases * out_vectors * (p->phases > 1 ? 16 : 40);
    double weights = rows * red * (double)p->vol / lanes;
    double fma = red * (double)p->vol * rows * product_cost(p, kn) * kn->core.fma;
    int64_t blocks_h = cf_slab_blocks(&p->slab, 1), blocks_w = cf_slab_blocks(&p->slab, 2);
    int64_t last_h = p->slab.points[1] - (blocks_h - 1) * p->slab.block[1];
    int64_t last_w = p->slab.points[2] - (blocks_w - 1) * p->slab.block[2];
    double full = fma * (double)vectors_of(p, p->slab.block[1], p->slab.block[2], kn) + packing + output + weights;
    double last = fma * (double)vectors_of(p, last_h, last_w, kn) + packing + output + weights;
    int64_t blocks = blocks_h * blocks_w, uneven = p->units % threads;
    double total = (double)p->units * (full - (full - last) / (double)blocks);
    return total / threads + (uneven ? full * (double)(threads - uneven) / threads : 0);
}

typedef struct {
    const cf_conv_desc *desc;
    const cf_kernels *kn;
    int threads, found;
    double least;
    cf_correlate_plan *best;
} search;

static void consider_splits(search *s, cf_correlate_plan p)
{
    for (p.splits = 1; p.splits <= s->threads; p.splits += cf_max(1, s->threads - 1)) {
        set_layout(&p, s->desc, s->kn);
        double cost = cost_of(&p, s->kn, s->threads);
        if (cost < s->least) {
            s->least = cost;
            *s->best = p;
            s->best->cost = cost;
        }
    }
}

static void consider(search *s, cf_correlate_plan p)
{
    /* rows apart leave out taps, and thus order additions otherwise, where they are runs: so they always are */
    for (p.by_rows = p.rows_apart || p.slab.block[1] == 1; p.by_rows <= 1; p.by_rows++) consider_splits(s, p);
    s->found++;
}

/* Rows too long for a slab, or the only row there is: blocks of whole vectors along w. */
static void cut_rows(search *s, cf_correlate_plan p)
{
    int64_t width = p.slab.points[2], smallest = cf_min(width, 4 * s->kn->lanes);
    p.slab.block[1] = 1;
    for (int64_t n = 1, tried = 0; tried < FITTING_TRIED + s->threads; n++) {
        p.slab.block[2] = n == 1 ? width : cf_round_up(cf_ceil_div(width, n), s->kn->lanes);
        set_layout(&p, s->desc, s->kn);
        if (p.slab.block[2] <= smallest || fits(&p, s->kn)) {
            consider(s, p);
            tried++;
        }
        if (p.slab.block[2] <= smallest) return;
    }
}

/* Whole rows: a few numbers of blocks from the fewest that fit; whole planes also of several images. */
static void cut_planes(search *s, cf_correlate_plan p)
{
    p.slab.block[2] = p.slab.points[2];
    for (int64_t n = 1, tried = 0; n <= p.slab.points[1] && tried < FITTING_TRIED; n++) {
        p.slab.block[1] = cf_ceil_div(p.slab.points[1], n);
        int64_t images_max = n == 1 && p.slab.block[0] == 1 ? cf_min(s->desc->n, IMAGES_MAX) : 1;
        for (int64_t most = 1; most <= images_max; most++) {
            p.slab.images = cf_ceil_div(s->desc->n, cf_ceil_div(s->desc->n, most));
            set_layout(&p, s->desc, s->kn);
            if (!fits(&p, s->kn)) break;
            consider(s, p);
            tried += most == 1;
        }
        p.slab.images = 1;
    }
}

/* A source can be read in place where no axis has a window but depth, whose taps are left out where they read padding; not
 * where planes are a multiple of 4 KiB apart, which would meet in the same few sets of L1. */
static int can_be_straight(const cf_correlate_plan *p, const cf_kernels *kn)
{
    const cf_axis *a = p->slab.axis;
    int64_t plane = cf_slab_src_plane(&p->slab);
    return a[0].step == 1 && a[0].dstep == 1 && cf_axis_is_plain(&a[1]) && cf_axis_is_plain(&a[2]) &&
           plane * kn->size % 4096 != 0 && a[2].src >= 8 * kn->lanes && plane * (p->red_block + 1) < INT32_MAX;
}

/* The way to hold w, and where lanes come from, are given; blocks of every depth. */
static void cut_blocks(search *s, cf_correlate_plan p)
{
    p.slab.images = 1;
    for (int64_t depth = 1; depth <= cf_min(p.slab.points[0], DEPTH_MAX); depth *= 2) {
        int found = s->found;
        p.slab.block[0] = depth;
        if (!p.straight) cut_planes(s, p);
        if (p.slab.points[1] == 1 || (s->found == found && depth == 1)) cut_rows(s, p);
    }
}

static void choose_blocks(cf_conv_plan *plan, const cf_kernels *kn)
{
    cf_correlate_plan p = plan->correlate;
    search s = {&plan->desc, kn, plan->options.threads, 0, 1e300, &plan->correlate};
    int straight = !plan->desc.channels_last && can_be_straight(&p, kn);
    int both = cf_axis_copies(&p.slab.axis[2], 1).copies > cf_axis_copies(&p.slab.axis[2], 0).copies;
    for (int expanded = 0; expanded <= both; expanded++)
        for (p.straight = 0; p.straight <= straight; p.straight++) {
            p.slab.copies[2] = cf_axis_copies(&p.slab.axis[2], expanded);
            cut_blocks(&s, p);
        }
}

static void take_workspace(cf_conv_plan *plan, const cf_kernels *kn)
{
    const cf_correlate_plan *p = &plan->correlate;
    int64_t size = kn->size, koff_bytes = cf_koff_size(p) * (int64_t)sizeof(int32_t), used = 0;
    /* whole tiles are loaded past the lanes of the last channel */
    int64_t slab = p->red_block * p->slab.channel_size + CF_NV_MAX * kn->lanes;
    int64_t scratch = cf_deal_channels(p) * p->vol * CF_MR_MAX + kn->lanes;
    plan->prepared_bytes = plan->desc.groups * cf_packed_group_size(p, kn->lanes) * size;
    plan->packed_at = cf_take(&used, plan->prepared ? 0 : plan->prepared_bytes);
    plan->zeros_at = cf_take(&used, p->rows * size);
    plan->koff_at = cf_take(&used, koff_bytes);
    plan->straight_koff_at = cf_take(&used, p->straight ? koff_bytes : 0);
    plan->thread_bytes =
        cf_round_up(cf_max(slab, scratch) * size, CF_ALIGN) + cf_round_up(cf_buffer_size(p) * size, CF_ALIGN);
    plan->thread_at = cf_take(&used, plan->thread_bytes * plan->options.threads);
    plan->workspace_bytes = used;
}

/* Taps of the phase that has most. */
static int64_t most_taps(const cf_correlate_plan *p)
{
    int64_t most = 0;
    for (int64_t i = 0; i < p->phases; i++) {
        cf_phase ph[3];
        most = cf_max(most, cf_slab_phases(&p->slab, i, ph));
    }
    return most;
}

/* Cycles a vector of weights that is packed, fitted on 310 passes of random layers (Zen 3). */
static const double PACK_WEIGHTS = 48;

/* Of channels first: the choice of an algorithm, and so what results are rounded to, does not depend on the layout. */
double cf_correlate_cost(const cf_conv_plan *plan, const cf_kernels *kn, int threads)
{
    cf_conv_plan direct = *plan;
    const cf_correlate_plan *p = &direct.correlate;
    direct.options.threads = threads;
    direct.desc.channels_last = 0;
    cf_correlate_plan_init(&direct, kn);
    double weights = (double)(direct.desc.groups * p->rows * p->red * p->vol) / (double)kn->lanes;
    return p->cost + (plan->prepared ? 0 : PACK_WEIGHTS * weights / threads);
}

cf_status cf_correlate_plan_init(cf_conv_plan *plan, const cf_kernels *kn)
{
    cf_correlate_plan *p = &plan->correlate;
    describe(p, &plan->desc, kn, plan->pass == CF_BACKWARD_DATA);
    p->passes = cf_max(1, cf_ceil_div(p->red * most_taps(p), kn->core.kc));
    p->passes = cf_min(p->passes, p->red);
    p->red_block = cf_ceil_div(p->red, p->passes);
    choose_blocks(plan, kn);
    if ((double)p->red_block * (double)p->slab.channel_size >= INT32_MAX) return CF_TOO_LARGE;
    int64_t vectors;
    cf_tile_shape shape = tile_of(p, kn, &vectors);
    p->nv = shape.nv;
    p->panels = shape.panels;
    p->splits = cf_min(p->splits, p->panels);
    p->units = plan->desc.groups * p->image_groups * cf_slab_all_blocks(&p->slab) * p->splits;
    take_workspace(plan, kn);
    return CF_OK;
}
