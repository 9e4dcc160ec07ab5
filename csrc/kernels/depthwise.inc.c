/* SPDX-License-Identifier: BSD-3-Clause */
/* Strips of depthwise convolution and the sums of their weight gradients; contracts in depthwise.h. */

#define CF_STRIP_FITS(mr) ((mr) + CF_HEIGHT_MAX + 2 <= CF_REGISTERS)
#define CF_SUMS_FIT(height, columns) ((height) * (columns) + CF_SUM_ROWS + 2 <= CF_REGISTERS)

/* The vectors from which lanes `step` apart are taken, the first real being column `at` of `width`: what is inside. */
typedef struct {
    lane_set of[CF_LANE_STEP_MAX];
} columns_inside;

CF_INLINE columns_inside columns_from(int step, int64_t at, int64_t width)
{
    columns_inside set;
    CF_UNROLL for (int i = 0; i < step; i++) set.of[i] = lanes_in(0, VL);
    if (at >= 0 && width - at >= step * VL) return set;
    CF_UNROLL for (int i = 0; i < step; i++, at += VL) set.of[i] =
        lanes_in(cf_max(0, cf_min(-at, VL)), cf_max(0, cf_min(width - at, VL)));
    return set;
}

/* set is NULL where everything is inside.  Lanes 2 apart are near each other, not in order. */
CF_INLINE vec load_columns(int step, const real *x, const columns_inside *set)
{
    vec part[CF_LANE_STEP_MAX];
    CF_UNROLL for (int i = 0; i < step; i++) part[i] = set ? load_set(x + i * VL, set->of[i]) : load(x + i * VL);
    return step == 1 ? part[0] : even_near(part[0], part[1]);
}

CF_INLINE void strip_column(int mr, int height, int step, const real *x, int64_t ldx, const columns_inside *set,
                            uint32_t inside, const real *w, int64_t w_row, vec acc[])
{
    vec tap[CF_HEIGHT_MAX];
    CF_UNROLL for (int h = 0; h < height; h++) tap[h] = broadcast(w[h * w_row]);
    CF_HERE(inside);
    CF_UNROLL for (int i = 0; i < mr + height - 1; i++, x += ldx)
    {
        CF_STEP(x);
        if (set && !(inside >> i & 1)) continue;
        vec v = load_columns(step, x, set);
        CF_PIN(v);
        CF_UNROLL for (int h = 0; h < height; h++)
        {
            if (h <= i && i < h + mr) acc[i - h] += tap[h] * v;
        }
    }
}

/* The vector at q of each row. */
CF_INLINE void strip_piece(int mr, int height, int step, int whole, const cf_strip *s, int64_t piece,
                           const cf_column *column, int64_t q, vec acc[])
{
    const cf_piece *p = &s->piece[piece];
    const real *x = (const real *)s->rows.x + step * q, *w = (const real *)s->w + p->w;
    for (const cf_column *end = column + p->columns; column < end; column++, w += p->w_column) {
        if (whole) {
            strip_column(mr, height, step, x + column->at, s->rows.ldx, NULL, 0, w, p->w_row, acc);
        } else {
            const columns_inside set = columns_from(step, s->rows.left + column->column + step * q, s->rows.width);
            strip_column(mr, height, step, x + column->at, s->rows.ldx, &set, s->inside[piece], w, p->w_row, acc);
        }
    }
}

CF_INLINE void strip_vector(int mr, int step, int whole, const cf_strip *s, int64_t q, vec acc[])
{
    const cf_column *column = s->column;
    for (int64_t i = 0; i < s->pieces; column += s->piece[i++].columns) {
        switch (s->piece[i].height) {
        case 1: strip_piece(mr, 1, step, whole, s, i, column, q, acc); break;
        case 2: strip_piece(mr, 2, step, whole, s, i, column, q, acc); break;
        case 3: strip_piece(mr, 3, step, whole, s, i, column, q, acc); break;
        default: strip_piece(mr, CF_HEIGHT_MAX, step, whole, s, i, column, q, acc);
        }
    }
}

/* Stores wait for each other, so a row that is not in a cache is waited for unless it was asked for.  Of the source as much is
 * fetched as belongs to the points, in its order. */
CF_INLINE void fetch_rows(int mr, const cf_strip *s, int64_t q)
{
    real *y = (real *)s->y + s->ahead + q;
    const real *x = (const real *)s->rows.x + ROWS_AHEAD + q * mr * s->share, *end = x + mr * VL * s->share;
    if (s->ahead) {
        CF_UNROLL for (int r = 0; r < mr; r++, y += s->ldy)
        {
            CF_STEP(y);
            __builtin_prefetch(y, 1);
        }
    }
    for (; x < end; x += 64 / sizeof(real)) __builtin_prefetch(x);
}

/* The last vector of a row ends where the row does: it computes points again that the one before has. */
CF_INLINE void strip(int mr, int step, const cf_strip *given)
{
    const cf_strip copy = *given, *s = &copy; /* which no store to y may change */
    const vec start = s->init ? broadcast(*(const real *)s->init) : zero();
    for (int64_t next = 0; next < s->lanes; next += VL) {
        int64_t q = cf_max(0, cf_min(next, s->lanes - VL));
        real *to = (real *)s->y + q;
        vec acc[CF_REGISTERS];
        CF_UNROLL for (int r = 0; r < mr; r++) acc[r] = start;
        fetch_rows(mr, s, q);
        if (s->rows.from <= q && q + VL <= s->rows.to) strip_vector(mr, step, 1, s, q, acc);
        else strip_vector(mr, step, 0, s, q, acc);
        CF_UNROLL for (int r = 0; r < mr; r++) acc[r] = step == 1 ? acc[r] : in_order(acc[r]);
        int64_t whole = cf_min(s->lanes - q, VL), rest = cf_max(0, cf_min(s->last - q, VL));
        CF_UNROLL for (int r = 0; r < mr; r++, to += s->ldy)
        {
            CF_STEP(to);
            if ((r < mr - 1 ? whole : rest) == VL) store(to, acc[r]);
            else store_part(to, acc[r], r < mr - 1 ? whole : rest);
        }
    }
}

#define CF_DEFINE_STRIP(step, mr)                      \
    static void strip_##step##_##mr(const cf_strip *s) \
    {                                                  \
        if (CF_STRIP_FITS(mr)) strip(mr, step, s);     \
    }
#define CF_STRIP_ENTRY(step, mr) CF_STRIP_FITS(mr) ? strip_##step##_##mr : 0,
#define CF_EACH_STRIP(X, step) \
    X(step, 1) X(step, 2) X(step, 3) X(step, 4) X(step, 5) X(step, 6) X(step, 7) X(step, 8) X(step, 9) X(step, 10)
CF_EACH_STRIP(CF_DEFINE_STRIP, 1)
CF_EACH_STRIP(CF_DEFINE_STRIP, 2)
#define CF_STRIP_TABLE                                                                      \
    {                                                                                       \
        {0}, {0, CF_EACH_STRIP(CF_STRIP_ENTRY, 1)}, { 0, CF_EACH_STRIP(CF_STRIP_ENTRY, 2) } \
    }

/* ---- weight gradients */

/* Lanes [lo, hi) of mr rows; hi is VL, or lo is 0. */
CF_INLINE void sums_step(int height, int columns, int mr, const real *dy, int64_t ldy, const real *x,
                         const cf_column *column, int64_t ldx, int64_t lo, int64_t hi, vec acc[])
{
    vec g[CF_SUM_ROWS];
    CF_UNROLL for (int r = 0; r < mr; r++) __builtin_prefetch(dy + r * ldy + ROWS_AHEAD);
    CF_UNROLL for (int r = 0; r < mr; r++) g[r] = hi - lo == VL ? load(dy + r * ldy) : load_lanes(dy + r * ldy, lo, hi);
    CF_UNROLL for (int k = 0; k < columns; k++)
    {
        const real *from = x + column[k].at;
        CF_UNROLL for (int i = 0; i < mr + height - 1; i++, from += ldx)
        {
            CF_STEP(from);
            vec v = hi - lo == VL ? load(from) : load_lanes(from, lo, hi); /* 0 * infinity is not 0 */
            CF_PIN(v);
            CF_UNROLL for (int h = 0; h < height; h++)
            {
                if (h <= i && i < h + mr) acc[h * columns + k] += g[i - h] * v;
            }
        }
    }
}

CF_INLINE void sums_rows(int height, int columns, int mr, int64_t lanes, const real *dy, int64_t ldy, const real *x,
                         const cf_column *column, int64_t ldx, vec acc[])
{
    int64_t q = 0;
    for (; q + VL <= lanes; q += VL) sums_step(height, columns, mr, dy + q, ldy, x + q, column, ldx, 0, VL, acc);
    if (q == lanes) return;
    int64_t rest = lanes - q, at = lanes - VL;
    if (at >= 0) sums_step(height, columns, mr, dy + at, ldy, x + at, column, ldx, VL - rest, VL, acc);
    else sums_step(height, columns, mr, dy, ldy, x, column, ldx, 0, rest, acc);
}

CF_INLINE void sums(int height, int columns, int64_t rows, int64_t lanes, const real *dy, int64_t ldy, const real *x,
                    const cf_column *column, int64_t ldx, real *y, int64_t y_row, int64_t y_column)
{
    vec acc[CF_REGISTERS] = {0};
    int64_t r = 0;
    for (; r + CF_SUM_ROWS <= rows; r += CF_SUM_ROWS)
        sums_rows(height, columns, CF_SUM_ROWS, lanes, dy + r * ldy, ldy, x + r * ldx, column, ldx, acc);
    for (; r < rows; r++) sums_rows(height, columns, 1, lanes, dy + r * ldy, ldy, x + r * ldx, column, ldx, acc);
    CF_UNROLL for (int h = 0; h < height; h++)
    {
        CF_UNROLL for (int k = 0; k < columns; k++)
        {
            real *to = y + (h * y_row + k * y_column) * VL;
            store(to, load(to) + acc[h * columns + k]);
        }
    }
}

#define CF_DEFINE_SUMS(height, columns)                                                                            \
    static void sums_##height##x##columns(int64_t rows, int64_t lanes, const void *dy, int64_t ldy, const void *x, \
                                          const cf_column *column, int64_t ldx, void *y, int64_t y_row,            \
                                          int64_t y_column)                                                        \
    {                                                                                                              \
        if (CF_SUMS_FIT(height, columns))                                                                          \
            sums(height, columns, rows, lanes, dy, ldy, x, column, ldx, y, y_row, y_column);                       \
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
