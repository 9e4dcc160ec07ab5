/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the depthwise kernels.
 *
 * Lanes are points of a row, which lie `step` apart in the source.  Rows of a strip lie ldx apart in the source, and so do the taps
 * of a piece: a vector of the source, loaded once, meets `height` taps, whose products belong to as many rows of the strip.
 * The source is read where it lies: what would be outside of it is taken for zero and not read. */
#ifndef CF_KERNELS_DEPTHWISE_H
#define CF_KERNELS_DEPTHWISE_H
#include <stdint.h>

/* Tap (h, k), h < height, k < columns, has the weight w + h*w_row + k*w_column of its channel.  Tap (0, 0) reads slice `front`
 * and row `top` of the source for the first point of a phase. */
typedef struct {
    int32_t height, columns;
    int32_t w, w_row, w_column;
    int64_t front, top;
} cf_piece;

/* Where the taps of a column of a piece read for the first point: reals from the place of that point, column of the source. */
typedef struct {
    int64_t at, column;
} cf_column;

/* Largest strip, piece, number of columns summed at once, and step.  A table offers a strip of mr rows where
 * mr + CF_HEIGHT_MAX + 2 registers exist, and sums of (height, columns) where height * columns + CF_SUM_ROWS + 2 do. */
enum { CF_STRIP_MAX = 10, CF_HEIGHT_MAX = 4, CF_COLUMNS_MAX = 8, CF_SUM_ROWS = 4, CF_LANE_STEP_MAX = 2 };

/* Rows of lanes of the source.  Lane q of row i is read by column c at x + c.at + i*ldx + step*q, which is column
 * left + c.column + step*q of `width` columns.  For vectors of the lanes [from, to) all of them are inside, and so are those
 * between them and behind the last. */
typedef struct {
    const void *x;
    int64_t ldx, left, width, from, to;
} cf_rows;

/* y[r*ldy + q] = *init + sum over the taps (h, k) of all pieces of  w[h, k] * (lane q of row r + h in column[k])
 *
 * r < mr   q < lanes, in the last row q < last <= lanes   init may be NULL
 * Bit i of inside[piece] tells whether row i is inside the source, and is not read where [from, to) is everything; where one is
 * not, [from, to) is empty.  Rows outside are left out, columns outside count 0 times their weight.  Terms are added in
 * the order (piece, k, h) in strips of any mr.  What lies `ahead` of y, in reals and not 0, is fetched to be written next; of what
 * follows in the source, `share` reals a point are fetched to be read later. */
typedef struct {
    int64_t pieces;
    const cf_piece *piece;
    const cf_column *column;
    const uint32_t *inside;
    const void *w, *init;
    cf_rows rows;
    void *y;
    int64_t ldy, ahead, share, lanes, last;
} cf_strip;
typedef void cf_strip_fn(const cf_strip *s);

/* y[h*y_row + k*y_column][l] += sum over r < rows, q < lanes, q an element of lane l, of
 *     dy[r*ldy + q] * x[column[k].at + (r + h)*ldx + q]
 *
 * h < height   k < columns   y holds vectors.  Which lane an element meets depends on lanes alone.  Nothing is read outside the
 * rows. */
typedef void cf_sums_fn(int64_t rows, int64_t lanes, const void *dy, int64_t ldy, const void *x,
                        const cf_column *column, int64_t ldx, void *y, int64_t y_row, int64_t y_column);

#endif
