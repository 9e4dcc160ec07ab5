/* SPDX-License-Identifier: BSD-3-Clause */
/* Slabs: a vector of channels at each position, [d][h][w][VL], of a part of an array (image, channel, d, h, w). */
#include "winograd_internal.h"

typedef struct {
    const cf_kernels *kn;
    int64_t lanes, plane; /* channels, and points between them */
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
        kn->pack(c->lanes, last - first, cf_at_const(row, start + first, kn->size), c->plane, 1, end,
                 cf_at(to, first * kn->lanes, kn->size), kn->lanes);
    kn->set((span - last) * kn->lanes, cf_at(to, last * kn->lanes, kn->size), 0);
}

void cf_winograd_load(const cf_kernels *kn, const void *channel, int64_t lanes, const void *end, const int64_t size[3],
                      const int64_t start[3], const int64_t span[3], void *slab)
{
    const channels_of c = {kn, lanes, cf_volume(size)};
    int64_t row = span[2] * kn->lanes;
    for (int64_t d = 0; d < span[0]; d++)
        for (int64_t h = 0; h < span[1]; h++) {
            int64_t z = start[0] + d, y = start[1] + h;
            void *to = cf_at(slab, (d * span[1] + h) * row, kn->size);
            if (z < 0 || z >= size[0] || y < 0 || y >= size[1]) kn->set(row, to, 0);
            else
                load_row(&c, cf_at_const(channel, (z * size[1] + y) * size[2], kn->size), end, size[2], start[2],
                         span[2], to);
        }
}

void cf_winograd_store(const cf_kernels *kn, const void *slab, const int64_t span[3], const int64_t start[3],
                       const int64_t size[3], int64_t lanes, void *channel)
{
    int64_t valid[3];
    for (int i = 0; i < 3; i++) valid[i] = cf_min(span[i], size[i] - start[i]);
    int together = valid[2] == size[2] && span[2] == size[2]; /* rows are one run */
    int64_t rows = together ? 1 : valid[1], width = valid[2] * (together ? valid[1] : 1);
    for (int64_t d = 0; d < valid[0]; d++)
        for (int64_t h = 0; h < rows; h++)
            kn->unpack(lanes, width, cf_at_const(slab, (d * span[1] + h) * span[2] * kn->lanes, kn->size), kn->lanes,
                       cf_at(channel, ((start[0] + d) * size[1] + start[1] + h) * size[2] + start[2], kn->size),
                       cf_volume(size));
}
