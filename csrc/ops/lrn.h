/* SPDX-License-Identifier: BSD-3-Clause */
/* Local response normalisation across channels (A. Krizhevsky et al., NIPS 2012), x (n, channels, points):
 *
 *   y = x * s^-beta,  s[c] = k + alpha / size * sum of x[j]^2 over the channels c - size/2 <= j <= c + (size - 1)/2 */
#ifndef CF_LRN_H
#define CF_LRN_H
#include "../cnnfast.h"

typedef struct {
    cf_dtype dtype;
    int64_t n, channels, points, size;
    double alpha, beta, k;
} cf_lrn_desc;

cf_status cf_lrn_forward(const cf_lrn_desc *d, const cf_options *options, const void *x, void *y);
/* scratch (n, channels, points) */
cf_status cf_lrn_backward(const cf_lrn_desc *d, const cf_options *options, const void *dy, const void *x, void *dx,
                          void *scratch);

#endif
