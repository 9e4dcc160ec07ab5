/* SPDX-License-Identifier: BSD-3-Clause */
/* Batch norm (S. Ioffe and C. Szegedy, arXiv:1502.03167), x (n, channels, points); statistics and parameters are double,
 * one a channel.
 *
 *   y = (x - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c] */
#ifndef CF_NORM_H
#define CF_NORM_H
#include "../cnnfast.h"

typedef struct {
    cf_dtype dtype;
    int64_t n, channels, points;
    double eps;
} cf_norm_desc;

/* Mean and biased variance of each channel. */
cf_status cf_norm_statistics(const cf_norm_desc *d, const cf_options *options, const void *x, double *mean, double *variance);
cf_status cf_norm_forward(const cf_norm_desc *d, const cf_options *options, const void *x, const double *mean,
                          const double *variance, const double *weight, const double *bias, void *y);
/* through_statistics: the statistics are functions of x (training) and not constants.  dx may be NULL. */
cf_status cf_norm_backward(const cf_norm_desc *d, const cf_options *options, int through_statistics, const void *dy,
                           const void *x, const double *mean, const double *variance, const double *weight, void *dx,
                           double *dweight, double *dbias);

#endif
