/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the pooling kernels.
 *
 * A window is reduced down its rows into a line, then along the line: kh + kw operations a point instead of kh * kw.
 * `op` is the larger (NaN wins) or the sum.  Maxima that know their place carry an index as wide as a real beside each
 * value; of equal values the least index wins, of several NaN the greatest: the first maximum and the last NaN in scan
 * order, as in PyTorch.  Padding has the greatest index there is, cf_nowhere(). */
#ifndef CF_KERNELS_POOL_H
#define CF_KERNELS_POOL_H
#include <stdint.h>

/* Planes that sums take in turns.  Windows that overlap share maxima, and a sum waits for the one before it in the same place:
 * those of other planes do not. */
enum { CF_PLANE_TURNS = 4 };

typedef enum { CF_POOL_MAX, CF_POOL_SUM } cf_pool_op;

/* The index of padding beside reals of `size` bytes. */
static inline int64_t cf_nowhere(int64_t size) { return size == 8 ? INT64_MAX : INT32_MAX; }

/* X(name, params) of every kernel; q < n, r < rows, t < taps, rows > 0:
 *
 * reduce_rows        y[l*ldy + q] = op over z < slices and r of x[l*step + z*lds + r*ldx + q];  l < lines
 * reduce_rows_index  the maximum over r, and over itself unless `start`, with at[l*ldy + q] = its index; x[i] has the index
 *                    index0 + i
 * reduce_taps        y[r*n + q] = op over t of x[r*ldx + q*step + t*dil]; a sum / divisor
 * reduce_taps_index  the maximum, with index[r*n + q] = base + its index, -1 if that is nowhere; x[i] has index at[i]
 * reduce_spans       y[q] = op over start[q] <= i < end[q] of x[i], no span being empty
 * reduce_spans_index the maximum of each span, with index as reduce_taps_index
 * divide_rows        y[r*n + q] = x[r*n + q] / (factor * row_count[r] * count[q]);  no counts if `count` is NULL
 * spread_taps        y[i] = sum of x[q], q*step + t*dil == i,  i < len: the adjoint of a sum by reduce_taps
 * spread_spans       y[i] = sum of x[q], start[q] <= i < end[q],  i < len: the adjoint of a sum by reduce_spans
 * scatter_add        y[(p*size + index[i])*lanes + l] += x[i], i = (p*n + q)*lanes + l, in ascending q, but for negative indices;
 *                    p < planes, l < lanes
 * scatter_set        y[index[q]] = x[q], in ascending q
 * gather             y[q] = x[index[q]]
 * power              y[q] = (factor * x[q]) ^ exponent
 * power_backward     dx[q] = dy[q] * d power / d x[q], but 0 where x[q] is 0 if `flat_at_zero` */
#define CF_POOL_KERNELS(X)                                                                                             \
    X(reduce_rows, (cf_pool_op op, int64_t lines, int64_t n, int64_t slices, int64_t lds, int64_t rows, int64_t ldx,   \
                    const void *x, int64_t step, void *y, int64_t ldy))                                                \
    X(reduce_rows_index, (int start, int64_t lines, int64_t n, int64_t rows, const void *x, int64_t ldx, int64_t step, \
                          int64_t index0, void *y, void *at, int64_t ldy))                                             \
    X(reduce_taps, (cf_pool_op op, int64_t rows, int64_t n, int64_t taps, int64_t dil, int64_t step, const void *x,    \
                    int64_t ldx, double divisor, void *y))                                                             \
    X(reduce_taps_index, (int64_t rows, int64_t n, int64_t taps, int64_t dil, int64_t step, const void *x,             \
                          const void *at, int64_t ldx, int64_t base, void *y, int64_t *index))                         \
    X(reduce_spans, (cf_pool_op op, int64_t n, const int64_t *start, const int64_t *end, const void *x, void *y))      \
    X(reduce_spans_index, (int64_t n, const int64_t *start, const int64_t *end, const void *x, const void *at,         \
                           int64_t base, void *y, int64_t *index))                                                     \
    X(divide_rows, (int64_t rows, int64_t n, double factor, const int32_t *row_count, const int32_t *count,            \
                    const void *x, void *y))                                                                           \
    X(spread_taps, (int64_t n, int64_t taps, int64_t dil, int64_t step, const void *x, int64_t len, void *y))          \
    X(spread_spans, (int64_t n, const int64_t *start, const int64_t *end, const void *x, int64_t len, void *y))        \
    X(scatter_add,                                                                                                     \
      (int64_t planes, int64_t n, int64_t size, int64_t lanes, const int64_t *index, const void *x, void *y))          \
    X(scatter_set, (int64_t n, const int64_t *index, const void *x, void *y))                                          \
    X(gather, (int64_t n, const int64_t *index, const void *x, void *y))                                               \
    X(power, (int64_t n, double factor, double exponent, const void *x, void *y))                                      \
    X(power_backward,                                                                                                  \
      (int64_t n, double factor, double exponent, int flat_at_zero, const void *x, const void *dy, void *dx))

#endif
