/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the kernels of local response normalisation, on rows of n neighbouring points of `count` neighbouring
 * channels, which lie ld elements apart.
 *
 * lrn_scale     s[i] = k + alpha * sum of x[j * ld + i]^2, j < count
 * lrn_power     y[i] = x[i] * z[i] * s[i]^-beta,  z NULL standing for ones;  y may be s
 * lrn_backward  dx[i] = dy[i] * s[i]^-beta - factor * x[i] * sum of t[j * ld + i], j < count;  dx may be s */
#ifndef CF_KERNELS_LRN_H
#define CF_KERNELS_LRN_H
#include <stdint.h>

#define CF_LRN_KERNELS(X)                                                                                            \
    X(lrn_scale, (int64_t n, int64_t count, int64_t ld, double k, double alpha, const void *x, void *s))             \
    X(lrn_power, (int64_t n, double beta, const void *x, const void *z, const void *s, void *y))                     \
    X(lrn_backward, (int64_t n, int64_t count, int64_t ld, double beta, double factor, const void *x, const void *t, \
                     const void *s, const void *dy, void *dx))

#endif
