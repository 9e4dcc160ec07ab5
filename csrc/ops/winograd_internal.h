/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of Winograd's convolution share among themselves. */
#ifndef CF_WINOGRAD_INTERNAL_H
#define CF_WINOGRAD_INTERNAL_H
#include "blocking.h"
#include "conv_internal.h"

/* Terms at most that are summed before they are added to others, for the error of a sum grows with its length: with 128 it stays
 * below that of a plain sum of all of them. */
enum { CF_WINOGRAD_TERMS = 128 };

/* Reals of a vector of any instruction set and dtype. */
enum { CF_LANES_MAX = 16 };

/* Vectors at (d, h, w): strides in reals, extents. */
typedef struct {
    void *at;
    int64_t stride[3], extent[3];
} cf_grid;

/* Tiles [at, at + len) along each axis, of every lattice, of one image. */
typedef struct {
    int64_t image, at[3], len[3];
} cf_box;

/* Where the values of points lie: [point][tile], in reals. */
typedef struct {
    void *at;
    int64_t plane, row;
} cf_planes;

/* Scratch of a thread, in the order of its workspace. */
typedef struct {
    void *v, *u, *m, *slab, *temp[2], *out;
} cf_winograd_room;

typedef struct {
    const cf_conv_plan *plan;
    const cf_winograd_plan *p;
    const cf_kernels *kn;
    const void *src, *w, *bias;
    cf_target to;
    void *zeros, *v, *u, *thread_base;
    int32_t *koff;
} cf_winograd_job;

/* Pieces that adjoin: terms of V from v on, and of U from u on. */
typedef struct {
    int64_t v, u, terms;
} cf_run;
enum { CF_RUNS_MAX = CF_SOURCES_MAX * CF_SOURCES_MAX * CF_SOURCES_MAX };

/* Those of so many channels that have anything at a point. */
int64_t cf_winograd_runs(const cf_winograd_plan *p, const int64_t phase[3], const int64_t point[3], int64_t channels,
                         cf_run *runs);

static inline int64_t cf_tiles_along(const cf_pieces *a, int64_t len) { return a->lattices * len; }

static inline int64_t cf_box_tiles(const cf_winograd_plan *p, const int64_t len[3])
{
    int64_t tiles = 1;
    for (int i = 0; i < 3; i++) tiles *= cf_tiles_along(&p->axis[i], len[i]);
    return tiles;
}

cf_box cf_winograd_box(const cf_winograd_plan *p, int64_t index);
cf_winograd_room cf_winograd_room_of(const cf_winograd_plan *p, int64_t size, void *base, int64_t *bytes);

/* Positions of a box to the values of their points, and back: kind is CF_INPUT or CF_OUTPUT_ADJOINT, or CF_OUTPUT. */
void cf_to_points(const cf_kernels *kn, const cf_pieces axis[3], cf_transform kind, const int64_t len[3], cf_grid from,
                  void *const temp[2], cf_planes to);
void cf_from_points(const cf_kernels *kn, const cf_pieces axis[3], const int64_t len[3], cf_planes from,
                    void *const temp[2], cf_grid to);

/* Reals that both of them need in each temp for the largest box. */
int64_t cf_temp_size(const cf_pieces axis[3], const int64_t len[3], int64_t lanes);

/* winograd_cost.c: expected cycles of a plan. */
double cf_winograd_cost(const cf_winograd_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int threads);
double cf_winograd_weights_cost(const cf_winograd_plan *p, const cf_conv_desc *d, const cf_kernels *kn);
double cf_direct_weights_cost(const cf_conv_desc *d, const cf_axis axis[3], const cf_kernels *kn);

/* winograd_filter.c: U of channels [c0, c0 + channels) of a panel. */
void cf_winograd_filter(const cf_winograd_job *j, int64_t group, int64_t panel, int64_t c0, int64_t channels, void *u,
                        void *scratch);
/* Its adjoint: the gradient of U of a panel and of channels [c0, c0 + channels), to that of the weights, which is dst. */
void cf_winograd_filter_adjoint(const cf_winograd_job *j, int64_t group, int64_t panel, int64_t c0, int64_t channels,
                                void *u, void *scratch);
int64_t cf_filter_size(const cf_winograd_plan *p, int64_t channels, int64_t lanes);

/* winograd_slab.c: parts of `lanes` channels of an array of `size` points, whose first is at `channel`, from and to slabs.
 * Of the layout, image does not count.
 * Loading gives zeros outside of the array, and reads whole vectors below `end`; storing leaves them out, adds the bias and applies the epilogue.
 */
void cf_winograd_load(const cf_kernels *kn, const void *channel, int64_t lanes, const cf_layout *layout,
                      const void *end, const int64_t size[3], const int64_t start[3], const int64_t span[3],
                      void *slab);
void cf_winograd_store(const cf_winograd_job *j, const void *slab, const int64_t span[3], const int64_t start[3],
                       const int64_t size[3], int64_t image, int64_t channel, int64_t lanes);

/* Whether the channels are so few that those of all sources share vectors. */
static inline int cf_mixes_sources(const cf_winograd_plan *p, int64_t lanes)
{
    return p->red < lanes && p->sources > 1;
}

/* Positions of a box in a slab, along an axis. */
static inline int64_t cf_winograd_span(const cf_winograd_plan *p, int axis, int64_t lanes)
{
    const cf_pieces *a = &p->axis[axis];
    return cf_mixes_sources(p, lanes) ? cf_pieces_read(a, p->box[axis]) : cf_pieces_span(a, p->box[axis]);
}

/* V of vector `block` of the channels of a group, of the tiles of a box: `to` is the place of its first. */
void cf_winograd_source(const cf_winograd_job *j, int64_t group, const cf_box *box, int64_t block,
                        const cf_winograd_room *room, cf_planes to);

#endif
