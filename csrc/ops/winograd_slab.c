/* SPDX-License-Identifier: BSD-3-Clause */
/* Slabs: a vector of channels at each position, [d][h][w][VL], of a part of an array (image, channel, d, h, w); and the values
 * of points of what both operands of a product are made of. */
#include "winograd_internal.h"

typedef struct {
    const cf_kernels *kn;
    int64_t lanes;
    const cf_layout *layout;
} channels_of;

/* Points [start, start + span) of a row; what lies outside of the array is zero. */
static void load_row(const channels_of *c, const void *row, const void *end, int64_t size, int64_t start, int64_t span,
                     void *to)
{
    const cf_kernels *kn = c->kn;
    int64_t first, last;
    cf_valid_range(span, start, 1, size, &first, &last);
    kn->set(first * kn->lanes, to, 0);
    if (first < last)
        kn->pack(c->lanes, last - first, cf_at_const(row, (start + first) * c->layout->point, kn->size),
                 c->layout->channel, c->layout->point, end, cf_at(to, first * kn->lanes, kn->size), kn->lanes);
    kn->set((span - last) * kn->lanes, cf_at(to, last * kn->lanes, kn->size), 0);
}

void cf_winograd_load(const cf_kernels *kn, const void *channel, int64_t lanes, const cf_layout *layout,
                      const void *end, const int64_t size[3], const int64_t start[3], const int64_t span[3], void *slab)
{
    const channels_of c = {kn, lanes, layout};
    int64_t row = span[2] * kn->lanes;
    for (int64_t d = 0; d < span[0]; d++)
        for (int64_t h = 0; h < span[1]; h++) {
            int64_t z = start[0] + d, y = start[1] + h;
            void *to = cf_at(slab, (d * span[1] + h) * row, kn->size);
            if (z < 0 || z >= size[0] || y < 0 || y >= size[1]) kn->set(row, to, 0);
            else
                load_row(&c, cf_at_const(channel, (z * size[1] + y) * size[2] * layout->point, kn->size), end, size[2],
                         start[2], span[2], to);
        }
}

void cf_winograd_store(const cf_winograd_job *j, const void *slab, const int64_t span[3], const int64_t start[3],
                       const int64_t size[3], int64_t image, int64_t channel, int64_t lanes)
{
    const cf_kernels *kn = j->kn;
    const cf_layout *layout = &j->plan->dst;
    const void *bias = j->bias ? cf_at_const(j->bias, channel, kn->size) : NULL;
    int64_t valid[3], first = image * layout->image + channel * layout->channel;
    for (int i = 0; i < 3; i++) valid[i] = cf_min(span[i], size[i] - start[i]);
    int together = valid[2] == size[2] && span[2] == size[2]; /* rows are one run */
    int64_t rows = together ? 1 : valid[1], width = valid[2] * (together ? valid[1] : 1);
    for (int64_t d = 0; d < valid[0]; d++)
        for (int64_t h = 0; h < rows; h++) {
            const void *from = cf_at_const(slab, (d * span[1] + h) * span[2] * kn->lanes, kn->size);
            int64_t point = ((start[0] + d) * size[1] + start[1] + h) * size[2] + start[2];
            void *y = cf_at(j->to.dst, first + point * layout->point, kn->size);
            if (layout->point == 1) kn->unpack(lanes, width, from, kn->lanes, bias, y, layout->channel);
            else kn->scatter_rows(y, layout->point, 1, from, kn->lanes, width, lanes);
            if (bias && layout->point > 1) kn->add_rows(y, layout->point, 1, bias, 0, width, lanes);
            cf_apply_epilogue(kn, &j->to, y, channel, 1, layout->channel, lanes, width);
        }
}

/* The place of a source along each axis. */
static void place_of(const cf_winograd_plan *p, int64_t source, int64_t place[3])
{
    const cf_pieces *h = &p->axis[1], *w = &p->axis[2];
    const int64_t of[3] = {source / w->sources / h->sources, source / w->sources % h->sources, source % w->sources};
    for (int i = 0; i < 3; i++) place[i] = p->axis[i].source[of[i]];
}

/* Points of a source that are zero outside of the array: rows of a channel, one after the other. */
typedef struct {
    const cf_winograd_job *j;
    int64_t start[3], read[3];
    const void *channel;
} lane_of;

/* Lane `lane` of vector `block` of all (source, channel). */
static lane_of find_lane(const cf_winograd_job *j, int64_t group, const cf_box *box, int64_t lane)
{
    const cf_winograd_plan *p = j->p;
    const cf_layout *layout = &j->plan->src;
    lane_of l = {.j = j};
    place_of(p, lane / p->red, l.start);
    for (int i = 0; i < 3; i++) {
        const cf_pieces *a = &p->axis[i];
        l.start[i] += a->step * a->lattices * a->m * box->at[i];
        l.read[i] = cf_pieces_read(a, box->len[i]);
    }
    int64_t at = box->image * layout->image + (group * p->red + lane % p->red) * layout->channel;
    l.channel = cf_at_const(j->src, at, j->kn->size);
    return l;
}

static void gather_lane(const lane_of *l, int64_t d, int64_t h, void *to)
{
    const cf_winograd_plan *p = l->j->p;
    const cf_kernels *kn = l->j->kn;
    int64_t z = l->start[0] + d * p->axis[0].step, y = l->start[1] + h * p->axis[1].step, step = p->axis[2].step;
    int64_t first, last, point = l->j->plan->src.point;
    cf_valid_range(l->read[2], l->start[2], step, p->src[2], &first, &last);
    if (z < 0 || z >= p->src[0] || y < 0 || y >= p->src[1]) last = first = 0;
    int64_t at = first < last ? ((z * p->src[1] + y) * p->src[2] + l->start[2] + first * step) * point : 0;
    kn->gather_rows(to, l->read[2], cf_at_const(l->channel, at, kn->size), 0, 1, l->read[2], first, last, step * point,
                    0);
}

/* V of few channels: lanes are (source, channel), each gathered in rows without the stride, which are then transposed. */
static void fill_mixed(const cf_winograd_job *j, int64_t group, const cf_box *box, const cf_winograd_room *room,
                       cf_planes to)
{
    const cf_winograd_plan *p = j->p;
    const cf_kernels *kn = j->kn;
    int64_t all = p->sources * p->red, lanes = kn->lanes;
    for (int64_t block = 0; block * lanes < all; block++) {
        lane_of lane[CF_LANES_MAX];
        int64_t used = cf_min(lanes, all - block * lanes);
        for (int64_t l = 0; l < used; l++) lane[l] = find_lane(j, group, box, block * lanes + l);
        const int64_t *read = lane[0].read, row = read[2] * lanes;
        cf_grid grid = {room->slab, {read[1] * row, row, lanes}, {read[0], read[1], read[2]}};
        kn->set(row, room->temp[0], 0);
        for (int64_t i = 0; i < read[0] * read[1]; i++) {
            for (int64_t l = 0; l < used; l++)
                gather_lane(&lane[l], i / read[1], i % read[1], cf_at(room->temp[0], l * read[2], kn->size));
            kn->pack(lanes, read[2], room->temp[0], read[2], 1, cf_at(room->temp[0], row, kn->size),
                     cf_at(room->slab, i * row, kn->size), lanes);
        }
        cf_planes of_block = {cf_at(to.at, block * p->v_next, kn->size), to.plane, to.row};
        cf_to_points(kn, p->axis, CF_INPUT, box->len, grid, room->temp, of_block);
    }
}

/* V of a vector of channels: all sources of a slab. */
static void fill_channels(const cf_winograd_job *j, int64_t group, const cf_box *box, int64_t block,
                          const cf_winograd_room *room, cf_planes to)
{
    const cf_winograd_plan *p = j->p;
    const cf_kernels *kn = j->kn;
    int64_t start[3], span[3], lanes = kn->lanes, c0 = block * lanes;
    const cf_layout *layout = &j->plan->src;
    for (int i = 0; i < 3; i++) {
        const cf_pieces *a = &p->axis[i];
        start[i] = a->source[0] + a->step * a->lattices * a->m * box->at[i];
        span[i] = cf_pieces_span(a, box->len[i]);
    }
    int64_t channel = box->image * layout->image + (group * p->red + c0) * layout->channel;
    cf_winograd_load(kn, cf_at_const(j->src, channel, kn->size), cf_min(lanes, p->red - c0), layout,
                     cf_at_const(j->src, j->plan->desc.n * layout->image, kn->size), p->src, start, span, room->slab);
    const int64_t stride[3] = {span[1] * span[2] * lanes, span[2] * lanes, lanes};
    for (int64_t s = 0; s < p->sources; s++) {
        int64_t place[3], from = 0;
        place_of(p, s, place);
        cf_grid grid;
        for (int i = 0; i < 3; i++) {
            from += (place[i] - p->axis[i].source[0]) * stride[i];
            grid.stride[i] = p->axis[i].step * stride[i];
            grid.extent[i] = cf_pieces_read(&p->axis[i], box->len[i]);
        }
        grid.at = cf_at(room->slab, from, kn->size);
        cf_planes of_source = {cf_at(to.at, s * p->v_next, kn->size), to.plane, to.row};
        cf_to_points(kn, p->axis, CF_INPUT, box->len, grid, room->temp, of_source);
    }
}

void cf_winograd_source(const cf_winograd_job *j, int64_t group, const cf_box *box, int64_t block,
                        const cf_winograd_room *room, cf_planes to)
{
    if (cf_mixes_sources(j->p, j->kn->lanes)) fill_mixed(j, group, box, room, to);
    else fill_channels(j, group, box, block, room, to);
}
