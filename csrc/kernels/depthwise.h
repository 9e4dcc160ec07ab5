/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the depthwise kernels.
 *
 * Lanes are points of a row.  Rows of a strip lie ldx apart in the source, and so do the taps of a piece: a vector of the source,
 * loaded once, meets `height` taps, whose products belong to as many rows of the strip. */
#ifndef CF_KERNELS_DEPTHWISE_H
#define CF_KERNELS_DEPTHWISE_H
#include <stdint.h>

/* Tap (h, k), h < height, k < columns, has the weight w + h*w_row + k*w_column of its channel. */
typedef struct {
    int32_t height, columns;
    int32_t w, w_row, w_column;
} cf_piece;

/* Largest strip, piece, and number of columns summed at once.  A table offers a strip of mr rows where mr + CF_HEIGHT_MAX + 2
 * registers exist, and sums of (height, columns) where height * columns + CF_SUM_ROWS + 2 do. */
enum { CF_STRIP_MAX = 14, CF_HEIGHT_MAX = 4, CF_COLUMNS_MAX = 8, CF_SUM_ROWS = 4 };

/* y[r*ldy + q] = *init + sum over the taps (h, k) of all pieces of  w[h, k] * x[koff[k] + (r + h)*ldx + q]
 *
 * r < mr   q < lanes, in the last row q < last <= lanes   init may be NULL
 * w is packed in the order (piece, k, h), koff in that of (piece, k).  Terms are added in this order in strips of any mr.
 * Whole vectors are loaded, so each row of x must be readable for max(lanes, VL) reals from koff[k] on.
 * What lies `ahead` of y, in reals, is fetched to be written next. */
typedef void cf_strip_fn(int64_t pieces, const cf_piece *piece, const int32_t *koff, const void *w, const void *x,
                         int64_t ldx, void *y, int64_t ldy, int64_t ahead, const void *init, int64_t lanes,
                         int64_t last);

/* y[h*y_row + k*y_column][l] += sum over r < rows, q < lanes, q an element of lane l, of
 *     dy[r*ldy + q] * x[koff[k] + (r + h)*ldx + q]
 *
 * h < height   k < columns   y holds vectors.  Which lane an element meets depends on lanes alone.  Nothing is read outside the
 * rows. */
typedef void cf_sums_fn(int64_t rows, int64_t lanes, const void *dy, int64_t ldy, const void *x, const int32_t *koff,
                        int64_t ldx, void *y, int64_t y_row, int64_t y_column);

#endif
