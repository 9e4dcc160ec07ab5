/* SPDX-License-Identifier: BSD-3-Clause */
/* Strips of depthwise convolution and the sums of their weight gradients; contracts in depthwise.h. */

#define CF_STRIP_FITS(mr) ((mr) + CF_HEIGHT_MAX + 2 <= CF_REGISTERS)
#define CF_SUMS_FIT(height, columns) ((height) * (columns) + CF_SUM_ROWS + 2 <= CF_REGISTERS)

CF_INLINE void strip_column(int mr, int height, const real *x, int64_t ldx, const real *w, vec acc[])
{
    vec tap[CF_HEIGHT_MAX];
    CF_UNROLL for (int h = 0; h < height; h++) tap[h] = broadcast(w[h]);
    CF_UNROLL for (int i = 0; i < mr + height - 1; i++, x += ldx)
    {
        CF_STEP(x);
        vec v = load(x);
        CF_PIN(v);
        CF_UNROLL for (int h = 0; h < height; h++)
        {
            if (h <= i && i < h + mr) acc[i - h] += tap[h] * v;
        }
    }
}

CF_INLINE void strip_vector(int mr, int64_t pieces, const cf_piece *piece, const int32_t *koff, const real *w,
                            const real *x, int64_t ldx, vec acc[])
{
    for (const cf_piece *end = piece + pieces; piece < end; piece++) {
        const int32_t *next = koff + piece->columns;
        switch (piece->height) {
        case 1:
            for (; koff < next; w += 1) strip_column(mr, 1, x + *koff++, ldx, w, acc);
            break;
        case 2:
            for (; koff < next; w += 2) strip_column(mr, 2, x + *koff++, ldx, w, acc);
            break;
        case 3:
            for (; koff < next; w += 3) strip_column(mr, 3, x + *koff++, ldx, w, acc);
            break;
        default:
            for (; koff < next; w += CF_HEIGHT_MAX) strip_column(mr, CF_HEIGHT_MAX, x + *koff++, ldx, w, acc);
        }
    }
}

/* Stores wait for each other, so a row that is not in a cache is waited for unless it was asked for. */
CF_INLINE void fetch_rows(int mr, real *y, int64_t ldy)
{
    CF_UNROLL for (int r = 0; r < mr; r++, y += ldy)
    {
        CF_STEP(y);
        __builtin_prefetch(y, 1);
    }
}

/* The last vector of a row ends where the row does: it computes points again that the one before has. */
CF_INLINE void strip(int mr, int64_t pieces, const cf_piece *piece, const int32_t *koff, const real *w, const real *x,
                     int64_t ldx, real *y, int64_t ldy, int64_t ahead, const real *init, int64_t lanes, int64_t last)
{
    const vec start = init ? broadcast(*init) : zero();
    for (int64_t next = 0; next < lanes; next += VL) {
        int64_t q = cf_max(0, cf_min(next, lanes - VL));
        vec acc[CF_REGISTERS];
        CF_UNROLL for (int r = 0; r < mr; r++) acc[r] = start;
        fetch_rows(mr, y + q + ahead, ldy);
        strip_vector(mr, pieces, piece, koff, w, x + q, ldx, acc);
        real *to = y + q;
        int64_t whole = cf_min(lanes - q, VL), rest = cf_max(0, cf_min(last - q, VL));
        CF_UNROLL for (int r = 0; r < mr; r++, to += ldy)
        {
            CF_STEP(to);
            if ((r < mr - 1 ? whole : rest) == VL) store(to, acc[r]);
            else store_part(to, acc[r], r < mr - 1 ? whole : rest);
        }
    }
}

#define CF_DEFINE_STRIP(mr)                                                                                          \
    static void strip_##mr(int64_t pieces, const cf_piece *piece, const int32_t *koff, const void *w, const void *x, \
                           int64_t ldx, void *y, int64_t ldy, int64_t ahead, const void *init, int64_t lanes,        \
                           int64_t last)                                                                             \
    {                                                                                                                \
        if (CF_STRIP_FITS(mr)) strip(mr, pieces, piece, koff, w, x, ldx, y, ldy, ahead, init, lanes, last);          \
    }
#define CF_STRIP_ENTRY(mr) CF_STRIP_FITS(mr) ? strip_##mr : 0,
#define CF_EACH_STRIP(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
CF_EACH_STRIP(CF_DEFINE_STRIP)
#define CF_STRIP_TABLE {0, CF_EACH_STRIP(CF_STRIP_ENTRY)}

/* ---- weight gradients */

/* Lanes [lo, hi) of mr rows; hi is VL, or lo is 0. */
CF_INLINE void sums_step(int height, int columns, int mr, const real *dy, int64_t ldy, const real *x,
                         const int32_t *koff, int64_t ldx, int64_t lo, int64_t hi, vec acc[])
{
    vec g[CF_SUM_ROWS];
    CF_UNROLL for (int r = 0; r < mr; r++) __builtin_prefetch(dy + r * ldy + ROWS_AHEAD);
    CF_UNROLL for (int r = 0; r < mr; r++) g[r] = hi - lo == VL ? load(dy + r * ldy) : load_lanes(dy + r * ldy, lo, hi);
    CF_UNROLL for (int k = 0; k < columns; k++)
    {
        const real *from = x + koff[k];
        CF_UNROLL for (int i = 0; i < mr + height - 1; i++, from += ldx)
        {
            CF_STEP(from);
            vec v = hi == VL ? load(from) : load_part(from, hi);
            CF_PIN(v);
            CF_UNROLL for (int h = 0; h < height; h++)
            {
                if (h <= i && i < h + mr) acc[h * columns + k] += g[i - h] * v;
            }
        }
    }
}

CF_INLINE void sums_rows(int height, int columns, int mr, int64_t lanes, const real *dy, int64_t ldy, const real *x,
                         const int32_t *koff, int64_t ldx, vec acc[])
{
    int64_t q = 0;
    for (; q + VL <= lanes; q += VL) sums_step(height, columns, mr, dy + q, ldy, x + q, koff, ldx, 0, VL, acc);
    if (q == lanes) return;
    int64_t rest = lanes - q, at = lanes - VL;
    if (at >= 0) sums_step(height, columns, mr, dy + at, ldy, x + at, koff, ldx, VL - rest, VL, acc);
    else sums_step(height, columns, mr, dy, ldy, x, koff, ldx, 0, rest, acc);
}

CF_INLINE void sums(int height, int columns, int64_t rows, int64_t lanes, const real *dy, int64_t ldy, const real *x,
                    const int32_t *koff, int64_t ldx, real *y, int64_t y_row, int64_t y_column)
{
    vec acc[CF_REGISTERS] = {0};
    int64_t r = 0;
    for (; r + CF_SUM_ROWS <= rows; r += CF_SUM_ROWS)
        sums_rows(height, columns, CF_SUM_ROWS, lanes, dy + r * ldy, ldy, x + r * ldx, koff, ldx, acc);
    for (; r < rows; r++) sums_rows(height, columns, 1, lanes, dy + r * ldy, ldy, x + r * ldx, koff, ldx, acc);
    CF_UNROLL for (int h = 0; h < height; h++)
    {
        CF_UNROLL for (int k = 0; k < columns; k++)
        {
            real *to = y + (h * y_row + k * y_column) * VL;
            store(to, load(to) + acc[h * columns + k]);
        }
    }
}

#define CF_DEFINE_SUMS(height, columns)                                                                               \
    static void sums_##height##x##columns(int64_t rows, int64_t lanes, const void *dy, int64_t ldy, const void *x,    \
                                          const int32_t *koff, int64_t ldx, void *y, int64_t y_row, int64_t y_column) \
    {                                                                                                                 \
        if (CF_SUMS_FIT(height, columns))                                                                             \
            sums(height, columns, rows, lanes, dy, ldy, x, koff, ldx, y, y_row, y_column);                            \
    }
#define CF_SUMS_ENTRY(height, columns) CF_SUMS_FIT(height, columns) ? sums_##height##x##columns : 0,
#define CF_EACH_SUMS(X, height) \
    X(height, 1) X(height, 2) X(height, 3) X(height, 4) X(height, 5) X(height, 6) X(height, 7) X(height, 8)
CF_EACH_SUMS(CF_DEFINE_SUMS, 1)
CF_EACH_SUMS(CF_DEFINE_SUMS, 2)
CF_EACH_SUMS(CF_DEFINE_SUMS, 3)
CF_EACH_SUMS(CF_DEFINE_SUMS, 4)
#define CF_SUMS_ROW(height) {0, CF_EACH_SUMS(CF_SUMS_ENTRY, height)}
#define CF_SUMS_TABLE {{0}, CF_SUMS_ROW(1), CF_SUMS_ROW(2), CF_SUMS_ROW(3), CF_SUMS_ROW(4)}
