/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the pooling kernels: one row of one plane.  Where a window is given as [start[q], end[q]), it is not empty.
 *
 * max_row        y[q] = max(y[q], x[q*step]),  q < n;  NaN wins
 * max_row_index  the same, and index[q] = index0 + q*step where x was taken; a negative index takes anything.  Of equal values the
 *                first stays, of several NaN the last, as in PyTorch.
 * sum_row        y[q] += x[q*step]
 * window_max     as max_row_index over x[start[q]] ... x[end[q] - 1], index0 belonging to x[0]
 * window_sum     y[q] += sum of x[start[q]] ... x[end[q] - 1]
 * window_add     dx[i] += dy[q] for start[q] <= i < end[q]
 * divide_row     y[q] = x[q] / (factor * count[q])
 * scatter_add    dx[index[q]] += dy[q], in ascending q
 * scatter_set    y[index[q]] = x[q], in ascending q
 * gather_index   dx[q] = dy[index[q]] */
#ifndef CF_KERNELS_POOL_H
#define CF_KERNELS_POOL_H
#include <stdint.h>

#define CF_POOL_KERNELS(X)                                                                                          \
    X(max_row, (int64_t n, const void *x, int64_t step, void *y))                                                   \
    X(max_row_index, (int64_t n, const void *x, int64_t step, int64_t index0, void *y, int64_t *index))             \
    X(sum_row, (int64_t n, const void *x, int64_t step, void *y))                                                   \
    X(window_max, (int64_t n, const int64_t *start, const int64_t *end, const void *x, int64_t index0, void *y,     \
                   int64_t *index))                                                                                 \
    X(window_sum, (int64_t n, const int64_t *start, const int64_t *end, const void *x, void *y))                    \
    X(window_add, (int64_t n, const int64_t *start, const int64_t *end, const void *dy, void *dx))                  \
    X(divide_row, (int64_t n, double factor, const double *count, const void *x, void *y))                          \
    X(scatter_add, (int64_t n, const int64_t *index, const void *dy, void *dx))                                     \
    X(scatter_set, (int64_t n, const int64_t *index, const void *x, void *y))                                       \
    X(gather_index, (int64_t n, const int64_t *index, const void *dy, void *dx))

#endif
