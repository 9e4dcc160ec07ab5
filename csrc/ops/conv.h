/* SPDX-License-Identifier: BSD-3-Clause */
/* Convolution in 1, 2 and 3 dimensions, its two adjoints, and with them transposed convolution.
 *
 *   y[n,k,o] = bias[k] + sum over c, t of  x[n, c, o*stride + t*dil - pad] * w[k,c,t]        (o, t over 3 axes)
 *
 * x (n, ic, in)   w (oc, ic / groups, kernel)   y (n, oc, out);  1D and 2D are 3D with leading axes of length 1.
 * The padding of the high side follows from `out`, and negative padding crops.
 * No array of columns is ever made: a task packs the slab of x that it needs (half of L2 at most) and multiplies it in a
 * register tile.  Terms are added in an order that depends on the shape only, so results are the same for any number of
 * threads. */
#ifndef CF_CONV_H
#define CF_CONV_H
#include "../cnnfast.h"
#include "depthwise.h"
#include "gemm.h"
#include "layout.h"
#include "winograd.h"

typedef struct {
    cf_dtype dtype;
    int64_t n, groups, ic, oc; /* channels over all groups */
    int64_t in[3], out[3], kernel[3], stride[3], dil[3], pad[3];
    int channels_last; /* x (n, in, ic) and y (n, out, oc); w stays as it is */
} cf_conv_desc;

typedef enum { CF_FORWARD, CF_BACKWARD_DATA, CF_BACKWARD_WEIGHTS } cf_conv_pass;

/* Forward and backward-data: rows = destination channels, lanes = destination points, see correlate.c. */
typedef struct {
    int64_t rows, red, vol;       /* a group's destination channels, source channels, taps */
    int64_t w_group, w_row, w_red; /* strides of the weights */
    int64_t phases; /* of all axes */
    double inside[2]; /* shares of the depth and row taps that read inside the source */
    int rows_apart; /* terms are (depth tap, row tap, channel, column tap), else (depth tap, channel, row tap, column tap) */
    cf_slab slab;
    int64_t image_groups, splits, units; /* a task: a block of points of some images, a split of the panels */
    int straight; /* lanes are read from the source itself */
    int direct; /* tiles are written to the destination itself */
    int by_rows; /* rows of points are runs of lanes of their own, not one run with what is between */
    int64_t red_block, passes; /* source channels of a pass */
    int64_t nv, panels, buffer_ld;
    double cost; /* expected cycles of the call */
} cf_correlate_plan;

/* Backward-weights: rows = output channels, lanes = input channels (or channels x taps), see conv_weights.c. */
typedef struct {
    int64_t rows, red, vol; /* a group's output channels, input channels, taps */
    cf_axis axis[3];
    int flat; /* lanes are (channel, tap) pairs */
    int64_t lanes, taps; /* lanes of a tap; taps that are not lanes */
    int64_t vectors, nv, tiles, ld, panels; /* lanes are cut into tiles of ld = nv vectors or one less */
    int64_t box[4], boxes[4], chunks, pixels; /* a chunk: output points of (images, d, h, w), at most `pixels` */
    int64_t step[3], span[3]; /* input points a chunk reads along an axis: step an output point, span in all */
    int64_t parts; /* independent sums over the chunks of a group */
    int64_t lane_splits, row_splits; /* shares of the lane tiles and of the panels */
    int64_t dy_size, acc_size, x_size, scratch_size; /* reals; x of one tile */
} cf_weights_plan;

/* Backward-weights with few channels: lanes = output points, see conv_weights_points.c. */
typedef struct {
    int64_t rows, red, terms; /* a group's output channels, input channels, (channel, tap) pairs */
    cf_slab slab;
    int64_t blocks, images, units; /* a unit: a block of points of some images */
    int64_t parts, splits; /* independent sums over the units; shares of the rows */
    int64_t nv, panels; /* terms of a tile at most; panels of rows */
    int64_t slab_size, acc_size; /* reals: of an image, of a part */
} cf_points_plan;

/* Any pass where there is one output point: a product of matrices, see conv_product.c. */
typedef struct {
    cf_gemm_plan gemm;
    int64_t bias_at; /* offset in the workspace */
} cf_product_plan;

typedef struct {
    cf_conv_desc desc;
    cf_options options;
    cf_conv_pass pass;
    cf_layout src, dst; /* of the activations that the pass reads and writes; of x and dy in backward-weights */
    int is_depthwise; /* `depthwise` is the plan of the pass, whichever it is */
    cf_depthwise_plan depthwise;
    int by_winograd; /* `winograd` is the plan, else the direct ones are */
    cf_winograd_plan winograd;
    int is_product; /* `product` is the plan */
    cf_product_plan product;
    cf_correlate_plan correlate;
    cf_weights_plan weights;
    int lanes_are_points; /* in backward-weights: `points` is the plan, else `weights` */
    cf_points_plan points;
    int prepared; /* weights are what cf_conv_prepare makes of them: prepared_bytes, aligned as a real */
    int64_t prepared_bytes;
    int64_t packed_at, zeros_at, koff_at, straight_koff_at, acc_at, thread_at, thread_bytes, workspace_bytes;
} cf_conv_plan;

/* The faster one, a plain sum of products, or Winograd's wherever it applies.  Only the second keeps options->exact. */
typedef enum { CF_AUTO, CF_DIRECT, CF_WINOGRAD } cf_algorithm;

/* Fill *plan for one pass, with `prepared` weights or plain ones.  Pure arithmetic: allocates nothing, keeps no pointer. */
cf_status cf_conv_plan_init(cf_conv_plan *plan, cf_conv_pass pass, const cf_conv_desc *desc, cf_algorithm algorithm,
                            int prepared, const cf_options *options);

/* Weights as the plan's algorithm reads them: panels of the register tile, or their values at Winograd's points.  For forward and
 * backward-data; the workspace is that of the plan. */
void cf_conv_prepare(const cf_conv_plan *plan, const void *w, void *prepared, void *workspace);

/* What becomes of a result y where it is stored, while it is in a cache:
 *   y = clamp((y - mean[c]) * inverse[c] * weight[c] + bias[c] + residual, low, high)
 * norm holds mean, inverse deviation, weight and bias, (4, channels) of the dtype; residual is like y; both may be NULL. */
typedef struct {
    const void *norm, *residual;
    double low, high;
} cf_epilogue;

/* bias may be NULL; in backward-data it has ic elements (the bias of a transposed convolution).  epilogue may be NULL, and
 * has to be with channels last. */
void cf_conv_forward(const cf_conv_plan *plan, const void *x, const void *w, const void *bias,
                     const cf_epilogue *epilogue, void *y, void *workspace);
void cf_conv_backward_data(const cf_conv_plan *plan, const void *dy, const void *w, const void *bias,
                           const cf_epilogue *epilogue, void *dx, void *workspace);
void cf_conv_backward_weights(const cf_conv_plan *plan, const void *x, const void *dy, void *dw, void *workspace);

/* db[k] = sum over n, o of dy[n,k,o];  dy (n, channels, points), or with channels last of any n and one point. */
cf_status cf_conv_backward_bias(cf_dtype dtype, const cf_options *options, int64_t n, int64_t channels, int64_t points,
                                const void *dy, void *db);

#endif
