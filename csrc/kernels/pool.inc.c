/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions of pooling windows; contracts in pool.h.  Down the rows in vectors, since lines are often shorter than one;
 * else plain loops, which compilers vectorise: the steps 1 and 2 along a row are constants, so that the loads are whole
 * vectors and even-odd shuffles. */

/* Rows are short: with registers of half the width fewer points are left over for scalar loops, which made most of them
 * 1.5 to 3 times faster (measured, Zen 4). */
#if CF_VBYTES == 64 && !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("prefer-vector-width=256")
#endif

#define CF_LANE_MAX ((lane)(CF_DOUBLE ? INT64_MAX : INT32_MAX))

CF_INLINE real larger(real a, real b) { return ((b > a) | (b != b)) ? b : a; }
CF_INLINE real combine(cf_pool_op op, real a, real b) { return op == CF_POOL_MAX ? larger(a, b) : a + b; }

/* Whether v at index `at` comes before m at index `best`. */
CF_INLINE int beats(real v, lane at, real m, lane best)
{
    int later = at > best;
    return (v > m) | ((v == m) & !later) | ((v != v) & ((m == m) | later));
}

CF_INLINE vec combine_lanes(cf_pool_op op, vec a, vec b) { return op == CF_POOL_MAX ? larger_lanes(a, b) : a + b; }

/* ---- down the rows */

/* Vectors that are reduced together. */
enum { CF_ROW_BLOCK = 4 };

/* So many vectors, each the reduction of `rows` rows of `slices` slices; of rows that lie apart in the source, those that come later
 * are fetched. */
CF_INLINE void columns_of(cf_pool_op op, int nv, int64_t slices, int64_t lds, int64_t rows, int64_t ldx, int apart,
                          const real *x, real *y)
{
    vec v[CF_ROW_BLOCK];
    CF_UNROLL for (int k = 0; k < nv; k++) v[k] = load(x + k * VL);
    for (int64_t z = 0; z < slices; z++)
        for (int64_t r = 0; r < rows; r++) {
            const real *row = x + z * lds + r * ldx;
            if (apart || r == rows - 1) __builtin_prefetch(row + ROWS_AHEAD);
            if (nv * VL > CF_ALIGN / CF_REAL_BYTES && (apart || r == rows - 1))
                __builtin_prefetch(row + CF_ALIGN / CF_REAL_BYTES + ROWS_AHEAD);
            if (z == 0 && r == 0) continue;
            CF_UNROLL for (int k = 0; k < nv; k++) v[k] = combine_lanes(op, v[k], load(row + k * VL));
        }
    CF_UNROLL for (int k = 0; k < nv; k++) store(y + k * VL, v[k]);
}

/* Lines shorter than a vector. */
CF_INLINE void short_row(cf_pool_op op, int64_t n, int64_t slices, int64_t lds, int64_t rows, int64_t ldx,
                         const real *x, real *y)
{
    vec v = load_part(x, n);
    for (int64_t z = 0; z < slices; z++)
        for (int64_t r = z == 0; r < rows; r++) v = combine_lanes(op, v, load_part(x + z * lds + r * ldx, n));
    store_part(y, v, n);
}

/* The last vectors of a line end where the line does. */
CF_INLINE void rows_of(cf_pool_op op, int64_t lines, int64_t n, int64_t slices, int64_t lds, int64_t rows, int64_t ldx,
                       const real *x, int64_t step, real *y, int64_t ldy)
{
    const int apart = step > ldx;
    const int64_t block = CF_ROW_BLOCK * VL;
    for (int64_t l = 0; l < lines; l++, x += step, y += ldy) {
        if (n < VL) short_row(op, n, slices, lds, rows, ldx, x, y);
        else if (n < block)
            for (int64_t q = 0; q < n; q += VL) {
                int64_t at = cf_min(q, n - VL);
                columns_of(op, 1, slices, lds, rows, ldx, apart, x + at, y + at);
            }
        else
            for (int64_t q = 0; q < n; q += block) {
                int64_t at = cf_min(q, n - block);
                columns_of(op, CF_ROW_BLOCK, slices, lds, rows, ldx, apart, x + at, y + at);
            }
    }
}

/* Two and three rows are met most, and faster where the compiler knows. */
CF_INLINE void some_rows_of(cf_pool_op op, int64_t lines, int64_t n, int64_t slices, int64_t lds, int64_t rows,
                            int64_t ldx, const real *x, int64_t step, real *y, int64_t ldy)
{
    if (slices == 1 && rows == 2) rows_of(op, lines, n, 1, 0, 2, ldx, x, step, y, ldy);
    else if (slices == 1 && rows == 3) rows_of(op, lines, n, 1, 0, 3, ldx, x, step, y, ldy);
    else rows_of(op, lines, n, slices, lds, rows, ldx, x, step, y, ldy);
}

static void CF_NAME(reduce_rows)(cf_pool_op op, int64_t lines, int64_t n, int64_t slices, int64_t lds, int64_t rows,
                                 int64_t ldx, const void *x, int64_t step, void *y, int64_t ldy)
{
    if (op == CF_POOL_SUM) some_rows_of(CF_POOL_SUM, lines, n, slices, lds, rows, ldx, x, step, y, ldy);
    else some_rows_of(CF_POOL_MAX, lines, n, slices, lds, rows, ldx, x, step, y, ldy);
}

/* Row b, whose elements have the indices from `row` on, after what y and at hold; or after row a, from `row_a` on. */
CF_INLINE void row_index_of(const real *restrict a, lane row_a, lane n, const real *restrict b, lane row,
                            real *restrict y, lane *restrict at)
{
    for (lane q = 0; q < n; q++) {
        const real before = a ? a[q] : y[q];
        const lane place = a ? row_a + q : at[q];
        const int take = (b[q] > before) | (b[q] != b[q]);
        y[q] = take ? b[q] : before;
        at[q] = take ? row + q : place;
    }
}

static void CF_NAME(reduce_rows_index)(int start, int64_t lines, int64_t n, int64_t rows, const void *x_, int64_t ldx,
                                       int64_t step, int64_t index0, void *y_, void *at_, int64_t ldy)
{
    const real *x = x_;
    real *y = y_;
    lane *at = at_;
    for (int64_t l = 0; l < lines; l++, x += step, index0 += step, y += ldy, at += ldy) {
        int64_t second = rows > 1 ? ldx : 0;
        if (start) row_index_of(x, (lane)index0, (lane)n, x + second, (lane)(index0 + second), y, at);
        for (int64_t r = start ? 2 : 0; r < rows; r++)
            row_index_of(NULL, 0, (lane)n, x + r * ldx, (lane)(index0 + r * ldx), y, at);
    }
}

/* ---- along the line */

#if VL > 1
/* Over adjacent pairs, then pairs of those. */
CF_INLINE real across(cf_pool_op op, vec v)
{
    real lanes[VL];
    store(lanes, v);
    CF_UNROLL for (int half = VL / 2; half > 0; half /= 2)
    {
        CF_UNROLL for (int l = 0; l < half; l++) lanes[l] = combine(op, lanes[2 * l], lanes[2 * l + 1]);
    }
    return lanes[0];
}

/* Adjacent pairs of a and b. */
CF_INLINE vec pairs(cf_pool_op op, vec a, vec b) { return combine_lanes(op, even_lanes(a, b), odd_lanes(a, b)); }

CF_INLINE vec taps_apart(cf_pool_op op, int64_t taps, int64_t dil, const real *x)
{
    vec v = load(x);
    for (int64_t t = 1; t < taps; t++) v = combine_lanes(op, v, load(x + t * dil));
    return v;
}

/* Windows two points apart, of at least two; nothing is read behind the last. */
CF_INLINE vec taps_by_2(cf_pool_op op, int64_t taps, const real *x)
{
    vec v = pairs(op, load(x), load(x + VL));
    int64_t t = 2;
    for (; t + 1 < taps; t += 2) v = combine_lanes(op, v, pairs(op, load(x + t), load(x + t + VL)));
    return t < taps ? combine_lanes(op, v, odd_lanes(load(x + t - 1), load(x + t - 1 + VL))) : v;
}

CF_INLINE vec taps_4_by_4(cf_pool_op op, const real *x)
{
    return pairs(op, pairs(op, load(x), load(x + VL)), pairs(op, load(x + 2 * VL), load(x + 3 * VL)));
}

/* Where windows are met in vectors: step 1; 2, undilated and more than a point; 4 by 4. */
CF_INLINE int is_vectorised(int64_t step, int64_t taps, int64_t dil)
{
    return step == 1 || (dil == 1 && ((step == 2 && taps > 1) || (step == 4 && taps == 4)));
}

/* n >= VL: the last vector ends where the row does. */
CF_INLINE void taps_in_vectors(cf_pool_op op, int64_t step, int64_t n, int64_t taps, int64_t dil, const real *x,
                               real divisor, real *y)
{
    const vec by = broadcast(divisor);
    for (int64_t next = 0; next < n; next += VL) {
        int64_t q = cf_min(next, n - VL);
        vec v = step == 1   ? taps_apart(op, taps, dil, x + q)
                : step == 2 ? taps_by_2(op, taps, x + 2 * q)
                            : taps_4_by_4(op, x + 4 * q);
        if (step > 1) __builtin_prefetch(x + q * step + ROWS_AHEAD);
        if (step > 2) __builtin_prefetch(x + q * step + 2 * VL + ROWS_AHEAD);
        store(y + q, op == CF_POOL_SUM ? v / by : v);
    }
}

/* The last n points before `end`, 0 < n < VL, in lanes, with what does not count in the others: a maximum may meet points twice. */
CF_INLINE vec rest_of(cf_pool_op op, const real *end, int64_t n)
{
    return op == CF_POOL_MAX ? load(end - VL) : load_lanes(end - VL, VL - n, VL);
}
#endif

/* One window of adjacent points: lanes first, then across them. */
CF_INLINE real run_of(cf_pool_op op, int64_t n, const real *x)
{
#if VL > 1
    if (n >= VL) {
        vec lanes = load(x);
        int64_t i = VL;
        for (; i + VL <= n; i += VL) {
            __builtin_prefetch(x + i + ROWS_AHEAD);
            lanes = combine_lanes(op, lanes, load(x + i));
        }
        return across(op, i < n ? combine_lanes(op, lanes, rest_of(op, x + n, n - i)) : lanes);
    }
#endif
    real total = x[0];
    for (int64_t i = 1; i < n; i++) total = combine(op, total, x[i]);
    return total;
}

#if VL > 1
/* Windows of n >= VL adjacent points, as many as lanes: each in lanes of its own, which are then met in pairs, all windows at
 * once, in the order of run_of. */
CF_INLINE vec runs_of(cf_pool_op op, int64_t n, int64_t step, const real *x)
{
    vec v[VL];
    CF_UNROLL for (int l = 0; l < VL; l++) v[l] = load(x + l * step);
    int64_t i = VL;
    for (; i + VL <= n; i += VL) CF_UNROLL for (int l = 0; l < VL; l++)
        {
            __builtin_prefetch(x + l * step + i + ROWS_AHEAD);
            v[l] = combine_lanes(op, v[l], load(x + l * step + i));
        }
    if (i < n)
        CF_UNROLL for (int l = 0; l < VL; l++) v[l] = combine_lanes(op, v[l], rest_of(op, x + l * step + n, n - i));
    CF_UNROLL for (int half = VL / 2; half > 0; half /= 2)
    {
        CF_UNROLL for (int l = 0; l < half; l++) v[l] = pairs(op, v[2 * l], v[2 * l + 1]);
    }
    return v[0];
}
#endif

CF_INLINE void long_runs(cf_pool_op op, int64_t n, int64_t taps, int64_t step, const real *x, real divisor, real *y)
{
    int64_t q = 0;
#if VL > 1
    for (; q + VL <= n; q += VL) {
        vec v = runs_of(op, taps, step, x + q * step);
        store(y + q, op == CF_POOL_SUM ? v / broadcast(divisor) : v);
    }
#endif
    for (; q < n; q++) {
        real v = run_of(op, taps, x + q * step);
        y[q] = op == CF_POOL_SUM ? v / divisor : v;
    }
}

CF_INLINE void taps_one_by_one(cf_pool_op op, int64_t step, int64_t n, int64_t taps, int64_t dil, const real *x,
                               real divisor, real *y)
{
    for (int64_t q = 0; q < n; q++) {
        real v = x[q * step];
        for (int64_t t = 1; t < taps; t++) v = combine(op, v, x[q * step + t * dil]);
        y[q] = op == CF_POOL_SUM ? v / divisor : v;
    }
}

/* Taps from which on a window is read along, not across: no vector is longer. */
enum { CF_LONG_RUN = 16 };

CF_INLINE void taps_of(cf_pool_op op, int64_t rows, int64_t n, int64_t taps, int64_t dil, int64_t step, const real *x,
                       int64_t ldx, real divisor, real *y)
{
    for (int64_t r = 0; r < rows; r++, x += ldx, y += n) {
#if VL > 1
        if (n >= VL && is_vectorised(step, taps, dil)) {
            if (step == 1 && taps == 3) taps_in_vectors(op, 1, n, 3, dil, x, divisor, y);
            else if (step == 1) taps_in_vectors(op, 1, n, taps, dil, x, divisor, y);
            else if (step == 2 && taps == 2) taps_in_vectors(op, 2, n, 2, 1, x, divisor, y);
            else if (step == 2 && taps == 3) taps_in_vectors(op, 2, n, 3, 1, x, divisor, y);
            else if (step == 2) taps_in_vectors(op, 2, n, taps, 1, x, divisor, y);
            else taps_in_vectors(op, 4, n, 4, 1, x, divisor, y);
            continue;
        }
#endif
        if (dil == 1 && taps >= CF_LONG_RUN && step > 2) long_runs(op, n, taps, step, x, divisor, y);
        else taps_one_by_one(op, step, n, taps, dil, x, divisor, y);
    }
}

static void CF_NAME(reduce_taps)(cf_pool_op op, int64_t rows, int64_t n, int64_t taps, int64_t dil, int64_t step,
                                 const void *x, int64_t ldx, double divisor, void *y)
{
    if (op == CF_POOL_MAX) taps_of(CF_POOL_MAX, rows, n, taps, dil, step, x, ldx, 1, y);
    else taps_of(CF_POOL_SUM, rows, n, taps, dil, step, x, ldx, (real)divisor, y);
}

CF_INLINE int64_t widened(lane at, int64_t base) { return at == CF_LANE_MAX ? -1 : base + at; }

/* Blocks whose indices stay in a local array until they are widened. */
enum { CF_INDEX_BLOCK = 64 };

CF_INLINE void taps_index_of(int64_t step, int64_t n, int64_t taps, int64_t dil, const real *restrict x,
                             const lane *restrict at, int64_t base, real *restrict y, int64_t *restrict index)
{
    lane best[CF_INDEX_BLOCK];
    for (int64_t q = 0; q < n; q++) {
        y[q] = x[q * step];
        best[q] = at[q * step];
    }
    for (int64_t t = 1; t < taps; t++) {
        const real *restrict v = x + t * dil;
        const lane *restrict i = at + t * dil;
        for (int64_t q = 0; q < n; q++) {
            int take = beats(v[q * step], i[q * step], y[q], best[q]);
            y[q] = take ? v[q * step] : y[q];
            best[q] = take ? i[q * step] : best[q];
        }
    }
    for (int64_t q = 0; q < n; q++) index[q] = widened(best[q], base);
}

static void CF_NAME(reduce_taps_index)(int64_t rows, int64_t n, int64_t taps, int64_t dil, int64_t step, const void *x_,
                                       const void *at_, int64_t ldx, int64_t base, void *y_, int64_t *index)
{
    real *y = y_;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < n; q += CF_INDEX_BLOCK) {
            const real *x = (const real *)x_ + r * ldx + q * step;
            const lane *at = (const lane *)at_ + r * ldx + q * step;
            int64_t to = r * n + q, block = cf_min(n - q, CF_INDEX_BLOCK);
            if (step == 1) taps_index_of(1, block, taps, dil, x, at, base, y + to, index + to);
            else if (step == 2) taps_index_of(2, block, taps, dil, x, at, base, y + to, index + to);
            else taps_index_of(step, block, taps, dil, x, at, base, y + to, index + to);
        }
}

static void CF_NAME(reduce_spans)(cf_pool_op op, int64_t n, const int64_t *start, const int64_t *end, const void *x_,
                                  void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t q = 0; q < n; q++)
        y[q] = op == CF_POOL_MAX ? run_of(CF_POOL_MAX, end[q] - start[q], x + start[q])
                                 : run_of(CF_POOL_SUM, end[q] - start[q], x + start[q]);
}

static void CF_NAME(reduce_spans_index)(int64_t n, const int64_t *start, const int64_t *end, const void *x_,
                                        const void *at_, int64_t base, void *y_, int64_t *index)
{
    const real *x = x_;
    const lane *at = at_;
    real *y = y_;
    for (int64_t q = 0; q < n; q++) {
        int64_t best = start[q];
        for (int64_t i = best + 1; i < end[q]; i++) best = beats(x[i], at[i], x[best], at[best]) ? i : best;
        y[q] = x[best];
        index[q] = widened(at[best], base);
    }
}

static void CF_NAME(divide_rows)(int64_t rows, int64_t n, double factor, const int32_t *row_count, const int32_t *count,
                                 const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    if (!count)
        for (int64_t i = 0; i < rows * n; i++) y[i] = x[i] / (real)factor;
    for (int64_t r = 0; count && r < rows; r++, x += n, y += n) {
        const real whole = (real)factor * (real)row_count[r];
        for (int64_t q = 0; q < n; q++) y[q] = x[q] / (whole * (real)count[q]);
    }
}

#include "pool_adjoint.inc.c"

#if CF_VBYTES == 64 && !defined(__clang__)
#pragma GCC pop_options
#endif
