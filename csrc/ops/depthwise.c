/* SPDX-License-Identifier: BSD-3-Clause */
/* Forward and backward-data in groups of very few channels:
 *
 *   dst[n, m, first + dstep*q] = init[m] + sum over r, taps of  w[m, r, tap] * src[n, r, step*q + off(tap)] */
#include "../core/parallel.h"
#include "depthwise_internal.h"

typedef struct {
    const cf_conv_plan *plan;
    const cf_depthwise_plan *p;
    const cf_kernels *kn;
    const void *src, *w, *bias;
    cf_target to;
    void *packed, *workspace;
    const cf_depthwise_phase *phases;
    const cf_piece *pieces;
    const int32_t *koff;
} job;

/* Reals of the packed weights of a channel; packers write past their end. */
static int64_t packed_size(const job *j) { return j->p->red * j->p->vol + j->kn->lanes; }

static void pack_channel(void *ctx, int64_t channel, int thread)
{
    const job *j = ctx;
    const cf_depthwise_plan *p = j->p;
    int64_t size = j->kn->size, group = channel / p->rows, row = channel % p->rows;
    const void *w = cf_at_const(j->w, group * p->w_group + row * p->w_row, size);
    const void *end = cf_at_const(j->w, j->plan->desc.groups * p->w_group, size);
    void *to = cf_at(j->packed, channel * packed_size(j), size);
    (void)thread;
    for (int64_t i = 0; i < j->phases[p->phases - 1].end; i++) {
        const cf_piece *piece = &j->pieces[i];
        j->kn->pack(piece->height, piece->columns, cf_at_const(w, piece->w, size), piece->w_row, piece->w_column, end,
                    to, piece->height);
        to = cf_at(to, piece->height * piece->columns, size);
    }
}

/* One phase of one channel against rows of lanes. */
typedef struct {
    const job *j;
    const cf_depthwise_phase *phase;
    const void *w, *init;
    const void *x;
    void *y;
    int64_t rows, lanes, last; /* lanes of the last row */
    int64_t ldx, ldy;
    int buffered; /* y stays in a cache */
} sheet;

/* Strips of rows `apart` from each other. */
static void run_strips(const sheet *s)
{
    const cf_kernels *kn = s->j->kn;
    int64_t apart = s->phase->apart, size = kn->size;
    for (int64_t e = 0; e < cf_min(apart, s->rows); e++) {
        int64_t rows = cf_ceil_div(s->rows - e, apart), strips = cf_ceil_div(rows, s->j->p->strip_rows), begin = 0;
        for (int64_t i = 1; i <= strips; i++) {
            int64_t end = cf_part(rows, strips, i), mr = end - begin, r = e + begin * apart, to = r + (mr - 1) * apart;
            begin = end;
            kn->strip[mr](s->phase->end - s->phase->piece, s->j->pieces + s->phase->piece,
                          s->j->koff + s->phase->column, s->w, cf_at_const(s->x, r * s->ldx, size), apart * s->ldx,
                          cf_at(s->y, r * s->ldy, size), apart * s->ldy, s->buffered ? 0 : mr * apart * s->ldy, s->init,
                          s->lanes, to == s->rows - 1 ? s->last : s->lanes);
        }
    }
}

/* A slice of a block in one phase.  A row that is folded is rows of one vector each. */
static void run_slice(sheet *s, const cf_region *r, int64_t ldy)
{
    const cf_depthwise_plan *p = s->j->p;
    const cf_phase *ph = s->phase->axis;
    int64_t columns = cf_min(r->len[2], ph[2].count - r->at[2]), vl = s->j->kn->lanes;
    if (columns <= 0) return;
    s->rows = p->folded ? cf_ceil_div(columns, vl) : cf_min(r->len[1], ph[1].count - r->at[1]);
    s->lanes = p->folded ? vl : columns;
    s->last = p->folded ? columns - (s->rows - 1) * vl : columns;
    s->ldx = p->folded ? vl : p->slab.row_stride;
    s->ldy = p->folded ? vl : ldy;
    run_strips(s);
}

/* Phases along w of one slice of a channel; phase[0] is the first of them, y its first row. */
static void run_row_phases(const job *j, const cf_depthwise_phase *phase, const cf_region *r, int64_t channel,
                           const void *w, const void *x, void *y, void *buffer)
{
    const cf_depthwise_plan *p = j->p;
    const cf_axis *a = p->slab.axis;
    int64_t rows = cf_min(r->len[1], phase->axis[1].count - r->at[1]), size = j->kn->size, step = a[2].dstep;
    int64_t points = cf_min(r->len[2] * step, a[2].dst - r->at[2] * step), ldd = a[1].dstep * a[2].dst;
    const void *init = j->bias ? cf_at_const(j->bias, channel, size) : NULL;
    if (rows <= 0) return;
    for (int64_t i = 0; i < a[2].dstep; i++) {
        void *to = p->buffer_ld ? cf_at(buffer, i * p->slab.block[1] * p->buffer_ld, size) : y;
        sheet s = {.j = j, .phase = &phase[i], .w = cf_at_const(w, phase[i].taps, size), .init = init, .x = x, .y = to};
        s.buffered = p->buffer_ld > 0;
        run_slice(&s, r, p->buffer_ld ? p->buffer_ld : ldd);
    }
    if (p->buffer_ld)
        cf_put_rows(j->kn, &a[2], buffer, p->slab.block[1] * p->buffer_ld, p->buffer_ld, y, ldd, rows, points);
    cf_apply_epilogue(j->kn, &j->to, y, channel, 0, ldd, rows, points);
}

static void run_channel(const job *j, const cf_region *r, int64_t channel, const void *x, void *buffer)
{
    const cf_depthwise_plan *p = j->p;
    const cf_axis *a = p->slab.axis;
    int64_t size = j->kn->size;
    const void *w = cf_at_const(j->packed, channel * packed_size(j), size);
    void *plane = cf_at(j->to.dst, (r->image * j->to.channels + channel) * cf_slab_dst_plane(&p->slab), size);
    for (int64_t i = 0; i < p->phases; i += a[2].dstep) {
        const cf_phase *ph = j->phases[i].axis;
        int64_t slices = cf_min(r->len[0], ph[0].count - r->at[0]);
        for (int64_t z = 0; z < slices; z++) {
            int64_t d = ph[0].first + (r->at[0] + z) * a[0].dstep, h = ph[1].first + r->at[1] * a[1].dstep;
            run_row_phases(j, &j->phases[i], r, channel, w, cf_at_const(x, z * p->slab.slice_stride, size),
                           cf_at(plane, (d * a[1].dst + h) * a[2].dst + r->at[2] * a[2].dstep, size), buffer);
        }
    }
}

static void run_unit(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_depthwise_plan *p = j->p;
    int64_t plane = task / p->blocks, group = plane % j->plan->desc.groups;
    cf_region r = cf_depthwise_region(j->plan, group, plane / j->plan->desc.groups, task % p->blocks);
    const void *x = cf_depthwise_source(j->plan, j->kn, &r, j->src, j->workspace, thread);
    void *buffer =
        cf_at(j->workspace, j->plan->thread_at + thread * j->plan->thread_bytes + cf_depthwise_slab_bytes(p, j->kn), 1);
    for (int64_t m = 0; m < p->rows; m++) run_channel(j, &r, group * p->rows + m, x, buffer);
}

void cf_depthwise_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *src, const void *w, const void *bias,
                      const cf_target *to, void *workspace)
{
    const cf_depthwise_plan *p = &plan->depthwise;
    cf_depthwise_prepare(plan, kn, workspace);
    job j = {.plan = plan, .p = p, .kn = kn, .src = src, .w = w, .bias = bias, .to = *to, .workspace = workspace};
    j.packed = cf_packed_weights(plan, src, w, to, cf_at(workspace, plan->packed_at, 1));
    j.phases = cf_depthwise_phases(p, workspace);
    j.pieces = cf_depthwise_pieces(p, workspace);
    j.koff = cf_depthwise_koff(p, workspace);
    if (cf_packs_weights(plan, src)) cf_parallel_for(plan->desc.groups * p->rows, 1, pack_channel, &j);
    if (src) cf_parallel_for(p->units, plan->options.threads, run_unit, &j);
}
