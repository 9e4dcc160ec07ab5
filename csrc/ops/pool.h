/* SPDX-License-Identifier: BSD-3-Clause */
/* Pooling over windows of each plane, its gradients, and unpooling.
 *
 * A window along an axis is {start + t*dil : t < kernel} with start = o*stride - pad, cut to [0, in); of an adaptive
 * axis [floor(o*in/out), ceil((o+1)*in/out)).
 * max      y = the largest element of the window, index = its flat place in the plane: the first of equals, the last
 *          NaN, and -1 where all is padding
 * average  y = sum / divisor; the divisor is `divisor` if not 0, else the points of the window, those on padding
 *          included if `count_pad`. */
#ifndef CF_POOL_H
#define CF_POOL_H
#include "../cnnfast.h"

typedef struct {
    cf_dtype dtype;
    int adaptive, count_pad;
    int64_t planes, in[3], out[3], kernel[3], stride[3], dil[3], pad[3], pad_hi[3];
    int64_t lanes; /* elements of a point: with channels last its channels, each in a plane of its own */
    double divisor;
} cf_pool_desc;

typedef enum { CF_MAX_POOL, CF_MAX_POOL_INDEX, CF_AVERAGE_POOL, CF_AVERAGE_POOL_BACKWARD } cf_pool_pass;

/* A task makes some output rows, or some points of one: it reduces each window down its rows into a line of `ld` reals,
 * and then along the line. */
typedef struct {
    cf_pool_desc desc; /* in its simplest form, see pool_plan.c */
    cf_pool_pass pass;
    cf_options options;
    int64_t row_blocks, column_blocks, ld;
    int in_place; /* the source itself is the line */
    int apart;    /* no two blocks of rows share input rows */
    int covers;   /* each input row is in one window of rows, and these are written whole */
    int uniform;  /* all windows of a slice have as many points */
    int64_t start_at, end_at, count_at,
        row_count_at;   /* tables: windows of output columns; points of columns and rows */
    int64_t grouped; /* so many planes are taken a few at once, each a lane of one plane; or 0 */
    int64_t group_at; /* where in a thread's scratch the copy of a group begins */
    int64_t scratch_at, scratch_bytes, workspace_bytes; /* scratch_bytes a thread */
} cf_pool_plan;

/* CF_TOO_LARGE if an index would not fit an integer as wide as the dtype (planes of 8 GB). */
cf_status cf_pool_plan_init(cf_pool_plan *plan, cf_pool_pass pass, const cf_pool_desc *desc, const cf_options *options);

/* Forward: y, and index with CF_MAX_POOL_INDEX, of x.  Backward: y = gradient of the input, x = that of the output. */
void cf_pool(const cf_pool_plan *plan, const void *x, void *y, int64_t *index, void *workspace);

/* Planes of `points` and of `size` points of `lanes` elements, 1 unless they add.  index (planes, points, lanes) must lie in
 * [0, size), else CF_INVALID and y is undefined.
 * add     y[index[q], l] += x[q, l] on zeros, in ascending q, nothing for an index of -1: the gradient of max pooling
 * set     y[index[q]]  = x[q] on zeros, in ascending q: unpooling
 * gather  y[q] = x[index[q]], x of `size` elements a plane: the gradient of unpooling */
typedef enum { CF_SCATTER_ADD, CF_SCATTER_SET, CF_GATHER } cf_scatter_kind;
cf_status cf_scatter(cf_scatter_kind kind, cf_dtype dtype, const cf_options *options, int64_t planes, int64_t points,
                     int64_t size, int64_t lanes, const int64_t *index, const void *x, void *y);

/* y = (factor * x) ^ exponent, the steps of Lp pooling on either side of an average; and dx = dy * dy/dx, 0 where x is
 * 0 if `flat_at_zero`. */
cf_status cf_power(cf_dtype dtype, const cf_options *options, int64_t n, double factor, double exponent, const void *x,
                   void *y);
cf_status cf_power_backward(cf_dtype dtype, const cf_options *options, int64_t n, double factor, double exponent,
                            int flat_at_zero, const void *x, const void *dy, void *dx);

#include "pool_place.h"

#endif
