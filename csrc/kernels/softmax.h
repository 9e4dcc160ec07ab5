/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of softmax and cross entropy on one line of n classes, `stride` elements apart.
 *
 * softmax            y = exp(x - max x) / sum exp(x - max x), or with `logarithm` its logarithm;  y may be x
 * softmax_backward   dx of it, from its result y and dy
 * cross_entropy      *loss = -sum_c q[c] * log softmax(x)[c], where q mixes the target with the uniform distribution:
 *                    q[c] = weight[c] * ((1 - smoothing) * t[c] + smoothing / n);  t is 1 at `target`, or `probabilities` if
 *                    target < 0 (same stride as x).  With a target the first term has weight[target].  weight may be NULL.
 * cross_entropy_backward   dx = grad * (softmax(x) * sum q - q) */
#ifndef CF_KERNELS_SOFTMAX_H
#define CF_KERNELS_SOFTMAX_H
#include <stdint.h>

#define CF_SOFTMAX_KERNELS(X)                                                                                        \
    X(softmax, (int64_t n, int64_t stride, int logarithm, const void *x, void *y))                                   \
    X(softmax_backward, (int64_t n, int64_t stride, int logarithm, const void *y, const void *dy, void *dx))         \
    X(cross_entropy, (int64_t n, int64_t stride, const void *x, int64_t target, const void *probabilities,           \
                      const double *weight, double smoothing, double *loss))                                         \
    X(cross_entropy_backward, (int64_t n, int64_t stride, const void *x, int64_t target, const void *probabilities,  \
                               const double *weight, double smoothing, double grad, void *dx))

#endif
