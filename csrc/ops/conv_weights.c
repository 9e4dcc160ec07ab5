/* SPDX-License-Identifier: BSD-3-Clause */
/* Backward-weights:  dw[k,c,t] = sum over n, o of  dy[n,k,o] * x[n, c, o*stride + t*dil - pad]
 *
 * The same tile with the output point as k: rows are output channels (dy packed [panel][point][row]), lanes are input channels
 * (x packed [tile][image][d][h][w][lane], so that stride, dilation and tap are offsets), or, where channels and points are few, all
 * (channel, tap) pairs of a point (x packed [tile][point][lane]).
 * Points are summed chunk by chunk into accumulators [part][tile][row][tap][lane].  A task owns some lane tiles and panels of
 * one part, packs what it needs of each chunk for itself, and meets no other task until the parts are added in order: cores
 * share nothing but what they read. */
#include "../core/parallel.h"
#include "conv_internal.h"
#include "slice.h"

/* The output points of a chunk, with dy packed and the slab offset of each point. */
typedef struct {
    int64_t group, at[4], len[4], points;
    void *dy;
    int32_t *koff;
} chunk;

typedef struct {
    const cf_conv_plan *plan;
    const cf_weights_plan *p;
    const cf_kernels *kn;
    const void *x, *dy;
    void *dw, *acc, *zeros, *thread_base;
    cf_weights_workspace room;
} job;

static void *thread_room(const job *j, int thread, int64_t at)
{
    return cf_at(j->thread_base, thread * j->plan->thread_bytes + at, 1);
}

static void fill_offsets(const job *j, const chunk *c)
{
    const cf_weights_plan *p = j->p;
    int64_t k = 0;
    for (int64_t n = 0; n < c->len[0]; n++)
        for (int64_t d = 0; d < c->len[1]; d++)
            for (int64_t h = 0; h < c->len[2]; h++)
                for (int64_t w = 0; w < c->len[3]; w++, k++) {
                    int64_t row = (n * p->span[0] + d * p->step[0]) * p->span[1] + h * p->step[1];
                    c->koff[k] = (int32_t)((p->flat ? k : row * p->span[2] + w * p->step[2]) * p->ld);
                }
}

static chunk chunk_of(const job *j, int64_t group, int64_t index, int thread)
{
    const cf_weights_plan *p = j->p;
    chunk c = {.group = group, .points = 1};
    for (int i = 3; i >= 0; i--) {
        int64_t points = i ? p->axis[i - 1].dst : j->plan->desc.n;
        c.at[i] = index % p->boxes[i] * p->box[i];
        c.len[i] = cf_min(p->box[i], points - c.at[i]);
        c.points *= c.len[i];
        index /= p->boxes[i];
    }
    c.dy = thread_room(j, thread, j->room.dy);
    c.koff = thread_room(j, thread, j->room.koff);
    fill_offsets(j, &c);
    return c;
}

static int64_t row_begin(const cf_weights_plan *p, int64_t panel) { return cf_part(p->rows, p->panels, panel); }
static int64_t vector_begin(const cf_weights_plan *p, int64_t tile) { return cf_part(p->vectors, p->tiles, tile); }

static int64_t lanes_of(const job *j, int64_t tile)
{
    return cf_min(vector_begin(j->p, tile + 1) * j->kn->lanes, j->p->lanes) - vector_begin(j->p, tile) * j->kn->lanes;
}

static void *packed_dy(const job *j, const chunk *c, int64_t panel)
{
    return cf_at(c->dy, row_begin(j->p, panel) * c->points + panel * j->kn->lanes, j->kn->size);
}

static void pack_dy(const job *j, const chunk *c, int64_t panel)
{
    const cf_weights_plan *p = j->p;
    const cf_axis *a = p->axis;
    const cf_layout *dy = &j->plan->dst;
    int64_t run = c->points / c->len[0], size = j->kn->size;
    int64_t r0 = row_begin(p, panel), mr = row_begin(p, panel + 1) - r0;
    int64_t point = (c->at[1] * a[1].dst + c->at[2]) * a[2].dst + c->at[3];
    const void *end = cf_at_const(j->dy, j->plan->desc.n * dy->image, size);
    for (int64_t n = 0; n < c->len[0]; n++) {
        int64_t at = (c->at[0] + n) * dy->image + (c->group * p->rows + r0) * dy->channel + point * dy->point;
        j->kn->pack(mr, run, cf_at_const(j->dy, at, size), dy->channel, dy->point, end,
                    cf_at(packed_dy(j, c, panel), n * run * mr, size), mr);
    }
}

/* One row of the slab of a tile: columns inside the source are packed channel-last, the others are zero. */
static void pack_row(const job *j, const void *row, int64_t channels, int64_t left, int64_t span, int64_t sub, void *to)
{
    const cf_weights_plan *p = j->p;
    const cf_layout *x = &j->plan->src;
    int64_t first, last, size = j->kn->size, bytes = p->ld * size;
    cf_valid_range(span, left, sub, row ? p->axis[2].src : 0, &first, &last);
    memset(to, 0, (size_t)(first * bytes));
    if (last > first)
        j->kn->pack(channels, last - first, cf_at_const(row, (left + first * sub) * x->point, size), x->channel,
                    sub * x->point, cf_at_const(j->x, j->plan->desc.n * x->image, size), cf_at(to, first, bytes),
                    p->ld);
    memset(cf_at(to, last, bytes), 0, (size_t)((span - last) * bytes));
}

/* Lanes = channels: the input under the chunk, of one image, for the channels of a tile. */
static void pack_channels(const job *j, const chunk *c, int64_t tile, int64_t n, void *x)
{
    const cf_weights_plan *p = j->p;
    const cf_axis *a = p->axis;
    int64_t size = j->kn->size, c0 = vector_begin(p, tile) * j->kn->lanes,
            pixels = p->span[0] * p->span[1] * p->span[2];
    const cf_layout *from = &j->plan->src;
    int64_t first = (c->at[0] + n) * from->image + (c->group * p->red + c0) * from->channel, at[3], span[3], sub[3];
    for (int i = 0; i < 3; i++) {
        sub[i] = a[i].taps == 1 ? a[i].step : 1;
        at[i] = c->at[i + 1] * a[i].step - a[i].pad;
        span[i] = (c->len[i + 1] - 1) * p->step[i] + (a[i].taps - 1) * a[i].dil + 1;
    }
    void *slab = cf_at(x, n * pixels * p->ld, size);
    for (int64_t z = 0; z < span[0]; z++)
        for (int64_t y = 0; y < span[1]; y++) {
            int64_t d = at[0] + z * sub[0], h = at[1] + y * sub[1];
            int inside = d >= 0 && d < a[0].src && h >= 0 && h < a[1].src;
            int64_t row = first + (d * a[1].src + h) * a[2].src * from->point;
            pack_row(j, inside ? cf_at_const(j->x, row, size) : NULL, lanes_of(j, tile), at[2], span[2], sub[2],
                     cf_at(slab, (z * p->span[1] + y) * p->span[2] * p->ld, size));
        }
}

/* Lanes = (channel, tap): a row of points for each lane, then transposed. */
static void pack_flat(const job *j, const chunk *c, int64_t tile, int64_t n, void *x, void *scratch)
{
    const cf_weights_plan *p = j->p;
    const cf_axis *a = p->axis;
    int64_t size = j->kn->size, l0 = vector_begin(p, tile) * j->kn->lanes, lanes = lanes_of(j, tile);
    const cf_layout *from = &j->plan->src;
    int64_t run = c->points / c->len[0], slice = c->len[2] * c->len[3];
    for (int64_t l = 0; l < lanes; l++) {
        int64_t tap = (l0 + l) % p->vol, channel = c->group * p->red + (l0 + l) / p->vol;
        int64_t td = tap / (a[1].taps * a[2].taps), th = tap / a[2].taps % a[1].taps, tw = tap % a[2].taps;
        int64_t off[2] = {th * a[1].dil - a[1].pad, tw * a[2].dil - a[2].pad};
        cf_slice s = cf_slice_spaced(cf_slice_of(a + 1, c->at + 2, c->len + 2, off, c->len[3]), from->point);
        for (int64_t z = 0; z < c->len[1]; z++) {
            int64_t d = (c->at[1] + z) * a[0].step + td * a[0].dil - a[0].pad, outside = d < 0 || d >= a[0].src;
            cf_slice rows = s;
            if (outside) rows.h1 = rows.h0;
            int64_t plane = (c->at[0] + n) * from->image + channel * from->channel;
            plane += outside ? 0 : d * a[1].src * a[2].src * from->point;
            cf_copy_slice(j->kn, &rows, cf_at_const(j->x, plane, size), cf_at(scratch, l * run + z * slice, size));
        }
    }
    j->kn->pack(lanes, run, scratch, run, 1, cf_at(scratch, lanes * run, size), cf_at(x, n * run * p->ld, size), p->ld);
}

/* One tile of the register tile over all points of a chunk. */
static void run_tile(const job *j, const chunk *c, int64_t tile, int64_t tap, int64_t panel, const void *x, void *acc,
                     const void *init)
{
    const cf_weights_plan *p = j->p;
    const cf_axis *a = p->axis;
    int64_t r0 = row_begin(p, panel), mr = row_begin(p, panel + 1) - r0, size = j->kn->size;
    int64_t nv = vector_begin(p, tile + 1) - vector_begin(p, tile);
    int64_t td = tap / (a[1].taps * a[2].taps), th = tap / a[2].taps % a[1].taps, tw = tap % a[2].taps;
    int64_t at = p->flat ? 0 : ((td * a[0].dil * p->span[1] + th * a[1].dil) * p->span[2] + tw * a[2].dil) * p->ld;
    void *y = cf_at(acc, ((tile * p->rows + r0) * p->taps + tap) * p->ld, size);
    j->kn->tile[nv][mr](c->points, packed_dy(j, c, panel), 1, mr, cf_at_const(x, at, size), c->koff, y, p->taps * p->ld,
                        init, y, p->taps * p->ld, nv * j->kn->lanes, y);
}

/* What a task owns. */
typedef struct {
    int64_t group, part, tile0, tile1, panel0, panel1;
} share;

static share share_of(const cf_weights_plan *p, int64_t task)
{
    int64_t r = task % p->row_splits, l = task / p->row_splits % p->lane_splits;
    task /= p->row_splits * p->lane_splits;
    return (share){.group = task / p->parts,
                   .part = task % p->parts,
                   .tile0 = cf_part(p->tiles, p->lane_splits, l),
                   .tile1 = cf_part(p->tiles, p->lane_splits, l + 1),
                   .panel0 = cf_part(p->panels, p->row_splits, r),
                   .panel1 = cf_part(p->panels, p->row_splits, r + 1)};
}

/* x of one lane tile stays in L2 while all taps and panels read it. */
static void add_chunk(const job *j, const share *s, const chunk *c, int thread, void *acc, const void *init)
{
    const cf_weights_plan *p = j->p;
    void *x = thread_room(j, thread, j->room.x), *scratch = thread_room(j, thread, j->room.scratch);
    for (int64_t panel = s->panel0; panel < s->panel1; panel++) pack_dy(j, c, panel);
    for (int64_t tile = s->tile0; tile < s->tile1; tile++) {
        for (int64_t n = 0; n < c->len[0]; n++) {
            if (p->flat) pack_flat(j, c, tile, n, x, scratch);
            else pack_channels(j, c, tile, n, x);
        }
        for (int64_t tap = 0; tap < p->taps; tap++)
            for (int64_t panel = s->panel0; panel < s->panel1; panel++) run_tile(j, c, tile, tap, panel, x, acc, init);
    }
}

static void run_share(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_weights_plan *p = j->p;
    share s = share_of(p, task);
    int64_t first = cf_part(p->chunks, p->parts, s.part), end = cf_part(p->chunks, p->parts, s.part + 1);
    void *acc = cf_at(j->acc, (s.group * p->parts + s.part) * p->acc_size, j->kn->size);
    for (int64_t i = first; i < end; i++) {
        chunk c = chunk_of(j, s.group, i, thread);
        add_chunk(j, &s, &c, thread, acc, i == first ? j->zeros : NULL);
    }
}

/* Row of dw of one lane tile from its accumulators, the parts added in order. */
static void put_row(const job *j, int64_t group, int64_t tile, int64_t row, void *scratch)
{
    const cf_weights_plan *p = j->p;
    int64_t size = j->kn->size, l0 = vector_begin(p, tile) * j->kn->lanes, lanes = lanes_of(j, tile);
    int64_t at = (group * p->parts * p->tiles + tile) * p->rows + row, len = p->taps * p->ld;
    void *sum = cf_at(j->acc, at * len, size);
    for (int64_t part = 1; part < p->parts; part++)
        j->kn->add_rows(sum, 0, 1, cf_at(sum, part * p->acc_size, size), 0, 1, len);
    if (!p->flat) {
        j->kn->pack(p->taps, lanes, sum, p->ld, 1, cf_at(sum, len, size), scratch, p->taps);
        sum = scratch;
    }
    void *to = cf_at(j->dw, ((group * p->rows + row) * p->red) * p->vol + l0 * p->taps, size);
    memcpy(to, sum, (size_t)(lanes * p->taps * size));
}

static void put_task(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_weights_plan *p = j->p;
    int64_t row = task % p->rows, tile = task / p->rows % p->tiles;
    put_row(j, task / p->rows / p->tiles, tile, row, thread_room(j, thread, j->room.scratch));
}

void cf_conv_backward_weights(const cf_conv_plan *plan, const void *x, const void *dy, void *dw, void *workspace)
{
    const cf_weights_plan *p = &plan->weights;
    job j = {.plan = plan, .p = p, .x = x, .dy = dy, .dw = dw};
    j.kn = cf_kernels_for(plan->options.isa, plan->desc.dtype);
    if (plan->desc.n == 0) {
        memset(dw, 0,
               (size_t)(plan->desc.oc * plan->desc.ic / plan->desc.groups * cf_volume(plan->desc.kernel) * j.kn->size));
        return;
    }
    if (plan->by_winograd) {
        cf_winograd_weights_run(plan, x, dy, dw, workspace);
        return;
    }
    if (plan->is_depthwise) {
        cf_depthwise_weights_run(plan, j.kn, x, dy, dw, workspace);
        return;
    }
    if (plan->is_product) {
        cf_product_run(plan, j.kn, dy, x, NULL, &(cf_target){.dst = dw, .channels = plan->desc.ic}, workspace);
        return;
    }
    if (plan->lanes_are_points) {
        cf_points_run(plan, j.kn, x, dy, dw, workspace);
        return;
    }
    j.acc = cf_at(workspace, plan->acc_at, 1);
    j.room = cf_weights_room(p, j.kn->size);
    j.zeros = cf_at(workspace, plan->zeros_at, 1);
    j.thread_base = cf_at(workspace, plan->thread_at, 1);
    memset(j.zeros, 0, (size_t)(p->rows * j.kn->size));
    int64_t shares = plan->desc.groups * p->parts * p->lane_splits * p->row_splits;
    cf_parallel_for(shares, plan->options.threads, run_share, &j);
    cf_parallel_for(plan->desc.groups * p->tiles * p->rows, plan->options.threads, put_task, &j);
}
