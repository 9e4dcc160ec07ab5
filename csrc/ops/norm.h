/* SPDX-License-Identifier: BSD-3-Clause */
/* Normalisation of x (n, channels, points):
 *
 *   y = clamp((x - mean) / sqrt(variance + eps) * weight[c] + bias[c] + z, low, high)
 *
 * Elements that share a mean and a (biased) variance are a unit: a channel of the whole batch if groups == 0 (batch
 * norm, S. Ioffe and C. Szegedy, arXiv:1502.03167), else each of `groups` equal groups of channels of a sample (group
 * norm, Y. Wu and K. He, arXiv:1803.08494; instance norm with a group a channel; layer norm with one group, its
 * elements being the channels). */
#ifndef CF_NORM_H
#define CF_NORM_H
#include "../cnnfast.h"

typedef struct {
    cf_dtype dtype;
    int64_t n, channels, points, groups; /* groups divides channels */
    double eps;
    double low, high; /* of y: -INFINITY and INFINITY but for a batch (groups == 0) */
} cf_norm_desc;

/* Mean and variance of the units: results, computed from x; arguments that were computed from x; arguments that x has
 * no part in. */
typedef enum { CF_NORM_COMPUTE, CF_NORM_COMPUTED, CF_NORM_GIVEN } cf_norm_statistics;

int64_t cf_norm_units(const cf_norm_desc *d);

/* mean, variance (units,); weight and bias (channels,) are both given or both NULL; z is NULL or like x; y may be x or z.
 */
cf_status cf_norm_forward(const cf_norm_desc *d, const cf_options *options, cf_norm_statistics statistics,
                          const void *x, const void *weight, const void *bias, const void *z, double *mean,
                          double *variance, void *y);

/* Gradients where there was no z; bias matters to clamped ones only.  dweight, dbias (channels,); workspace:
 * cf_norm_workspace_bytes. */
cf_status cf_norm_backward(const cf_norm_desc *d, const cf_options *options, cf_norm_statistics statistics,
                           const void *dy, const void *x, const void *weight, const void *bias, double *mean,
                           double *variance, void *dx, double *dweight, double *dbias, void *workspace);
int64_t cf_norm_workspace_bytes(const cf_norm_desc *d);

#endif
