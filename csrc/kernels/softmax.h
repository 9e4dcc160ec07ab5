/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of softmax and cross entropy on up to CF_SOFTMAX_LINES lines of n classes: class c of line l lies at
 * l * ls + c * cs, and one of ls and cs is 1.  Arrays of double hold a number for each line.
 *
 * line_sums         most[l] = max x,  sum[l] = sum of exp(x - most[l])
 * softmax           y = exp(x - most[l]) * factor[l]
 * log_softmax       y = x - most[l] - shift[l]
 * softmax_backward  dx = y * (dy - sum of dy * y);  of the logarithm y: dx = dy - exp(y) * sum of dy
 * target_sums       total[l] = sum of q,  loss[l] = sum of q * (level[l] - x)
 * subtract_targets  dx -= grad[l] * q
 *
 * where q = weight[c] * (keep * t + spread), weight NULL standing for ones and t NULL for zeros. */
#ifndef CF_KERNELS_SOFTMAX_H
#define CF_KERNELS_SOFTMAX_H
#include <stdint.h>

enum { CF_SOFTMAX_LINES = 64 };

typedef struct {
    int64_t lines, n, ls, cs;
} cf_lines;

/* The part of a target that has all classes: probabilities and label smoothing. */
typedef struct {
    const void *t; /* of real, laid out as x */
    const double *weight;
    double keep, spread;
} cf_soft_target;

#define CF_SOFTMAX_KERNELS(X)                                                                                        \
    X(line_sums, (const cf_lines *s, const void *x, double *most, double *sum))                                      \
    X(softmax, (const cf_lines *s, const void *x, const double *most, const double *factor, void *y))                \
    X(log_softmax, (const cf_lines *s, const void *x, const double *most, const double *shift, void *y))             \
    X(softmax_backward, (const cf_lines *s, int logarithm, const void *y, const void *dy, void *dx))                 \
    X(target_sums,                                                                                                   \
      (const cf_lines *s, const cf_soft_target *q, const void *x, const double *level, double *total, double *loss)) \
    X(subtract_targets, (const cf_lines *s, const cf_soft_target *q, const double *grad, void *dx))

#endif
