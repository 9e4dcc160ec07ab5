/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the kernels of batch norm, on one run of a channel; sums are added in a fixed order, blocks of them in double.
 *
 * centered_squares  *total += sum of (x[i] - mean)^2,  i < n
 * normalise         y[i] = (x[i] - mean) * scale + shift
 * norm_sums         *sum += sum of dy[i],  *dot += sum of dy[i] * (x[i] - mean)
 * norm_backward     dx[i] = scale * dy[i] - offset - slope * (x[i] - mean) */
#ifndef CF_KERNELS_NORM_H
#define CF_KERNELS_NORM_H
#include <stdint.h>

#define CF_NORM_KERNELS(X)                                                                                          \
    X(centered_squares, (int64_t n, const void *x, double mean, double *total))                                     \
    X(normalise, (int64_t n, const void *x, double mean, double scale, double shift, void *y))                      \
    X(norm_sums, (int64_t n, const void *x, const void *dy, double mean, double *sum, double *dot))                 \
    X(norm_backward, (int64_t n, const void *x, const void *dy, double mean, double scale, double offset, double slope, \
                      void *dx))

#endif
