/* SPDX-License-Identifier: BSD-3-Clause */
/* Backward-weights with few channels:  dw[k,c,t] = sum over points of  dy[k, point] * slab[c, t, point]
 *
 * Lanes are output points on both sides, so nothing is transposed: dy is read in place, x from the slab of forward, whose
 * rows of points lie side by side as those of dy do.  Sums stay vectors, (row, term) of a part, until the end; a term is a
 * (channel, tap).  Units of points are summed in a number of parts that depends on the shape only. */
#include "../core/parallel.h"
#include "conv_internal.h"

/* Reals of the sums of all parts: with 8 parts of a first layer, 64 x 3 x 7 x 7, that is 5 MB. */
enum { SUMS = 1280 * 1024, PARTS_MAX = 8, SUMS_OF_PART_MAX = 512 * 1024 };

/* Estimated cycles per multiply-add vector: all operands are loaded, most of them across cache lines. */
static double dot_cost(double mr, double nv)
{
    double fma = mr * nv, loads = 1.9 * (mr + nv);
    return ((fma > loads ? fma : loads) + 1) / fma;
}

static cf_tile_shape choose_dot(const cf_kernels *kn, int64_t rows, int64_t terms)
{
    cf_tile_shape best = {1, rows, 0};
    double least = 1e300;
    for (int64_t nv = 1; nv <= CF_DOT_MAX; nv++)
        for (int64_t mr = 1; mr <= CF_DOT_MAX && kn->dot[nv][mr]; mr++) {
            int64_t panels = cf_ceil_div(rows, mr), tiles = cf_ceil_div(terms, nv);
            double cost = dot_cost((double)rows / (double)panels, (double)terms / (double)tiles);
            if (cost < least) {
                least = cost;
                best = (cf_tile_shape){nv, panels, cost};
            }
        }
    return best;
}

/* Whole rows, expanded along w so that they adjoin, or a part of the only row, held shared. */
static void cut(cf_slab *s, const cf_kernels *kn, int64_t rows, int64_t width)
{
    int whole = width == s->points[2] && rows > 1;
    s->block[1] = rows;
    s->block[2] = width;
    s->copies[2] = cf_axis_copies(&s->axis[2], whole);
    for (int i = 0; i < 2; i++) s->copies[i] = cf_slab_copies(&s->axis[i], s->block[i]);
    cf_slab_layout(s, kn);
}

/* The most rows of `depth` slices whose slab fits. */
static void cut_to_fit(cf_slab *s, const cf_kernels *kn, int64_t depth, int64_t channels)
{
    s->block[0] = depth;
    for (int64_t n = 1; n <= s->points[1]; n++) {
        cut(s, kn, cf_ceil_div(s->points[1], n), s->points[2]);
        if (channels * s->channel_size <= cf_slab_max(kn)) return;
    }
    for (int64_t n = 2; s->block[2] > kn->lanes && channels * s->channel_size > cf_slab_max(kn); n++)
        cut(s, kn, 1, cf_round_up(cf_ceil_div(s->points[2], n), kn->lanes));
}

static double slab_per_point(const cf_slab *s) { return (double)s->channel_size / (double)cf_volume(s->block); }

static void choose_block(cf_points_plan *p, const cf_kernels *kn, int64_t channels)
{
    cf_slab s = p->slab;
    for (int64_t depth = 1; depth <= s.points[0]; depth *= 2) {
        cut_to_fit(&s, kn, depth, channels);
        if (depth == 1 ||
            (channels * s.channel_size <= cf_slab_max(kn) && slab_per_point(&s) < slab_per_point(&p->slab)))
            p->slab = s;
    }
}

int cf_points_plan_init(cf_points_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int threads)
{
    int64_t red = d->ic / d->groups;
    *p = (cf_points_plan){.rows = d->oc / d->groups, .red = red, .terms = red * cf_volume(d->kernel), .images = 1};
    p->acc_size = p->rows * p->terms * kn->lanes;
    if (p->acc_size > SUMS_OF_PART_MAX) return 0;
    p->slab.images = 1;
    cf_slab_axes(&p->slab, 0, d->in, d->out, d->kernel, d->stride, d->dil, d->pad);
    choose_block(p, kn, red);
    p->blocks = cf_slab_all_blocks(&p->slab);
    p->slab_size = red * p->slab.channel_size;
    if (p->blocks == 1 && p->slab.block[0] == 1)
        p->images = cf_max(1, cf_min(cf_ceil_div(d->n, PARTS_MAX), cf_slab_max(kn) / p->slab_size));
    p->units = p->blocks * cf_ceil_div(d->n, p->images);
    p->parts = PARTS_MAX;
    while (p->parts > 2 && p->parts * p->acc_size * d->groups > SUMS) p->parts /= 2;
    p->parts = cf_min(p->parts, p->units);
    cf_tile_shape shape = choose_dot(kn, p->rows, p->terms);
    p->nv = shape.nv;
    p->panels = shape.panels;
    p->splits = cf_min(p->panels, cf_ceil_div(threads, d->groups * p->parts));
    return p->images * p->slab_size < INT32_MAX;
}

/* Estimated cycles a destination point: 10 a vector of the slab, 8 a sum that is read and written. */
double cf_points_cost(const cf_points_plan *p, const cf_kernels *kn)
{
    double points = (double)cf_volume(p->slab.block), sums = (double)(p->rows * p->terms);
    double vectors = (double)(p->slab.block[0] * cf_ceil_div(p->slab.block[1] * p->slab.block[2], kn->lanes));
    double tile = dot_cost((double)p->rows / (double)p->panels, (double)cf_min(p->nv, p->terms));
    double pack = 10 * (double)p->slab_size / (double)kn->lanes;
    return (sums * (tile * vectors + 8 / (double)p->images) + pack) / points;
}

typedef struct {
    const cf_conv_plan *plan;
    const cf_points_plan *p;
    const cf_kernels *kn;
    const void *x, *dy;
    void *dw, *acc, *thread_base;
    int32_t *koff;
} job;

static cf_region region_of(const job *j, int64_t group, int64_t unit)
{
    const cf_points_plan *p = j->p;
    cf_region r = {.channel = group * p->red, .channels = p->red};
    cf_slab_block(&p->slab, unit % p->blocks, &r);
    r.image = unit / p->blocks * p->images;
    r.images = cf_min(p->images, j->plan->desc.n - r.image);
    return r;
}

static void pack_images(const job *j, const cf_region *r, void *slab)
{
    cf_region one = *r;
    one.images = 1;
    for (int64_t n = 0; n < r->images; n++, one.image++)
        cf_slab_pack(&j->p->slab, j->kn, j->x, &j->plan->src, &one, cf_at(slab, n * j->p->slab_size, j->kn->size));
}

/* All terms of rows [panel0, panel1) over one region.  Its runs of points are slices or images. */
static void add_products(const job *j, const cf_region *r, int64_t panel0, int64_t panel1, const void *slab, void *acc)
{
    const cf_points_plan *p = j->p;
    const cf_axis *a = p->slab.axis;
    int64_t size = j->kn->size, plane = cf_slab_dst_plane(&p->slab), oc = j->plan->desc.oc, vl = j->kn->lanes;
    int64_t len = cf_slab_lanes(&p->slab, r->len[1], r->len[2]), tiles = cf_ceil_div(p->terms, p->nv);
    int64_t runs = p->images > 1 ? r->images : r->len[0];
    int64_t dy_run = p->images > 1 ? oc * plane : a[1].dst * a[2].dst;
    int64_t x_run = p->images > 1 ? p->slab_size : p->slab.slice_stride;
    int64_t channel = r->image * oc + r->channel / p->red * p->rows;
    int64_t point = (r->at[0] * a[1].dst + r->at[1]) * a[2].dst + r->at[2];
    for (int64_t panel = panel0; panel < panel1; panel++) {
        int64_t k0 = cf_part(p->rows, p->panels, panel), mr = cf_part(p->rows, p->panels, panel + 1) - k0;
        const void *dy = cf_at_const(j->dy, (channel + k0) * plane + point, size);
        for (int64_t t = 0; t < tiles; t++) {
            int64_t t0 = cf_part(p->terms, tiles, t), nv = cf_part(p->terms, tiles, t + 1) - t0;
            j->kn->dot[nv][mr](runs, len, dy, plane, dy_run, slab, j->koff + t0, x_run,
                               cf_at(acc, (k0 * p->terms + t0) * vl, size), p->terms);
        }
    }
}

static void run_part(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_points_plan *p = j->p;
    int64_t split = task % p->splits, part = task / p->splits % p->parts, group = task / p->splits / p->parts;
    int64_t panel0 = cf_part(p->panels, p->splits, split), panel1 = cf_part(p->panels, p->splits, split + 1);
    int64_t k0 = cf_part(p->rows, p->panels, panel0), k1 = cf_part(p->rows, p->panels, panel1),
            row = p->terms * j->kn->lanes;
    void *acc = cf_at(j->acc, (group * p->parts + part) * p->acc_size, j->kn->size);
    void *slab = cf_at(j->thread_base, thread, j->plan->thread_bytes);
    memset(cf_at(acc, k0 * row, j->kn->size), 0, (size_t)((k1 - k0) * row * j->kn->size));
    for (int64_t unit = cf_part(p->units, p->parts, part); unit < cf_part(p->units, p->parts, part + 1); unit++) {
        cf_region r = region_of(j, group, unit);
        pack_images(j, &r, slab);
        add_products(j, &r, panel0, panel1, slab, acc);
    }
}

static void put_row(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_points_plan *p = j->p;
    int64_t group = task / p->rows, row = task % p->rows, size = j->kn->size;
    (void)thread;
    j->kn->lane_sums(p->terms, p->parts, p->acc_size,
                     cf_at(j->acc, group * p->parts * p->acc_size + row * p->terms * j->kn->lanes, size),
                     cf_at(j->dw, task * p->terms, size));
}

void cf_points_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *x, const void *dy, void *dw,
                   void *workspace)
{
    const cf_points_plan *p = &plan->points;
    job j = {plan,
             p,
             kn,
             x,
             dy,
             dw,
             cf_at(workspace, plan->acc_at, 1),
             cf_at(workspace, plan->thread_at, 1),
             cf_at(workspace, plan->koff_at, 1)};
    cf_phase ph[3];
    for (int i = 0; i < 3; i++) ph[i] = cf_axis_phase(&p->slab.axis[i], 0);
    cf_slab_offsets(&p->slab, ph, p->red, p->terms / p->red, j.koff);
    cf_parallel_for(plan->desc.groups * p->parts * p->splits, plan->options.threads, run_part, &j);
    cf_parallel_for(plan->desc.groups * p->rows, plan->options.threads, put_row, &j);
}
