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
    void *workspace;
    const cf_depthwise_phase *phases;
    const cf_piece *pieces;
    const cf_column *columns;
    int64_t tasks;
} job;

/* Few enough that what is divided once a task is lost in them, many enough that threads end together. */
enum { TASKS_A_THREAD = 64 };

/* What a thread has of its own, and its task. */
typedef struct {
    const job *j;
    cf_region r;
    void *buffer;
    uint32_t *inside;
} unit;

/* Rows of lanes of one phase of a slice, `last` lanes in the last of them; the first is row `row` of the phase. */
typedef struct {
    const unit *u;
    const cf_depthwise_phase *phase;
    cf_strip strip; /* of no row yet */
    const void *x;
    void *y;
    int64_t slice, row, rows, last, ldx, ldy, to;
} sheet;

/* Which rows of the source a strip of mr rows from row r on must leave out. */
static void find_inside(sheet *s, int64_t r, int64_t mr)
{
    const cf_axis *a = s->u->j->p->slab.axis;
    const cf_phase *ph = s->phase->axis;
    int64_t apart = s->phase->apart, row = s->row + r, step = apart * a[1].step;
    int whole = cf_depthwise_whole(&a[0], &ph[0], s->slice, s->slice) &&
                cf_depthwise_whole(&a[1], &ph[1], row, row + (mr - 1) * apart);
    s->strip.rows.to = whole ? s->to : 0;
    for (int64_t i = 0; i < s->strip.pieces; i++) {
        const cf_piece *piece = &s->strip.piece[i];
        int64_t depth = s->slice * a[0].step + piece->front, at = row * a[1].step + piece->top;
        int64_t rows = !whole && depth >= 0 && depth < a[0].src ? mr + piece->height - 1 : 0;
        uint32_t inside = whole ? ~0u : 0;
        for (int64_t k = 0; k < rows; k++, at += step) inside |= (uint32_t)(at >= 0 && at < a[1].src) << k;
        s->u->inside[i] = inside;
    }
}

/* Strip of mr rows from row r of a sheet on. */
static void run_strip(sheet *s, int64_t r, int64_t mr)
{
    const cf_depthwise_plan *p = s->u->j->p;
    const cf_kernels *kn = s->u->j->kn;
    if (p->edges) find_inside(s, r, mr);
    s->strip.rows.x = cf_at_const(s->x, r * s->ldx, kn->size);
    s->strip.y = cf_at(s->y, r * s->ldy, kn->size);
    s->strip.ahead = p->buffer_ld ? 0 : mr * s->strip.ldy;
    s->strip.last = r + (mr - 1) * s->phase->apart == s->rows - 1 ? s->last : s->strip.lanes;
    kn->strip[p->lane_step][mr](&s->strip);
}

/* Strips of rows `apart` from each other.  (Divisions would take as long as the sums of a small plane.) */
static void run_strips(sheet *s)
{
    int64_t apart = s->phase->apart, most = s->u->j->p->strip_rows;
    s->strip.rows.ldx = s->ldx * apart;
    s->strip.ldy = s->ldy * apart;
    if (apart == 1 && s->rows <= most) {
        run_strip(s, 0, s->rows);
        return;
    }
    for (int64_t e = 0; e < cf_min(apart, s->rows); e++) {
        int64_t rows = cf_ceil_div(s->rows - e, apart), strips = cf_ceil_div(rows, most);
        int64_t least = rows / strips, more = rows % strips;
        for (int64_t i = 0, r = e; i < strips; i++) {
            run_strip(s, r, least + (i < more));
            r += (least + (i < more)) * apart;
        }
    }
}

/* A slice of a block in one phase.  A row that is folded is rows of one vector each. */
static void run_slice(sheet *s, int64_t ldy)
{
    const cf_depthwise_plan *p = s->u->j->p;
    const cf_region *r = &s->u->r;
    const cf_phase *ph = s->phase->axis;
    int64_t columns = cf_min(r->len[2], ph[2].count - r->at[2]), vl = s->u->j->kn->lanes;
    if (columns <= 0) return;
    s->rows = p->folded ? cf_ceil_div(columns, vl) : cf_min(r->len[1], ph[1].count - r->at[1]);
    s->strip.lanes = p->folded ? vl : columns;
    s->last = p->folded ? columns - (s->rows - 1) * vl : columns;
    s->ldy = p->folded ? vl : ldy;
    s->ldx = p->folded ? vl : p->slab.row_stride;
    run_strips(s);
}

/* Phases along w of one slice of a channel; phase[0] is the first of them, x and y its first rows. */
static void run_row_phases(const unit *u, const cf_depthwise_phase *phase, int64_t slice, int64_t channel,
                           const void *w, const void *x, void *y)
{
    const job *j = u->j;
    const cf_depthwise_plan *p = j->p;
    const cf_axis *a = p->slab.axis;
    const cf_region *r = &u->r;
    int64_t rows = cf_min(r->len[1], phase->axis[1].count - r->at[1]), size = j->kn->size, step = a[2].dstep;
    int64_t points = cf_min(r->len[2] * step, a[2].dst - r->at[2] * step), ldd = a[1].dstep * a[2].dst;
    const void *init = j->bias ? cf_at_const(j->bias, channel, size) : NULL;
    if (rows <= 0) return;
    for (int64_t i = 0; i < step; i++) {
        sheet s;
        s.u = u;
        s.phase = &phase[i];
        s.slice = slice;
        s.row = r->at[1];
        s.x = x;
        s.y = p->buffer_ld ? cf_at(u->buffer, i * p->slab.block[1] * p->buffer_ld, size) : y;
        s.strip.pieces = phase[i].end - phase[i].piece;
        s.strip.piece = j->pieces + phase[i].piece;
        s.strip.column = j->columns + phase[i].column;
        s.strip.inside = u->inside;
        s.strip.w = w;
        s.strip.init = init;
        s.strip.rows.left = p->edges ? r->at[2] * a[2].step : 0;
        s.strip.rows.width = a[2].src;
        s.strip.rows.from = p->edges ? phase[i].from - r->at[2] : 0;
        s.strip.rows.to = s.to = p->edges ? phase[i].to - r->at[2] : INT64_MAX;
        s.strip.share = p->edges && &phase[i] == j->phases ? a[1].step * a[2].step : 0;
        run_slice(&s, p->buffer_ld ? p->buffer_ld : ldd);
    }
    if (p->buffer_ld)
        cf_put_rows(j->kn, &a[2], u->buffer, p->slab.block[1] * p->buffer_ld, p->buffer_ld, y, ldd, rows, points);
    cf_apply_epilogue(j->kn, &j->to, y, channel, 0, ldd, rows, points);
}

static void run_channel(const unit *u, int64_t group, int64_t m, const void *x)
{
    const job *j = u->j;
    const cf_depthwise_plan *p = j->p;
    const cf_axis *a = p->slab.axis;
    const cf_region *r = &u->r;
    int64_t size = j->kn->size, channel = group * p->rows + m;
    const void *w = cf_at_const(j->w, group * p->w_group + m * p->w_row, size);
    void *plane = cf_at(j->to.dst, (r->image * j->to.channels + channel) * cf_slab_dst_plane(&p->slab), size);
    for (int64_t i = 0; i < p->phases; i += a[2].dstep) {
        const cf_phase *ph = j->phases[i].axis;
        int64_t slices = cf_min(r->len[0], ph[0].count - r->at[0]);
        for (int64_t z = 0; z < slices; z++) {
            int64_t d = ph[0].first + (r->at[0] + z) * a[0].dstep, h = ph[1].first + r->at[1] * a[1].dstep;
            run_row_phases(u, &j->phases[i], r->at[0] + z, channel, w, cf_at_const(x, z * p->slab.slice_stride, size),
                           cf_at(plane, (d * a[1].dst + h) * a[2].dst + r->at[2] * a[2].dstep, size));
        }
    }
}

static void run_unit(const job *j, int64_t image, int64_t group, int64_t block, int thread)
{
    const cf_depthwise_plan *p = j->p;
    void *own = cf_at(j->workspace, j->plan->thread_at + thread * j->plan->thread_bytes, 1);
    unit u = {.j = j, .buffer = cf_at(own, p->buffer_at, 1), .inside = cf_at(own, p->inside_at, 1)};
    u.r = cf_depthwise_region(j->plan, group, image, block);
    const void *x = cf_depthwise_source(j->plan, j->kn, &u.r, j->src, j->workspace, thread);
    for (int64_t m = 0; m < p->rows; m++) run_channel(&u, group, m, x);
}

/* Units that follow one another. */
static void run_units(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    int64_t groups = j->plan->desc.groups, blocks = j->p->blocks, begin = cf_part(j->p->units, j->tasks, task);
    int64_t block = begin % blocks, group = begin / blocks % groups, image = begin / blocks / groups;
    for (int64_t end = cf_part(j->p->units, j->tasks, task + 1); begin < end; begin++) {
        run_unit(j, image, group, block, thread);
        if (++block < blocks) continue;
        block = 0;
        if (++group < groups) continue;
        group = 0;
        image++;
    }
}

void cf_depthwise_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *src, const void *w, const void *bias,
                      const cf_target *to, void *workspace)
{
    const cf_depthwise_plan *p = &plan->depthwise;
    if (!src) {
        memcpy(to->dst, w, (size_t)plan->prepared_bytes);
        return;
    }
    cf_depthwise_prepare(plan, kn, workspace);
    job j = {.plan = plan, .p = p, .kn = kn, .src = src, .w = w, .bias = bias, .to = *to, .workspace = workspace};
    j.phases = cf_depthwise_phases(p, workspace);
    j.pieces = cf_depthwise_pieces(p, workspace);
    j.columns = cf_depthwise_columns(p, workspace);
    j.tasks = cf_min(p->units, TASKS_A_THREAD * plan->options.threads);
    cf_parallel_for(j.tasks, plan->options.threads, run_units, &j);
}
