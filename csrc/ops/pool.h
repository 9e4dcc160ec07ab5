/* SPDX-License-Identifier: BSD-3-Clause */
/* Pooling over windows of each plane, its gradients, and unpooling.
 *
 * A window along an axis is {start + t*dil : t < kernel} with start = o*stride - pad, cut to [0, in); of an adaptive axis
 * [floor(o*in/out), ceil((o+1)*in/out)).
 * max      y = the largest element of the window, index = its flat place in the plane (first of equals; NaN wins)
 * average  y = sum / divisor; the divisor is `divisor` if not 0, else the points of the window, those on padding
 *          included if `count_pad`. */
#ifndef CF_POOL_H
#define CF_POOL_H
#include "../cnnfast.h"

typedef struct {
    cf_dtype dtype;
    int adaptive, count_pad;
    int64_t planes, in[3], out[3], kernel[3], stride[3], dil[3], pad[3], pad_hi[3];
    double divisor;
} cf_pool_desc;

int64_t cf_pool_workspace(const cf_pool_desc *d, const cf_options *options); /* bytes, for all functions below */

/* index may be NULL. */
cf_status cf_max_pool(const cf_pool_desc *d, const cf_options *options, const void *x, void *y, int64_t *index, void *workspace);
cf_status cf_average_pool(const cf_pool_desc *d, const cf_options *options, const void *x, void *y, void *workspace);
cf_status cf_average_pool_backward(const cf_pool_desc *d, const cf_options *options, const void *dy, void *dx, void *workspace);

/* Planes of `points` and of `size` elements; index (planes, points) must lie in [0, size), else CF_INVALID and nothing is written.
 * add     y[index[q]] += x[q] on zeros: the gradient of max pooling
 * set     y[index[q]]  = x[q] on zeros: unpooling
 * gather  y[q] = x[index[q]], x of `size` elements a plane: the gradient of unpooling */
typedef enum { CF_SCATTER_ADD, CF_SCATTER_SET, CF_GATHER } cf_scatter_kind;
cf_status cf_scatter(cf_scatter_kind kind, cf_dtype dtype, const cf_options *options, int64_t planes, int64_t points,
                     int64_t size, const int64_t *index, const void *x, void *y);

#endif
