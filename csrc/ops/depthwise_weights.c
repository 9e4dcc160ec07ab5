/* SPDX-License-Identifier: BSD-3-Clause */
/* Backward-weights in groups of very few channels:  dw[k, r, tap] = sum over n, q of  dy[n, k, q] * x[n, r, step*q + off(tap)]
 *
 * Lanes are points on both sides; sums stay vectors until the end.  Units of a group are summed in a number of parts that
 * depends on the shape only. */
#include "../core/parallel.h"
#include "depthwise_internal.h"

typedef struct {
    const cf_conv_plan *plan;
    const cf_depthwise_plan *p;
    const cf_kernels *kn;
    const void *x, *dy;
    void *dw, *acc, *workspace;
    const cf_depthwise_phase *phase;
    const cf_piece *pieces;
    const cf_column *columns;
} job;

/* Whose sums of lanes take a thread longer than it takes to start. */
enum { CHANNELS_A_THREAD = 128 };

/* Rows of lanes of dy and of the source. */
typedef struct {
    int64_t rows, lanes, ldy, ldx;
    const void *dy, *x;
} sheet;

/* A piece, as many columns at once as there are registers for, against rows `apart` from each other. */
static void add_piece(const job *j, const sheet *s, const cf_piece *piece, const cf_column *column, void *acc)
{
    const cf_kernels *kn = j->kn;
    int64_t apart = j->phase->apart, size = kn->size;
    int64_t tiles = cf_ceil_div(piece->columns, j->p->sum_columns[piece->height]);
    for (int64_t i = 0; i < tiles; i++) {
        int64_t k0 = cf_part(piece->columns, tiles, i), columns = cf_part(piece->columns, tiles, i + 1) - k0;
        void *y = cf_at(acc, (piece->w + k0 * piece->w_column) * kn->lanes, size);
        for (int64_t e = 0; e < cf_min(apart, s->rows); e++)
            kn->sums[piece->height][columns](
                cf_ceil_div(s->rows - e, apart), s->lanes, cf_at_const(s->dy, e * s->ldy, size), apart * s->ldy,
                cf_at_const(s->x, e * s->ldx, size), column + k0, apart * s->ldx, y, piece->w_row, piece->w_column);
    }
}

static void add_pieces(const job *j, const sheet *s, void *acc)
{
    const cf_column *column = j->columns;
    for (int64_t i = 0; i < j->phase->end; i++) {
        add_piece(j, s, &j->pieces[i], column, acc);
        column += j->pieces[i].columns;
    }
}

/* A slice of a block.  A row that is folded is rows of one vector each, and one row of what is left. */
static void add_slice(const job *j, const cf_region *r, const void *dy, const void *x, void *acc)
{
    const cf_depthwise_plan *p = j->p;
    int64_t vl = j->kn->lanes, columns = r->len[2], size = j->kn->size;
    if (!p->folded) {
        add_pieces(j, &(sheet){r->len[1], columns, p->slab.axis[2].dst, p->slab.row_stride, dy, x}, acc);
        return;
    }
    int64_t rows = columns / vl, at = rows * vl;
    if (rows) add_pieces(j, &(sheet){rows, vl, vl, vl, dy, x}, acc);
    if (at < columns)
        add_pieces(j, &(sheet){1, columns - at, vl, vl, cf_at_const(dy, at, size), cf_at_const(x, at, size)}, acc);
}

static void run_part(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_depthwise_plan *p = j->p;
    const cf_axis *a = p->slab.axis;
    int64_t size = j->kn->size, group = task / p->parts, part = task % p->parts;
    int64_t units = p->units / j->plan->desc.groups, acc_size = p->red * p->vol * j->kn->lanes;
    void *acc = cf_at(j->acc, task * p->rows * acc_size, size);
    memset(acc, 0, (size_t)(p->rows * acc_size * size));
    for (int64_t i = cf_part(units, p->parts, part); i < cf_part(units, p->parts, part + 1); i++) {
        cf_region r = cf_depthwise_region(j->plan, group, i / p->blocks, i % p->blocks);
        const void *x = cf_depthwise_source(j->plan, j->kn, &r, j->x, j->workspace, thread);
        for (int64_t m = 0; m < p->rows; m++) {
            int64_t channel = (r.image * j->plan->desc.groups + group) * p->rows + m;
            for (int64_t z = 0; z < r.len[0]; z++) {
                int64_t row = (channel * a[0].dst + r.at[0] + z) * a[1].dst + r.at[1];
                add_slice(j, &r, cf_at_const(j->dy, row * a[2].dst + r.at[2], size),
                          cf_at_const(x, z * p->slab.slice_stride, size), cf_at(acc, m * acc_size, size));
            }
        }
    }
}

static void put_channels(void *ctx, int64_t begin, int64_t end)
{
    const job *j = ctx;
    const cf_depthwise_plan *p = j->p;
    int64_t terms = p->red * p->vol, acc_size = terms * j->kn->lanes, part_size = p->rows * acc_size;
    for (int64_t channel = begin; channel < end; channel++) {
        int64_t from = channel / p->rows * p->parts * part_size + channel % p->rows * acc_size;
        j->kn->lane_sums(terms, p->parts, part_size, cf_at(j->acc, from, j->kn->size),
                         cf_at(j->dw, channel * terms, j->kn->size));
    }
}

void cf_depthwise_weights_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *x, const void *dy, void *dw,
                              void *workspace)
{
    const cf_depthwise_plan *p = &plan->depthwise;
    cf_depthwise_prepare(plan, kn, workspace);
    job j = {.plan = plan, .p = p, .kn = kn, .x = x, .dy = dy, .dw = dw, .workspace = workspace};
    j.acc = cf_at(workspace, plan->acc_at, 1);
    j.phase = cf_depthwise_phases(p, workspace);
    j.pieces = cf_depthwise_pieces(p, workspace);
    j.columns = cf_depthwise_columns(p, workspace);
    cf_parallel_for(plan->desc.groups * p->parts, plan->options.threads, run_part, &j);
    cf_parallel_range(plan->desc.groups * p->rows, CHANNELS_A_THREAD, plan->options.threads, put_channels, &j);
}
