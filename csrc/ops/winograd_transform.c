/* SPDX-License-Identifier: BSD-3-Clause */
/* Transforms of boxes: one axis after the other, each a kernel on lines of vectors.
 *
 * Along an axis that is not transformed yet there are positions x, along one that is there are (lattice, tile, point), as one
 * index.  The axis w is always the one next to the planes of points: there each point has a plane, and tiles are rows. */
#include "winograd_internal.h"

static cf_transform_fn *kernel_of(const cf_kernels *kn, cf_transform kind, const cf_pieces *a)
{
    return kn->transform[kind][a->n][kind == CF_INPUT ? 0 : a->m];
}

/* From one lattice, tile or element of a line to the next. */
typedef struct {
    int64_t lattice, tile, element;
} steps;

static steps of_positions(const cf_pieces *a, int64_t stride)
{
    return (steps){stride, a->lattices * a->m * stride, a->lattices * stride};
}

static steps of_points(const cf_pieces *a, int64_t len, int64_t stride)
{
    return (steps){len * a->n * stride, a->n * stride, stride};
}

/* Axis d or h; positions to points or back.  The extents of the other axes are those of `from`. */
static void pass(const cf_kernels *kn, cf_transform_fn *fn, const cf_pieces *a, int axis, int64_t len, int to_points,
                 const cf_grid *from, const cf_grid *to)
{
    int64_t size = kn->size;
    steps s = to_points ? of_positions(a, from->stride[axis]) : of_points(a, len, from->stride[axis]);
    steps d = to_points ? of_points(a, len, to->stride[axis]) : of_positions(a, to->stride[axis]);
    const cf_steps lines = {s.tile, from->stride[2], s.element}, into = {d.tile, to->stride[2], d.element};
    for (int64_t l = 0; l < a->lattices; l++)
        for (int64_t o = 0; o < from->extent[1 - axis]; o++)
            fn(len, from->extent[2], cf_at(from->at, l * s.lattice + o * from->stride[1 - axis], size), &lines,
               cf_at(to->at, l * d.lattice + o * to->stride[1 - axis], size), &into);
}

/* Axis w, between a grid and the planes of all points. */
static void pass_planes(const cf_kernels *kn, cf_transform_fn *fn, const cf_pieces axis[3], const int64_t len[3],
                        int to_points, const cf_grid *grid, const cf_planes *planes)
{
    const cf_pieces *d = &axis[0], *h = &axis[1], *w = &axis[2];
    int64_t rows = cf_tiles_along(h, len[1]), row_tiles = cf_tiles_along(w, len[2]), size = kn->size;
    steps s = of_positions(w, grid->stride[2]);
    const cf_steps lines = {grid->stride[1], s.tile, s.element};
    const cf_steps values = {w->n * planes->plane, planes->row, planes->plane};
    for (int64_t i = 0; i < cf_tiles_along(d, len[0]) * d->n; i++)
        for (int64_t t = 0; t < rows; t++)
            for (int64_t l = 0; l < w->lattices; l++) {
                int64_t tile = (i / d->n * rows + t) * row_tiles + l * len[2];
                void *x = cf_at(grid->at, i * grid->stride[0] + t * h->n * grid->stride[1] + l * s.lattice, size);
                void *v = cf_at(planes->at, i % d->n * h->n * w->n * planes->plane + tile * planes->row, size);
                if (to_points) fn(h->n, len[2], x, &lines, v, &values);
                else fn(h->n, len[2], v, &values, x, &lines);
            }
}

static cf_grid compact(void *at, int64_t lanes, int64_t d, int64_t h, int64_t w)
{
    return (cf_grid){at, {h * w * lanes, w * lanes, lanes}, {d, h, w}};
}

void cf_to_points(const cf_kernels *kn, const cf_pieces axis[3], cf_transform kind, const int64_t len[3], cf_grid from,
                  void *const temp[2], cf_planes to)
{
    for (int i = 0; i < 2; i++) {
        const cf_pieces *a = &axis[i];
        if (a->n == 1) continue;
        int64_t extent[3] = {from.extent[0], from.extent[1], from.extent[2]};
        extent[i] = cf_tiles_along(a, len[i]) * a->n;
        cf_grid next = compact(temp[i], kn->lanes, extent[0], extent[1], extent[2]);
        pass(kn, kernel_of(kn, kind, a), a, i, len[i], 1, &from, &next);
        from = next;
    }
    pass_planes(kn, kernel_of(kn, kind, &axis[2]), axis, len, 1, &from, &to);
}

void cf_from_points(const cf_kernels *kn, const cf_pieces axis[3], const int64_t len[3], cf_planes from,
                    void *const temp[2], cf_grid to)
{
    int last = axis[0].n > 1 ? 0 : axis[1].n > 1 ? 1 : 2;
    int64_t extent[3] = {cf_tiles_along(&axis[0], len[0]) * axis[0].n, cf_tiles_along(&axis[1], len[1]) * axis[1].n,
                         to.extent[2]};
    cf_grid have = last == 2 ? to : compact(temp[0], kn->lanes, extent[0], extent[1], extent[2]);
    pass_planes(kn, kernel_of(kn, CF_OUTPUT, &axis[2]), axis, len, 0, &have, &from);
    for (int i = 1; i >= last; i--) {
        const cf_pieces *a = &axis[i];
        if (a->n == 1) continue;
        extent[i] = to.extent[i];
        cf_grid next = i == last ? to : compact(temp[1], kn->lanes, extent[0], extent[1], extent[2]);
        pass(kn, kernel_of(kn, CF_OUTPUT, a), a, i, len[i], 0, &have, &next);
        have = next;
    }
}

int64_t cf_temp_size(const cf_pieces axis[3], const int64_t len[3], int64_t lanes)
{
    int64_t read[3], points[3];
    for (int i = 0; i < 3; i++) {
        read[i] = cf_pieces_read(&axis[i], len[i]);
        points[i] = cf_tiles_along(&axis[i], len[i]) * axis[i].n;
    }
    return points[0] * cf_max(read[1], points[1]) * read[2] * lanes;
}
