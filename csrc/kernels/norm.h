/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the kernels of normalisation, on a stretch of n neighbouring elements.  Sums are added in a fixed order:
 * some vectors in real, those in double.
 *
 * centered_squares  *total += sum of (x[i] - mean)^2
 * column_sums       totals[i] += x[i]
 * column_squares    totals[i] += (x[i] - mean[i])^2
 *
 * The others take element i's mean m, inverse deviation r, weight w and bias b from a cf_norm_stretch:
 *
 * normalise         y[i] = clamp((x[i] - m) * r * w + b + z[i], low, high);  z NULL stands for zeros, y may be x or z
 * norm_gate         g[i] = low < (x[i] - m) * r * w + b < high ? dy[i] : 0;  g may be dy
 * norm_sums         *sum += sum of w * dy[i],  *dot += sum of w * dy[i] * (x[i] - m);  all elements share m
 * column_dots       sums[i] += dy[i],  dots[i] += dy[i] * (x[i] - m) * r
 * norm_backward     dx[i] = r * (w * dy[i] - offset - slope * (x[i] - m)),  with an offset and a slope for each m;
 *                   dx may be dy */
#ifndef CF_KERNELS_NORM_H
#define CF_KERNELS_NORM_H
#include <stdint.h>

/* Element i has mean[i * own_statistics], weight[i * own_weights] and so on. */
typedef struct {
    const double *mean, *inverse;
    const void *weight, *bias; /* of real */
    int own_statistics, own_weights; /* 0 or 1 */
    double low, high; /* of normalise and norm_gate */
} cf_norm_stretch;

#define CF_NORM_KERNELS(X)                                                                                           \
    X(centered_squares, (int64_t n, const void *x, double mean, double *total))                                      \
    X(column_sums, (int64_t n, const void *x, double *totals))                                                       \
    X(column_squares, (int64_t n, const void *x, const double *mean, double *totals))                                \
    X(normalise, (int64_t n, const cf_norm_stretch *s, const void *x, const void *z, void *y))                       \
    X(norm_gate, (int64_t n, const cf_norm_stretch *s, const void *x, const void *dy, void *g))                      \
    X(norm_sums, (int64_t n, const cf_norm_stretch *s, const void *x, const void *dy, double *sum, double *dot))     \
    X(column_dots, (int64_t n, const cf_norm_stretch *s, const void *x, const void *dy, double *sums, double *dots)) \
    X(norm_backward, (int64_t n, const cf_norm_stretch *s, const double *offset, const double *slope, const void *x, \
                      const void *dy, void *dx))

#endif
