/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise functions over whole arrays. */
#ifndef CF_ACTIVATION_H
#define CF_ACTIVATION_H
#include "../cnnfast.h"
#include "../kernels/activation.h"

typedef struct {
    cf_dtype dtype;
    cf_activation_kind kind;
    double a, b;
    int64_t n; /* elements */
} cf_activation_desc;

/* y = f(x) */
cf_status cf_activation_forward(const cf_activation_desc *d, const cf_options *options, const void *x, void *y);
/* dx = f'(x) * dy */
cf_status cf_activation_backward(const cf_activation_desc *d, const cf_options *options, const void *x, const void *dy,
                                 void *dx);

/* y = clamp(x + z, low, high) on n elements; y may be x or z. */
cf_status cf_add(cf_dtype dtype, const cf_options *options, int64_t n, double low, double high, const void *x,
                 const void *z, void *y);

/* x (n, channels, points); the slope below zero is weight[c], or weight[0] if weights == 1. */
typedef struct {
    cf_dtype dtype;
    int64_t n, channels, points, weights;
} cf_prelu_desc;

cf_status cf_prelu_forward(const cf_prelu_desc *d, const cf_options *options, const void *x, const void *weight,
                           void *y);
/* dw (weights,); sums (channels,) of double is scratch. */
cf_status cf_prelu_backward(const cf_prelu_desc *d, const cf_options *options, const void *x, const void *weight,
                            const void *dy, void *dx, void *dw, double *sums);

#endif
