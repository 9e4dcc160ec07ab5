/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the kernels of max pooling that remember places: of a maximum, the number of its point in its window, a byte.
 * Of equal values the first in scan order wins, of several NaN the last. */
#ifndef CF_KERNELS_POOL_PLACE_H
#define CF_KERNELS_POOL_PLACE_H
#include <stdint.h>

/* X(name, params) of every kernel; q < n, r < rows, t < taps:
 *
 * max_columns    y[r*ldy + q] = the largest of x[r*ldx + i], i = start + q*step + t*dil in [0, width), place[r*ldy + q] = its t;
 *                where nothing is above -inf the first t inside
 * max_taps       y[r*ldy + q] = the largest of x[i], i = r*step + off[t] + q, place[r*ldy + q] = place0 + t*place_step + before[i];
 *                where nothing is above -inf that of the first tap; n is a multiple of the lanes of a vector
 * add_places     y[m*ldy + r*row_step + q*step + offset[place[i]]] += x[i], i = m*ldx + r*n + q, m < planes, in ascending i, but
 *                for those nowhere
 * gather_places  y[i] = sum over t of x[o], o = i - offset[t], place[o] = t, 0 <= o < total, in ascending o, begin <= i < end;
 *                offset ascends from one that is not above 0
 * spread_places  y[q*taps + t] = x[q] if place[q] = place0 + t, else 0,  q < n,  t < taps */
#define CF_PLACE_KERNELS(X)                                                                                         \
    X(max_columns, (int64_t rows, int64_t n, int64_t taps, int64_t dil, int64_t step, int64_t start, int64_t width, \
                    const void *x, int64_t ldx, void *y, uint8_t *place, int64_t ldy))                              \
    X(max_taps, (int64_t rows, int64_t n, int64_t taps, const int64_t *off, int64_t place0, int64_t place_step,     \
                 const uint8_t *before, const void *x, int64_t step, void *y, uint8_t *place, int64_t ldy))         \
    X(add_places, (int64_t planes, int64_t rows, int64_t n, const int64_t *offset, const uint8_t *place,            \
                   const void *x, int64_t ldx, void *y, int64_t ldy, int64_t row_step, int64_t step))               \
    X(gather_places, (int64_t begin, int64_t end, int64_t total, int64_t taps, const int64_t *offset,               \
                      const uint8_t *place, const void *x, void *y))                                                \
    X(spread_places, (int64_t n, int64_t taps, int64_t place0, const uint8_t *place, const void *x, void *y))

#endif
