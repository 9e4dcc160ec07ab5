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
    int64_t valid[3], first = image * layout->image + channel * layout->channel;
    for (int i = 0; i < 3; i++) valid[i] = cf_min(span[i], size[i] - start[i]);
    int together = valid[2] == size[2] && span[2] == size[2]; /* rows are one run */
    int64_t rows = together ? 1 : valid[1], width = valid[2] * (together ? valid[1] : 1);
    for (int64_t d = 0; d < valid[0]; d++)
        for (int64_t h = 0; h < rows; h++) {
            const void *from = cf_at_const(slab, (d * span[1] + h) * span[2] * kn->lanes, kn->size);
            int64_t point = ((start[0] + d) * size[1] + start[1] + h) * size[2] + start[2];
            void *y = cf_at(j->to.dst, first + point * layout->point, kn->size);
            if (layout->point == 1) kn->unpack(lanes, width, from, kn->lanes, y, layout->channel);
            else kn->scatter_rows(y, layout->point, 1, from, kn->lanes, width, lanes);
            cf_apply_epilogue(kn, &j->to, y, channel, 1, layout->channel, lanes, width);
        }
}

void cf_winograd_source(const cf_winograd_job *j, int64_t group, const cf_box *box, int64_t block,
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
    const cf_pieces *d = &p->axis[0], *h = &p->axis[1], *w = &p->axis[2];
    const int64_t stride[3] = {span[1] * span[2] * lanes, span[2] * lanes, lanes};
    for (int64_t s = 0; s < p->sources; s++) {
        int64_t sd = s / w->sources / h->sources, sh = s / w->sources % h->sources, sw = s % w->sources;
        int64_t from = (d->source[sd] - d->source[0]) * stride[0] + (h->source[sh] - h->source[0]) * stride[1] +
                       (w->source[sw] - w->source[0]) * stride[2];
        cf_grid grid = {.at = cf_at(room->slab, from, kn->size)};
        for (int i = 0; i < 3; i++) {
            grid.stride[i] = p->axis[i].step * stride[i];
            grid.extent[i] = cf_pieces_read(&p->axis[i], box->len[i]);
        }
        cf_planes of_source = {cf_at(to.at, s * p->v_source, kn->size), to.plane, to.row};
        cf_to_points(kn, p->axis, CF_INPUT, box->len, grid, room->temp, of_source);
    }
}
