/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the kernels of max pooling that remember places: of a maximum, the number of its point in its window, a byte.
 * Of equal values the first in scan order wins, of several NaN the last. */
#ifndef CF_KERNELS_POOL_PLACE_H
#define CF_KERNELS_POOL_PLACE_H
#include <stdint.h>

/* Planes that sums take in turns.  Windows that overlap share maxima, and a sum waits for the one before it in the same place:
 * those of other planes do not. */
enum { CF_PLACE_TURNS = 4 };

/* X(name, params) of every kernel; q < n, r < rows, t < taps:
 *
 * max_taps    y[r*ldy + q] = the largest of x[i], i = r*step + off[t] + q, place[r*ldy + q] = place0 + t*place_step + before[i],
 *             0 if `before` is NULL; where nothing is above -inf that of the first tap, or first[q] if `first` is not NULL;
 *             n is a multiple of the lanes of a vector
 * add_places  y[m*ldy + r*row_step + q*step + offset[place[i]]] += x[i], i = m*ldx + r*n + q, m < planes, in ascending i, but for
 *             those nowhere */
#define CF_PLACE_KERNELS(X)                                                                                         \
    X(max_taps, (int64_t rows, int64_t n, int64_t taps, const int64_t *off, int64_t place0, int64_t place_step,     \
                 const uint8_t *first, const uint8_t *before, const void *x, int64_t step, void *y, uint8_t *place, \
                 int64_t ldy))                                                                                      \
    X(add_places, (int64_t planes, int64_t rows, int64_t n, const int64_t *offset, const uint8_t *place,            \
                   const void *x, int64_t ldx, void *y, int64_t ldy, int64_t row_step, int64_t step))

#endif
