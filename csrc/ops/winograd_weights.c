/* SPDX-License-Identifier: BSD-3-Clause */
/* Winograd's backward-weights, the adjoint of winograd.c by the same pieces:
 *
 *   dw = adjoint of filter(dU),   dU[point][piece, channel][row] = sum over tiles of  V[point][tile][source, channel] * D[point][tile][row]
 *   V = input(x),   D = adjoint of output(dy)
 *
 * The product runs on the register tile: its rows are channels of x, its lanes those of dy.  V and D are made for a chunk of
 * batches by all threads; then a thread owns blocks of dU, some channels by a panel of rows, and sums over the tiles of the chunk in
 * order.  A batch is cut by the shape alone, so sums are the same for any number of threads and any chunk.  With the last batch
 * a block becomes its part of dw; where one chunk is all, dU never exists but for the block of each thread. */
#include "../core/parallel.h"
#include "winograd_internal.h"

typedef struct {
    cf_winograd_job of; /* src is x, dst is dw */
    const void *dy;
    int64_t *tiles; /* of each batch */
    int64_t unit0, unit1; /* the chunk: units are (group, batch) */
} job;

static int64_t first_block(const job *j, int64_t panel)
{
    return cf_part(cf_ceil_div(j->of.p->red, j->of.kn->lanes), j->of.p->channel_panels, panel);
}

static int64_t first_vector(const job *j, int64_t panel)
{
    return cf_part(cf_ceil_div(j->of.p->rows, j->of.kn->lanes), j->of.p->panels, panel);
}

/* V of channels: [unit of the chunk][panel of channels][point][source][tile][channel] */
static void *v_of(const job *j, int64_t unit, int64_t panel)
{
    const cf_winograd_plan *p = j->of.p;
    return cf_at(j->of.v, (unit - j->unit0) * p->unit_size + panel * p->points * p->v_plane, j->of.kn->size);
}

/* D of rows: [unit of the chunk][panel of rows][point][tile][row] */
static void *d_of(const job *j, int64_t unit, int64_t panel)
{
    const cf_winograd_plan *p = j->of.p;
    int64_t at = p->channel_panels * p->points * p->v_plane + panel * p->points * p->m_plane;
    return cf_at(j->of.v, (unit - j->unit0) * p->unit_size + at, j->of.kn->size);
}

static cf_winograd_room room_of(const job *j, int thread)
{
    int64_t bytes;
    return cf_winograd_room_of(j->of.p, j->of.kn->size, cf_at(j->of.thread_base, thread, j->of.p->thread_bytes),
                               &bytes);
}

/* D of vector `vector` of the rows of a group, of the tiles of a box. */
static void transform_gradient(const job *j, int64_t group, const cf_box *box, int64_t vector,
                               const cf_winograd_room *room, cf_planes to)
{
    const cf_winograd_plan *p = j->of.p;
    const cf_kernels *kn = j->of.kn;
    const cf_conv_desc *d = &j->of.plan->desc;
    int64_t start[3], span[3], row0 = vector * kn->lanes, stride = kn->lanes;
    const cf_layout *dy = &j->of.plan->dst;
    cf_grid grid = {.at = room->slab};
    for (int i = 2; i >= 0; i--) {
        int64_t unit = p->axis[i].lattices * p->axis[i].m;
        start[i] = unit * box->at[i];
        grid.extent[i] = span[i] = unit * box->len[i];
        grid.stride[i] = stride;
        stride *= span[i];
    }
    int64_t channel = box->image * dy->image + (group * p->rows + row0) * dy->channel;
    cf_winograd_load(kn, cf_at_const(j->dy, channel, kn->size), cf_min(kn->lanes, p->rows - row0), dy,
                     cf_at_const(j->dy, d->n * dy->image, kn->size), d->out, start, span, room->slab);
    cf_to_points(kn, p->axis, CF_OUTPUT_ADJOINT, box->len, grid, room->temp, to);
}

/* Vector `block` of x of one unit, or, behind those, of dy. */
static void fill_vector(const job *j, int64_t unit, int64_t block, const cf_winograd_room *room)
{
    const cf_winograd_plan *p = j->of.p;
    int64_t lanes = j->of.kn->lanes, size = j->of.kn->size, blocks = first_block(j, p->channel_panels), panel = 0;
    int64_t group = unit / p->batches, batch = unit % p->batches, vector = block - blocks, tile = 0;
    if (vector < 0)
        while (first_block(j, panel + 1) <= block) panel++;
    else
        while (first_vector(j, panel + 1) <= vector) panel++;
    int64_t at = (vector < 0 ? block - first_block(j, panel) : vector - first_vector(j, panel)) * lanes;
    for (int64_t b = cf_part(p->all_boxes, p->batches, batch); b < cf_part(p->all_boxes, p->batches, batch + 1); b++) {
        cf_box box = cf_winograd_box(p, b);
        cf_planes v = {cf_at(v_of(j, unit, panel), at + tile * p->v_row, size), p->v_plane, p->v_row};
        cf_planes d = {cf_at(d_of(j, unit, panel), at + tile * p->ld, size), p->m_plane, p->ld};
        if (vector < 0) cf_winograd_source(&j->of, group, &box, block, room, v);
        else transform_gradient(j, group, &box, vector, room, d);
        tile += cf_box_tiles(p, box.len);
    }
}

/* task = (unit of the chunk, vector) */
static void fill_task(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    cf_winograd_room room = room_of(j, thread);
    int64_t vectors = first_block(j, j->of.p->channel_panels) + first_vector(j, j->of.p->panels);
    fill_vector(j, j->unit0 + task / vectors, task % vectors, &room);
}

/* A block of dU, and the units of its group that are in the chunk. */
typedef struct {
    const job *j;
    int64_t group, channel_panel, channels, panel0, panel1, unit0, unit1;
    void *u; /* of each panel of rows */
} block;

/* One run of pieces at a point by a panel of rows, over the tiles of one unit, in sums of so many terms at most as the plan says. */
static void multiply_run(const block *b, int64_t unit, int64_t panel, int64_t point, const cf_run *r)
{
    const job *j = b->j;
    const cf_winograd_plan *p = j->of.p;
    int64_t size = j->of.kn->size, tiles = j->tiles[unit % p->batches], cuts = cf_ceil_div(tiles, p->terms);
    int64_t nv = first_vector(j, panel + 1) - first_vector(j, panel), panels = cf_ceil_div(r->terms, p->mr);
    const void *v = cf_at_const(v_of(j, unit, b->channel_panel), point * p->v_plane + r->v, size);
    const void *d = cf_at_const(d_of(j, unit, panel), point * p->m_plane, size);
    void *u = cf_at(b->u, (panel - b->panel0) * p->u_size + point * p->u_plane + r->u * p->ld, size);
    for (int64_t c = 0; c < cuts; c++) {
        int64_t t0 = cf_part(tiles, cuts, c), t1 = cf_part(tiles, cuts, c + 1);
        const void *zeros = c == 0 && unit % p->batches == 0 ? j->of.zeros : NULL;
        for (int64_t i = 0; i < panels; i++) {
            int64_t k0 = cf_part(r->terms, panels, i), mr = cf_part(r->terms, panels, i + 1) - k0;
            void *to = cf_at(u, k0 * p->ld, size);
            j->of.kn->tile[nv][mr](t1 - t0, cf_at_const(v, t0 * p->v_row + k0, size), 1, p->v_row,
                                   cf_at_const(d, t0 * p->ld, size), j->of.koff, to, p->ld, zeros, to, p->ld,
                                   nv * j->of.kn->lanes, to);
        }
    }
}

/* Everything at a point: V of a run stays in L1 for all panels of rows. */
static void multiply_point(const block *b, const int64_t point[3], int64_t index)
{
    const int64_t phase[3] = {0, 0, 0};
    cf_run runs[CF_RUNS_MAX];
    int64_t count = cf_winograd_runs(b->j->of.p, phase, point, b->channels, runs);
    for (int64_t unit = b->unit0; unit < b->unit1; unit++)
        for (int64_t i = 0; i < count; i++)
            for (int64_t panel = b->panel0; panel < b->panel1; panel++) multiply_run(b, unit, panel, index, &runs[i]);
}

static void multiply(const block *b)
{
    const cf_pieces *axis = b->j->of.p->axis;
    int64_t point[3], index = 0;
    for (point[0] = 0; point[0] < axis[0].n; point[0]++)
        for (point[1] = 0; point[1] < axis[1].n; point[1]++)
            for (point[2] = 0; point[2] < axis[2].n; point[2]++, index++) multiply_point(b, point, index);
}

static int64_t first_group(const job *j) { return j->unit0 / j->of.p->batches; }

/* task = (group of the chunk, panel of channels, block of panels of rows) */
static void block_task(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_winograd_plan *p = j->of.p;
    cf_winograd_room room = room_of(j, thread);
    int64_t row_block = task % p->row_blocks;
    block b = {.j = j, .channel_panel = task / p->row_blocks % p->channel_panels};
    b.group = first_group(j) + task / p->row_blocks / p->channel_panels;
    b.panel0 = cf_part(p->panels, p->row_blocks, row_block),
    b.panel1 = cf_part(p->panels, p->row_blocks, row_block + 1);
    int64_t c0 = first_block(j, b.channel_panel) * j->of.kn->lanes;
    b.channels = cf_min(p->red, first_block(j, b.channel_panel + 1) * j->of.kn->lanes) - c0;
    b.unit0 = cf_max(j->unit0, b.group * p->batches);
    b.unit1 = cf_min(j->unit1, (b.group + 1) * p->batches);
    int64_t first = (b.group * p->channel_panels + b.channel_panel) * p->panels + b.panel0;
    b.u = p->chunks == 1 ? room.u : cf_at(j->of.u, first * p->u_size, j->of.kn->size);
    multiply(&b);
    if (b.unit1 % p->batches > 0) return;
    for (int64_t panel = b.panel0; panel < b.panel1; panel++)
        cf_winograd_filter_adjoint(&j->of, b.group, panel, c0, b.channels,
                                   cf_at(b.u, (panel - b.panel0) * p->u_size, j->of.kn->size), room.temp[0]);
}

static void count_tiles(const job *j)
{
    const cf_winograd_plan *p = j->of.p;
    for (int64_t batch = 0; batch < p->batches; batch++) {
        int64_t b = cf_part(p->all_boxes, p->batches, batch), end = cf_part(p->all_boxes, p->batches, batch + 1);
        j->tiles[batch] = 0;
        for (; b < end; b++) j->tiles[batch] += cf_box_tiles(p, cf_winograd_box(p, b).len);
    }
}

void cf_winograd_weights_run(const cf_conv_plan *plan, const void *x, const void *dy, void *dw, void *workspace)
{
    const cf_winograd_plan *p = &plan->winograd;
    job j = {.of = {.plan = plan, .p = p, .src = x, .to = {.dst = dw}}, .dy = dy};
    j.of.kn = cf_kernels_for(plan->options.isa, plan->desc.dtype);
    j.of.zeros = cf_at(workspace, p->zeros_at, 1);
    j.of.koff = cf_at(workspace, p->koff_at, 1);
    j.of.v = cf_at(workspace, p->v_at, 1);
    j.of.u = cf_at(workspace, p->u_at, 1);
    j.of.thread_base = cf_at(workspace, p->thread_at, 1);
    j.tiles = cf_at(workspace, p->tiles_at, 1);
    j.of.kn->set(CF_MR_MAX, j.of.zeros, 0);
    for (int32_t k = 0; k < CF_WINOGRAD_TERMS; k++) j.of.koff[k] = k * (int32_t)p->ld;
    count_tiles(&j);
    int64_t units = plan->desc.groups * p->batches;
    int64_t vectors = first_block(&j, p->channel_panels) + first_vector(&j, p->panels);
    for (int64_t chunk = 0; chunk < p->chunks; chunk++) {
        j.unit0 = cf_part(units, p->chunks, chunk), j.unit1 = cf_part(units, p->chunks, chunk + 1);
        int64_t groups = cf_ceil_div(j.unit1, p->batches) - first_group(&j);
        cf_parallel_for((j.unit1 - j.unit0) * vectors, plan->options.threads, fill_task, &j);
        cf_parallel_for(groups * p->channel_panels * p->row_blocks, plan->options.threads, block_task, &j);
    }
}
