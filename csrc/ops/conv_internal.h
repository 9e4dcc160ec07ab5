/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of convolution share among themselves. */
#ifndef CF_CONV_INTERNAL_H
#define CF_CONV_INTERNAL_H
#include "../core/kernels.h"
#include "blocking.h"
#include "conv.h"

/* correlate_plan.c, conv_weights_plan.c: fill the part of the plan that the pass needs, and its workspace. */
cf_status cf_correlate_plan_init(cf_conv_plan *plan, const cf_kernels *kn);
cf_status cf_weights_plan_init(cf_conv_plan *plan, const cf_kernels *kn);

/* Where results go, and what becomes of them there; epilogue may be NULL. */
typedef struct {
    void *dst;
    int64_t channels; /* of all groups */
    const cf_epilogue *epilogue;
} cf_target;

/* Expected cycles of the plan that cf_correlate_plan_init would make for so many threads. */
double cf_correlate_cost(const cf_conv_plan *plan, const cf_kernels *kn, int threads);

/* Whether a call makes packed weights, and where they are.  A call without a source prepares them in dst and does nothing else. */
static inline int cf_packs_weights(const cf_conv_plan *plan, const void *src) { return !plan->prepared || !src; }
static inline void *cf_packed_weights(const cf_conv_plan *plan, const void *src, const void *w, const cf_target *to,
                                      void *own)
{
    if (!plan->prepared) return own;
    return src ? (void *)w : to->dst;
}

/* depthwise_plan.c, depthwise.c, depthwise_weights.c: whether groups have so few channels, and the same three. */
int cf_is_depthwise(const cf_conv_desc *d);
cf_status cf_depthwise_plan_init(cf_conv_plan *plan, const cf_kernels *kn);
void cf_depthwise_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *src, const void *w, const void *bias,
                      const cf_target *to, void *workspace);
void cf_depthwise_weights_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *x, const void *dy, void *dw,
                              void *workspace);
/* conv_product.c: whether a problem is one, and the same of it; w is dy and to->dst is dw in backward-weights. */
int cf_is_product(const cf_conv_desc *d);
cf_status cf_product_plan_init(cf_conv_plan *plan, const cf_kernels *kn);
void cf_product_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *src, const void *w, const void *bias,
                    const cf_target *to, void *workspace);

/* winograd_plan.c: 0 where it does not apply or, if the choice is free, is not expected to be faster than direct convolution. */
int cf_winograd_plan_init(cf_conv_plan *plan, const cf_kernels *kn, cf_algorithm algorithm);
void cf_winograd_run(const cf_conv_plan *plan, const void *src, const void *w, const void *bias, const cf_target *to,
                     void *workspace);
void cf_winograd_weights_run(const cf_conv_plan *plan, const void *x, const void *dy, void *dw, void *workspace);

/* store.c: the epilogue of rows of the target from y on, which belong to `channel` or, if `each`, to it and those after it. */
void cf_apply_epilogue(const cf_kernels *kn, const cf_target *t, void *y, int64_t channel, int each, int64_t ld,
                       int64_t rows, int64_t len);

/* store.c: rows that were held back for all phases along an axis w, next_phase reals apart, to their places from `to` on; `points`
 * is what they make together. */
void cf_put_rows(const cf_kernels *kn, const cf_axis *w, const void *from, int64_t next_phase, int64_t ld, void *to,
                 int64_t ldd, int64_t rows, int64_t points);

/* Bytes at which a thread's workspace for backward-weights has its arrays.  koff: slab offset of each point of a chunk. */
typedef struct {
    int64_t koff, dy, x, scratch, end;
} cf_weights_workspace;

static inline cf_weights_workspace cf_weights_room(const cf_weights_plan *p, int64_t size)
{
    cf_weights_workspace w = {0};
    w.koff = cf_take(&w.end, p->pixels * (int64_t)sizeof(int32_t));
    w.dy = cf_take(&w.end, p->dy_size * size);
    w.x = cf_take(&w.end, p->x_size * size);
    w.scratch = cf_take(&w.end, p->scratch_size * size);
    return w;
}

/* conv_weights_points.c: 0 if the sums would be too large for this form; the cost is in cycles a destination point. */
int cf_points_plan_init(cf_points_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int threads);
double cf_points_cost(const cf_points_plan *p, const cf_kernels *kn);
void cf_points_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *x, const void *dy, void *dw,
                   void *workspace);

/* Arrays of one call of forward or backward-data. */
typedef struct {
    const cf_conv_plan *plan;
    const cf_correlate_plan *p;
    const cf_kernels *kn;
    const void *src, *w, *bias;
    cf_target to;
    void *packed, *zeros, *thread_base;
    int32_t *koff, *straight_koff;
} cf_correlate_job;

/* What one task computes: panels [panel0, panel1) of a group at a region, whose channels are those of the pass. */
typedef struct {
    int64_t group, panel0, panel1;
    cf_region region;
} cf_unit;

/* correlate_pack.c */
int64_t cf_pack_weights_tasks(const cf_conv_plan *plan);
void cf_pack_weights_task(void *job, int64_t task, int thread);
void cf_fill_offsets(const cf_correlate_job *j);

/* Packed weights of (group, pass, phase, panel): (term, row of the panel).  Terms are ordered so that those of the depth taps, and
 * if rows_apart of the row taps, that read inside the source lie together: (outer tap, channel, inner tap). */
int64_t cf_packed_group_size(const cf_correlate_plan *p, int64_t lanes);
int64_t cf_packed_at(const cf_correlate_plan *p, int64_t lanes, int64_t group, int64_t pass, int64_t phase,
                     int64_t taps_before, int64_t taps, int64_t panel);

static inline int64_t cf_inner_taps(const cf_correlate_plan *p, const cf_phase ph[3])
{
    return (p->rows_apart ? 1 : ph[1].taps) * ph[2].taps;
}

/* Offsets of a pass of so many channels: [phase][term].  Passes differ by one at most. */
static inline int64_t cf_koff_at(const cf_correlate_plan *p, int64_t channels)
{
    return channels == p->red_block ? 0 : p->red_block * p->vol;
}
static inline int64_t cf_koff_size(const cf_correlate_plan *p)
{
    return (p->red_block + (p->red % p->passes ? p->red_block - 1 : 0)) * p->vol;
}

/* Channels whose taps are dealt to their places together: the scratch of (channel, tap, row) stays in a quarter of L1. */
static inline int64_t cf_deal_channels(const cf_correlate_plan *p)
{
    return cf_max(1, cf_min(p->red_block, 2048 / (p->vol * CF_MR_MAX)));
}

/* Reals of output that a task holds back. */
static inline int64_t cf_buffer_size(const cf_correlate_plan *p)
{
    return p->direct ? 0 : p->rows * p->phases * p->buffer_ld;
}

static inline int64_t cf_red_begin(const cf_correlate_plan *p, int64_t pass)
{
    return cf_part(p->red, p->passes, pass);
}
static inline int64_t cf_row_begin(const cf_correlate_plan *p, int64_t panel)
{
    return cf_part(p->rows, p->panels, panel);
}

#endif
