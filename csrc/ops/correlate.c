/* SPDX-License-Identifier: BSD-3-Clause */
/* Forward and backward-data are one driver:
 *
 *   dst[n, m, first + dstep*q] = init[m] + sum over r, taps of  w[m, r, tap] * src[n, r, step*q + off(tap)]
 *
 * Rows of the tile are destination channels m, broadcast from packed weights; lanes are destination points q, loaded through
 * the offset table from a slab of the source (or from the source itself); k runs over (r, tap), in an order that lets taps be left
 * out which read nothing but padding for all lanes of a run. */
#include "../core/parallel.h"
#include "conv_internal.h"

static cf_unit unit_of(const cf_conv_plan *plan, int64_t task)
{
    const cf_correlate_plan *p = &plan->correlate;
    cf_unit u;
    int64_t split = task % p->splits;
    task /= p->splits;
    cf_slab_block(&p->slab, task % cf_slab_all_blocks(&p->slab), &u.region);
    task /= cf_slab_all_blocks(&p->slab);
    u.region.image = task % p->image_groups * p->slab.images;
    u.region.images = cf_min(p->slab.images, plan->desc.n - u.region.image);
    u.group = task / p->image_groups;
    u.panel0 = cf_part(p->panels, p->splits, split);
    u.panel1 = cf_part(p->panels, p->splits, split + 1);
    return u;
}

/* Whole vectors of the last lanes would reach past the end of the source's last row. */
static int reaches_past_end(const cf_correlate_job *j, const cf_unit *u)
{
    const cf_conv_desc *d = &j->plan->desc;
    return u->region.image == d->n - 1 && u->group == d->groups - 1 &&
           u->region.at[2] + cf_round_up(u->region.len[2], j->kn->lanes) > j->p->slab.axis[2].src;
}

/* Destination of a task: lane 0 of row 0. */
static void *direct_dst(const cf_correlate_job *j, const cf_unit *u)
{
    const cf_correlate_plan *p = j->p;
    int64_t channel = (u->region.image * j->plan->desc.groups + u->group) * p->rows;
    int64_t point = (u->region.at[0] * p->slab.axis[1].dst + u->region.at[1]) * p->slab.axis[2].dst + u->region.at[2];
    return cf_at(j->to.dst, channel * cf_slab_dst_plane(&p->slab) + point, j->kn->size);
}

/* How far slices and rows lie apart. */
typedef struct {
    int64_t slice, row;
} place;

/* Panels [panel0, panel1) of one phase against one run of lanes. */
typedef struct {
    const cf_correlate_job *j;
    int64_t panel0, panel1;
    int64_t terms, inner;     /* of the phase; of one of its outer taps */
    int64_t lanes, ldy, channel; /* channel of row 0 */
    const void *a, *b, *init; /* panel 0 of the phase; lane 0 */
    const int32_t *koff;
    void *y;
    int fetches; /* lanes: they lie in the source, and these panels are the first to meet them */
    int last; /* terms, whose results are not held back */
} run;

/* Row m, lane 0 of vector v of a run. */
static void *run_at(const run *r, int64_t m, int64_t v)
{
    return cf_at(r->y, m * r->ldy + v * r->j->kn->lanes, r->j->kn->size);
}

/* Terms [k0, k1) of rows [m0, m0 + mr), a panel, in vectors [v0, v0 + nv). */
static void run_tile(const run *r, int64_t k0, int64_t k1, int64_t panel, int64_t m0, int64_t mr, int64_t v0,
                     int64_t nv, const void *ahead)
{
    const cf_kernels *kn = r->j->kn;
    int64_t j0 = v0 * kn->lanes, lanes = cf_min(nv * kn->lanes, r->lanes - j0);
    const void *init = r->init ? cf_at_const(r->init, m0, kn->size) : NULL;
    void *y = run_at(r, m0, v0);
    kn->tile[nv][mr](k1 - k0, cf_at_const(r->a, m0 * r->terms + panel * kn->lanes + k0 * mr, kn->size), 1, mr,
                     cf_at_const(r->b, j0, kn->size), r->koff + k0, y, r->ldy, init, y, r->ldy, lanes, ahead);
    if (r->last && r->j->to.epilogue) cf_apply_epilogue(kn, &r->j->to, y, r->channel + m0, 1, r->ldy, mr, lanes);
}

/* Lanes in the source itself lie on too many pages for hardware to run ahead: into L2, those of terms [k0, k1) in vectors
 * [v0, v0 + nv).  Two tiles ahead 64 to 256 channels of 56x56 took 0.94 of the time, one tile ahead no less (Zen 3).
 * Inlined, since gcc drops calls of functions that do nothing but fetch. */
CF_INLINE void fetch_lanes(const run *r, int64_t k0, int64_t k1, int64_t v0, int64_t nv)
{
    const cf_kernels *kn = r->j->kn;
    for (int64_t k = k0; k < k1; k++) {
        const void *lane = cf_at_const(r->b, r->koff[k] + v0 * kn->lanes, kn->size);
        for (int64_t at = 0; at < nv * kn->lanes * kn->size; at += CF_ALIGN)
            __builtin_prefetch(cf_at_const(lane, at, 1), 0, 2);
    }
}

/* Tiles of so many terms that take as long as memory takes to answer, 600 cycles (Zen 3). */
static int64_t tiles_ahead(const cf_correlate_plan *p, const cf_kernels *kn, int64_t terms)
{
    double tile = kn->core.fma * (double)(p->rows / p->panels * p->nv * cf_max(terms, 1));
    return (int64_t)(600 / tile);
}

static void run_terms(const run *r, int64_t k0, int64_t k1)
{
    const cf_correlate_plan *p = r->j->p;
    int64_t vectors = cf_ceil_div(r->lanes, r->j->kn->lanes), tiles = cf_ceil_div(vectors, p->nv);
    int64_t rows = p->rows, panels = p->panels; /* here, so that no call of a tile can change them */
    int64_t count = r->panel1 - r->panel0, ahead = cf_min(tiles_ahead(p, r->j->kn, k1 - k0), count);
    for (int64_t t = 0; t < tiles; t++) {
        int64_t v0 = cf_part(vectors, tiles, t), nv = cf_part(vectors, tiles, t + 1) - v0;
        for (int64_t i = 0; i < count; i++) {
            int64_t panel = r->panel0 + i, m0 = cf_part(rows, panels, panel),
                    mr = cf_part(rows, panels, panel + 1) - m0;
            int64_t then = i + ahead, wraps = then >= count;
            int64_t m = cf_part(rows, panels, r->panel0 + then - (wraps ? count : 0));
            if (r->fetches && t + 2 < tiles)
                fetch_lanes(r, k0 + cf_part(k1 - k0, count, i), k0 + cf_part(k1 - k0, count, i + 1), v0 + 2 * nv, nv);
            run_tile(r, k0, k1, panel, m0, mr, v0, nv, run_at(r, m, wraps ? v0 + nv : v0));
        }
    }
}

/* The depth taps [d0, d1) and of each the row taps [h0, h1) of kh; their terms are one run if that is all row taps. */
static void run_taps(run r, int64_t kh, int64_t d0, int64_t d1, int64_t h0, int64_t h1)
{
    int64_t together = h1 - h0 == kh ? d1 - d0 : 1;
    int last = r.last;
    if (d0 == d1 || h0 == h1) {
        if (r.init || r.last) run_terms(&r, 0, 0);
        return;
    }
    for (int64_t d = d0; d < d1; d += together, r.init = NULL) {
        r.last = last && d + together == d1;
        run_terms(&r, (d * kh + h0) * r.inner, ((d + together - 1) * kh + h1) * r.inner);
    }
}

/* The slices of a block, and its rows where they are runs of their own. */
static void run_slices(const run *start, const cf_unit *u, const cf_phase ph[3], const place *b, const place *y)
{
    const cf_correlate_plan *p = start->j->p;
    int64_t size = start->j->kn->size, rows = p->by_rows ? u->region.len[1] : 1, kh = p->rows_apart ? ph[1].taps : 1;
    for (int64_t z = 0; z < u->region.len[0]; z++)
        for (int64_t h = 0; h < rows; h++) {
            int64_t d0, d1, h0 = 0, h1 = kh;
            cf_axis_taps(&p->slab.axis[0], &ph[0], u->region.at[0] + z, &d0, &d1);
            if (p->by_rows && p->rows_apart) cf_axis_taps(&p->slab.axis[1], &ph[1], u->region.at[1] + h, &h0, &h1);
            run r = *start;
            r.b = cf_at_const(start->b, z * b->slice + h * b->row, size);
            r.y = cf_at(start->y, z * y->slice + h * y->row, size);
            run_taps(r, kh, d0, d1, h0, h1);
        }
}

/* One pass of channels through every phase.  Pixels are outermost unless the packed weights of the phase exceed a quarter of
 * L2: then a panel stays in L1 and the slab streams from L2. */
static void run_pass(const cf_correlate_job *j, const cf_unit *u, int64_t pass, const void *lanes_at, const place *b,
                     const int32_t *koff, int in_place, void *buffer)
{
    const cf_correlate_plan *p = j->p;
    int64_t channels = u->region.channels, before = 0, size = j->kn->size;
    const place in_buffer = {p->buffer_ld / p->slab.block[0], p->slab.row_stride};
    const place in_dst = {p->slab.axis[1].dst * p->slab.axis[2].dst, p->slab.axis[2].dst};
    run r = {.j = j,
             .lanes = cf_slab_lanes(&p->slab, p->by_rows ? 1 : u->region.len[1], u->region.len[2]),
             .ldy = p->direct ? cf_slab_dst_plane(&p->slab) : p->buffer_ld,
             .channel = u->group * p->rows,
             .last = p->direct && pass == p->passes - 1,
             .b = lanes_at,
             .koff = koff + cf_koff_at(p, channels)};
    if (pass == 0) r.init = j->bias ? cf_at_const(j->bias, u->group * p->rows, size) : j->zeros;
    for (int64_t i = 0; i < p->phases; i++) {
        cf_phase ph[3];
        int64_t taps = cf_slab_phases(&p->slab, i, ph);
        if (taps == 0 && !r.init) continue;
        r.terms = channels * taps;
        r.inner = channels * cf_inner_taps(p, ph);
        r.a = cf_at(j->packed, cf_packed_at(p, j->kn->lanes, u->group, pass, i, before, taps, 0), size);
        r.y = p->direct ? direct_dst(j, u) : cf_at(buffer, i * p->rows * p->buffer_ld, size);
        int64_t together = r.terms * p->rows * size > j->kn->core.l2 / 4 ? 1 : u->panel1 - u->panel0;
        for (r.panel0 = u->panel0; r.panel0 < u->panel1; r.panel0 = r.panel1) {
            r.panel1 = cf_min(r.panel0 + together, u->panel1);
            r.fetches = in_place && r.panel0 == u->panel0;
            run_slices(&r, u, ph, b, p->direct ? &in_dst : &in_buffer);
        }
        before += taps;
        r.koff += r.terms;
    }
}

/* All phases along w of one destination channel from the buffer to their places; ph[2] is the first of them. */
static void put_channel(const cf_correlate_job *j, const cf_unit *u, const cf_phase ph[3], int64_t m, const void *from)
{
    const cf_correlate_plan *p = j->p;
    const cf_axis *a = p->slab.axis;
    const cf_region *r = &u->region;
    int64_t size = j->kn->size, lanes = p->buffer_ld / p->slab.block[0], left = r->at[2] * a[2].dstep;
    int64_t slices = cf_min(r->len[0], ph[0].count - r->at[0]), rows = cf_min(r->len[1], ph[1].count - r->at[1]);
    int64_t points = cf_min(r->len[2] * a[2].dstep, a[2].dst - left), ldd = a[1].dstep * a[2].dst;
    if (rows <= 0 || points <= 0) return;
    for (int64_t n = 0; n < r->images; n++) {
        int64_t own = u->group * p->rows + m, channel = (r->image + n) * j->plan->desc.groups * p->rows + own;
        for (int64_t z = 0; z < slices; z++) {
            int64_t d = ph[0].first + (r->at[0] + z) * a[0].dstep, h = ph[1].first + r->at[1] * a[1].dstep;
            void *to = cf_at(j->to.dst, ((channel * a[0].dst + d) * a[1].dst + h) * a[2].dst + left, size);
            cf_put_rows(j->kn, &a[2], cf_at_const(from, z * lanes + n * p->slab.pitch, size), p->rows * p->buffer_ld,
                        p->slab.row_stride, to, ldd, rows, points);
            cf_apply_epilogue(j->kn, &j->to, to, own, 0, ldd, rows, points);
        }
    }
}

/* The points of channels [m0, m1) and one phase to where they lie side by side. */
static void put_points(const cf_correlate_job *j, const cf_unit *u, const cf_phase ph[3], int64_t m0, int64_t m1,
                       const void *from)
{
    const cf_correlate_plan *p = j->p;
    const cf_axis *a = p->slab.axis;
    const cf_region *r = &u->region;
    const cf_layout *to = &j->plan->dst;
    int64_t size = j->kn->size, lanes = p->buffer_ld / p->slab.block[0], count[3];
    for (int i = 0; i < 3; i++) count[i] = cf_min(r->len[i], ph[i].count - r->at[i]);
    for (int64_t n = 0; n < r->images; n++)
        for (int64_t z = 0; z < count[0]; z++)
            for (int64_t y = 0; y < count[1]; y++) {
                int64_t d = ph[0].first + (r->at[0] + z) * a[0].dstep, h = ph[1].first + (r->at[1] + y) * a[1].dstep;
                int64_t point = (d * a[1].dst + h) * a[2].dst + ph[2].first + r->at[2] * a[2].dstep;
                int64_t at = (r->image + n) * to->image + (u->group * p->rows + m0) * to->channel + point * to->point;
                j->kn->transpose(m1 - m0, cf_max(0, count[2]),
                                 cf_at_const(from, z * lanes + y * p->slab.row_stride + n * p->slab.pitch, size),
                                 p->buffer_ld, cf_at(j->to.dst, at, size), a[2].dstep * to->point);
            }
}

static void put_buffer(const cf_correlate_job *j, const cf_unit *u, const void *buffer)
{
    const cf_correlate_plan *p = j->p;
    int64_t m0 = cf_row_begin(p, u->panel0), m1 = cf_row_begin(p, u->panel1), size = j->kn->size;
    int side_by_side = j->plan->dst.point > 1;
    for (int64_t i = 0; i < p->phases; i += side_by_side ? 1 : p->slab.axis[2].dstep) {
        cf_phase ph[3];
        cf_slab_phases(&p->slab, i, ph);
        const void *phase = cf_at_const(buffer, i * p->rows * p->buffer_ld, size);
        if (side_by_side) put_points(j, u, ph, m0, m1, cf_at_const(phase, m0 * p->buffer_ld, size));
        for (int64_t m = m0; m < m1 && !side_by_side; m++)
            put_channel(j, u, ph, m, cf_at_const(phase, m * p->buffer_ld, size));
    }
}

static void run_unit(void *ctx, int64_t task, int thread)
{
    const cf_correlate_job *j = ctx;
    const cf_correlate_plan *p = j->p;
    cf_unit u = unit_of(j->plan, task);
    int64_t size = j->kn->size, plane = cf_slab_src_plane(&p->slab), groups = j->plan->desc.groups;
    void *slab = cf_at(j->thread_base, thread, j->plan->thread_bytes);
    void *buffer = cf_at(slab, j->plan->thread_bytes - cf_round_up(cf_buffer_size(p) * size, CF_ALIGN), 1);
    const place in_slab = {p->slab.slice_stride, p->slab.row_stride};
    const place in_source = {p->slab.axis[1].src * p->slab.axis[2].src, 0};
    int in_place = p->straight && !reaches_past_end(j, &u);
    for (int64_t pass = 0; pass < p->passes; pass++) {
        u.region.channel = u.group * p->red + cf_red_begin(p, pass);
        u.region.channels = cf_red_begin(p, pass + 1) - cf_red_begin(p, pass);
        if (in_place) {
            int64_t channel = u.region.image * groups * p->red + u.region.channel;
            int64_t at = channel * plane + u.region.at[0] * in_source.slice + u.region.at[2];
            run_pass(j, &u, pass, cf_at_const(j->src, at, size), &in_source, j->straight_koff, 1, buffer);
        } else {
            cf_slab_pack(&p->slab, j->kn, j->src, &j->plan->src, &u.region, slab);
            run_pass(j, &u, pass, slab, &in_slab, j->koff, 0, buffer);
        }
    }
    if (!p->direct) put_buffer(j, &u, buffer);
}

static void correlate(const cf_conv_plan *plan, const void *src, const void *w, const void *bias,
                      const cf_epilogue *epilogue, void *dst, void *workspace)
{
    const cf_correlate_plan *p = &plan->correlate;
    if (plan->desc.n == 0) return;
    const cf_target to = {dst, plan->pass == CF_FORWARD ? plan->desc.oc : plan->desc.ic, epilogue};
    if (plan->by_winograd) {
        cf_winograd_run(plan, src, w, bias, &to, workspace);
        return;
    }
    cf_correlate_job job = {.plan = plan, .p = p, .src = src, .w = w, .bias = bias, .to = to};
    job.kn = cf_kernels_for(plan->options.isa, plan->desc.dtype);
    if (plan->is_depthwise) {
        cf_depthwise_run(plan, job.kn, src, w, bias, &to, workspace);
        return;
    }
    if (plan->is_product) {
        cf_product_run(plan, job.kn, src, w, bias, &to, workspace);
        return;
    }
    job.packed = cf_packed_weights(plan, src, w, &to, cf_at(workspace, plan->packed_at, 1));
    job.zeros = cf_at(workspace, plan->zeros_at, 1);
    job.thread_base = cf_at(workspace, plan->thread_at, 1);
    job.koff = cf_at(workspace, plan->koff_at, 1);
    job.straight_koff = cf_at(workspace, plan->straight_koff_at, 1);
    memset(job.zeros, 0, (size_t)(p->rows * job.kn->size));
    if (cf_packs_weights(plan, src))
        cf_parallel_for(cf_pack_weights_tasks(plan), plan->options.threads, cf_pack_weights_task, &job);
    if (!src) return;
    cf_fill_offsets(&job);
    cf_parallel_for(p->units, plan->options.threads, run_unit, &job);
}

void cf_conv_forward(const cf_conv_plan *plan, const void *x, const void *w, const void *bias,
                     const cf_epilogue *epilogue, void *y, void *workspace)
{
    correlate(plan, x, w, bias, epilogue, y, workspace);
}

void cf_conv_prepare(const cf_conv_plan *plan, const void *w, void *prepared, void *workspace)
{
    correlate(plan, NULL, w, NULL, NULL, prepared, workspace);
}

void cf_conv_backward_data(const cf_conv_plan *plan, const void *dy, const void *w, const void *bias,
                           const cf_epilogue *epilogue, void *dx, void *workspace)
{
    correlate(plan, dy, w, bias, epilogue, dx, workspace);
}
