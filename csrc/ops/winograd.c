/* SPDX-License-Identifier: BSD-3-Clause */
/* Winograd's convolution, forward and backward-data: a convolution as a sum of short ones of stride 1 (pieces.h), each of which is
 * a product at points:
 *
 *   dst = output(M),   M[point][tile][row] = sum over (piece, channel) of  U[point][piece, channel][row] * V[point][tile][source, channel]
 *   U = filter(w),   V = input(src)
 *
 * The product runs on the register tile: its rows are tiles, its lanes are destination channels. */
#include "../core/parallel.h"
#include "winograd_internal.h"

cf_box cf_winograd_box(const cf_winograd_plan *p, int64_t index)
{
    cf_box box;
    for (int i = 2; i >= 0; i--) {
        box.at[i] = index % p->boxes[i] * p->box[i];
        box.len[i] = cf_min(p->box[i], p->axis[i].tiles - box.at[i]);
        index /= p->boxes[i];
    }
    box.image = index;
    return box;
}

int64_t cf_winograd_runs(const cf_winograd_plan *p, const int64_t phase[3], const int64_t point[3], int64_t channels,
                         cf_run *runs)
{
    const cf_pieces *d = &p->axis[0], *h = &p->axis[1], *w = &p->axis[2];
    int64_t count = 0;
    for (int64_t a = 0; a < d->pieces[phase[0]]; a++) {
        const cf_subkernel *pd = &d->piece[phase[0]][a];
        if (!cf_subkernel_uses(d, pd, point[0])) continue;
        for (int64_t b = 0; b < h->pieces[phase[1]]; b++) {
            const cf_subkernel *ph = &h->piece[phase[1]][b];
            if (!cf_subkernel_uses(h, ph, point[1])) continue;
            for (int64_t c = 0; c < w->pieces[phase[2]]; c++) {
                const cf_subkernel *pw = &w->piece[phase[2]][c];
                if (!cf_subkernel_uses(w, pw, point[2])) continue;
                int64_t v = ((pd->source * h->sources + ph->source) * w->sources + pw->source) * p->v_source;
                int64_t u = ((a * h->most + b) * w->most + c) * p->u_piece;
                cf_run *last = runs + cf_max(count, 1) - 1;
                if (count > 0 && v == last->v + last->terms && u == last->u + last->terms) last->terms += channels;
                else runs[count++] = (cf_run){v, u, channels};
            }
        }
    }
    return count;
}

/* One panel of rows of one batch: everything of a phase at a point, then its outputs. */
typedef struct {
    const cf_winograd_job *j;
    int64_t group, row0, lanes, nv; /* of the panel: its rows are lanes */
    int64_t tiles, tile_panels;
    const void *v, *u;
    void *m;
} product;

static void multiply_run(const product *q, int64_t point, const void *u, const cf_run *r, const void *first)
{
    const cf_winograd_plan *p = q->j->p;
    const cf_kernels *kn = q->j->kn;
    const void *v = cf_at_const(q->v, point * p->v_plane + r->v, kn->size);
    void *m = cf_at(q->m, point * p->m_plane, kn->size);
    for (int64_t i = 0; i < q->tile_panels; i++) {
        int64_t t = cf_part(q->tiles, q->tile_panels, i), mr = cf_part(q->tiles, q->tile_panels, i + 1) - t;
        void *to = cf_at(m, t * p->ld, kn->size);
        kn->tile_apart[q->nv][mr](r->terms, cf_at_const(v, t * p->v_row, kn->size), p->v_row, 1,
                                  cf_at_const(u, r->u * p->ld, kn->size), q->j->koff, to, p->ld, NULL,
                                  first ? first : to, first ? 0 : p->ld, q->lanes, to);
    }
}

/* Sums of so many terms at most as the plan says. */
static const void *multiply_cut(const product *q, int64_t point, const void *u, const cf_run *r, const void *first)
{
    int64_t cuts = cf_ceil_div(r->terms, q->j->p->terms);
    for (int64_t c = 0; c < cuts; c++) {
        int64_t k0 = cf_part(r->terms, cuts, c), k1 = cf_part(r->terms, cuts, c + 1);
        const cf_run part = {r->v + k0, r->u + k0, k1 - k0};
        multiply_run(q, point, u, &part, first);
        first = NULL;
    }
    return first;
}

/* All pieces of a phase that have anything at a point. */
static void multiply_point(const product *q, const int64_t phase[3], const int64_t point[3], int64_t index,
                           const void *u)
{
    cf_run runs[CF_RUNS_MAX];
    const void *first = q->j->zeros;
    int64_t count = cf_winograd_runs(q->j->p, phase, point, q->j->p->red, runs);
    for (int64_t i = 0; i < count; i++) first = multiply_cut(q, index, u, &runs[i], first);
    if (count == 0) multiply_run(q, index, u, &(cf_run){0, 0, 0}, first);
}

static void multiply_phase(const product *q, const int64_t phase[3], const void *u)
{
    const cf_winograd_plan *p = q->j->p;
    int64_t point[3], index = 0;
    for (point[0] = 0; point[0] < p->axis[0].n; point[0]++)
        for (point[1] = 0; point[1] < p->axis[1].n; point[1]++)
            for (point[2] = 0; point[2] < p->axis[2].n; point[2]++, index++)
                multiply_point(q, phase, point, index, cf_at_const(u, index * p->u_plane, q->j->kn->size));
}

/* M of one phase of a box, a vector of its rows, to its places in the slab of outputs. */
static void transform_outputs(const product *q, const cf_winograd_room *room, const cf_box *box, const int64_t phase[3],
                              int64_t tile, int64_t vector, void *out)
{
    const cf_winograd_plan *p = q->j->p;
    const cf_kernels *kn = q->j->kn;
    cf_planes from = {cf_at(q->m, tile * p->ld + vector * kn->lanes, kn->size), p->m_plane, p->ld};
    cf_grid to = {.at = out};
    int64_t stride = kn->lanes, at = 0;
    for (int i = 2; i >= 0; i--) {
        const cf_pieces *a = &p->axis[i];
        to.extent[i] = a->lattices * a->m * box->len[i];
        to.stride[i] = a->dstep * stride;
        at += phase[i] * stride;
        stride *= a->dstep * to.extent[i];
    }
    to.at = cf_at(out, at, kn->size);
    cf_from_points(kn, p->axis, box->len, from, room->temp, to);
}

static void store_outputs(const product *q, const cf_box *box, int64_t vector, const void *out)
{
    const cf_winograd_plan *p = q->j->p;
    const cf_kernels *kn = q->j->kn;
    int64_t span[3], start[3], size[3], row0 = q->row0 + vector * kn->lanes;
    for (int i = 0; i < 3; i++) {
        const cf_pieces *a = &p->axis[i];
        int64_t unit = a->dstep * a->lattices * a->m;
        span[i] = unit * box->len[i];
        start[i] = unit * box->at[i];
        size[i] = a->dst;
    }
    cf_winograd_store(q->j, out, span, start, size, box->image, q->group * p->rows + row0,
                      cf_min(kn->lanes, q->row0 + q->lanes - row0));
}

/* A batch against one panel. */
static void run_panel(const cf_winograd_job *j, int64_t group, int64_t batch, int64_t panel, const void *v,
                      const void *u, const cf_winograd_room *room)
{
    const cf_winograd_plan *p = j->p;
    int64_t vectors = cf_ceil_div(p->rows, j->kn->lanes), v0 = cf_part(vectors, p->panels, panel);
    int64_t b0 = cf_part(p->all_boxes, p->batches, batch), b1 = cf_part(p->all_boxes, p->batches, batch + 1);
    product q = {.j = j, .group = group, .row0 = v0 * j->kn->lanes, .v = v, .m = room->m};
    q.nv = cf_part(vectors, p->panels, panel + 1) - v0;
    q.lanes = cf_min(q.nv * j->kn->lanes, p->rows - q.row0);
    for (int64_t b = b0; b < b1; b++) q.tiles += cf_box_tiles(p, cf_winograd_box(p, b).len);
    q.tile_panels = cf_ceil_div(q.tiles, p->mr);
    for (int64_t f = 0; f < p->phases; f++) {
        const cf_pieces *h = &p->axis[1], *w = &p->axis[2];
        const int64_t phase[3] = {f / w->phases / h->phases, f / w->phases % h->phases, f % w->phases};
        multiply_phase(&q, phase, cf_at_const(u, f * p->points * p->u_plane, j->kn->size));
        int64_t tile = 0;
        for (int64_t b = b0; b < b1; b++) {
            cf_box box = cf_winograd_box(p, b);
            for (int64_t i = 0; i < q.nv; i++) {
                void *out = cf_at(room->out, ((b - b0) * q.nv + i) * p->out_size, j->kn->size);
                transform_outputs(&q, room, &box, phase, tile, i, out);
                if (f == p->phases - 1) store_outputs(&q, &box, i, out);
            }
            tile += cf_box_tiles(p, box.len);
        }
    }
}

/* V of some vectors of channels of a batch. */
static void fill_v(const cf_winograd_job *j, int64_t group, int64_t batch, int64_t block0, int64_t block1,
                   const cf_winograd_room *room, void *v)
{
    const cf_winograd_plan *p = j->p;
    int64_t b0 = cf_part(p->all_boxes, p->batches, batch), b1 = cf_part(p->all_boxes, p->batches, batch + 1), tile = 0;
    for (int64_t b = b0; b < b1; b++) {
        cf_box box = cf_winograd_box(p, b);
        for (int64_t block = block0; block < block1; block++) {
            int64_t at = tile * p->v_row + block * j->kn->lanes;
            cf_planes to = {cf_at(v, at, j->kn->size), p->v_plane, p->v_row};
            cf_winograd_source(j, group, &box, block, room, to);
        }
        tile += cf_box_tiles(p, box.len);
    }
}

static int64_t blocks_of(const cf_winograd_job *j) { return cf_ceil_div(j->p->red, j->kn->lanes); }

static void *v_of(const cf_winograd_job *j, int64_t group, int64_t batch)
{
    const cf_winograd_plan *p = j->p;
    return cf_at(j->v, (group * p->batches + batch) * p->points * p->v_plane, j->kn->size);
}

static void *u_of(const cf_winograd_job *j, int64_t group, int64_t panel)
{
    return cf_at(j->u, (group * j->p->panels + panel) * j->p->u_size, j->kn->size);
}

static cf_winograd_room room_of(const cf_winograd_job *j, int thread)
{
    int64_t bytes;
    return cf_winograd_room_of(j->p, j->kn->size, cf_at(j->thread_base, thread, j->p->thread_bytes), &bytes);
}

/* task = (group, batch, vector of channels) */
static void source_task(void *ctx, int64_t task, int thread)
{
    const cf_winograd_job *j = ctx;
    cf_winograd_room room = room_of(j, thread);
    int64_t block = task % blocks_of(j), batch = task / blocks_of(j) % j->p->batches;
    int64_t group = task / blocks_of(j) / j->p->batches;
    fill_v(j, group, batch, block, block + 1, &room, v_of(j, group, batch));
}

static void fill_u(const cf_winograd_job *j, int64_t group, int64_t panel, int64_t cut, const cf_winograd_room *room,
                   void *u)
{
    int64_t cuts = cf_ceil_div(j->p->red, j->p->channels), c0 = cf_part(j->p->red, cuts, cut);
    cf_winograd_filter(j, group, panel, c0, cf_part(j->p->red, cuts, cut + 1) - c0, u, room->temp[0]);
}

/* task = (group, panel, channels) */
static void filter_task(void *ctx, int64_t task, int thread)
{
    const cf_winograd_job *j = ctx;
    cf_winograd_room room = room_of(j, thread);
    int64_t cuts = cf_ceil_div(j->p->red, j->p->channels), panel = task / cuts % j->p->panels;
    int64_t group = task / cuts / j->p->panels;
    fill_u(j, group, panel, task % cuts, &room, u_of(j, group, panel));
}

/* task = (group, panel): V is there */
static void panel_task(void *ctx, int64_t task, int thread)
{
    const cf_winograd_job *j = ctx;
    cf_winograd_room room = room_of(j, thread);
    int64_t panel = task % j->p->panels, group = task / j->p->panels;
    void *u = j->p->prepared ? u_of(j, group, panel) : room.u;
    for (int64_t cut = 0; !j->p->prepared && cut < cf_ceil_div(j->p->red, j->p->channels); cut++)
        fill_u(j, group, panel, cut, &room, u);
    for (int64_t batch = 0; batch < j->p->batches; batch++)
        run_panel(j, group, batch, panel, v_of(j, group, batch), u, &room);
}

/* task = (group, batch): U is there */
static void batch_task(void *ctx, int64_t task, int thread)
{
    const cf_winograd_job *j = ctx;
    cf_winograd_room room = room_of(j, thread);
    int64_t batch = task % j->p->batches, group = task / j->p->batches;
    fill_v(j, group, batch, 0, blocks_of(j), &room, room.v);
    for (int64_t panel = 0; panel < j->p->panels; panel++)
        run_panel(j, group, batch, panel, room.v, u_of(j, group, panel), &room);
}

void cf_winograd_run(const cf_conv_plan *plan, const void *src, const void *w, const void *bias, const cf_target *to,
                     void *workspace)
{
    const cf_winograd_plan *p = &plan->winograd;
    cf_winograd_job j = {.plan = plan, .p = p, .src = src, .w = w, .bias = bias, .to = *to};
    j.kn = cf_kernels_for(plan->options.isa, plan->desc.dtype);
    j.zeros = cf_at(workspace, p->zeros_at, 1);
    j.koff = cf_at(workspace, p->koff_at, 1);
    j.v = cf_at(workspace, p->v_at, 1);
    j.u = cf_packed_weights(plan, src, w, to, cf_at(workspace, p->u_at, 1));
    j.thread_base = cf_at(workspace, p->thread_at, 1);
    j.kn->set(p->ld, j.zeros, 0);
    for (int32_t k = 0; k < CF_WINOGRAD_TERMS; k++) j.koff[k] = k * (int32_t)p->ld;
    int64_t groups = plan->desc.groups, cuts = cf_ceil_div(p->red, p->channels);
    int makes_u = cf_packs_weights(plan, src) && (p->prepared || !p->keep_source);
    if (makes_u) cf_parallel_for(groups * p->panels * cuts, plan->options.threads, filter_task, &j);
    if (!src) return;
    if (p->keep_source) {
        cf_parallel_for(groups * p->batches * blocks_of(&j), plan->options.threads, source_task, &j);
        cf_parallel_for(groups * p->panels, plan->options.threads, panel_task, &j);
    } else {
        cf_parallel_for(groups * p->batches, plan->options.threads, batch_task, &j);
    }
}
