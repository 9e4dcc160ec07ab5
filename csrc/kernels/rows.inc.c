/* SPDX-License-Identifier: BSD-3-Clause */
/* Copiers of rows; contracts in dense.h. */

#if VL > 1
/* Lanes [lo, hi) from s[l * step], step 1 or 2; the others are zero and nothing is read for them. */
CF_INLINE vec load_strided(const real *s, int64_t lo, int64_t hi, int step)
{
    if (step == 1) return load_lanes(s, lo, hi);
    int64_t from = 2 * lo, to = cf_max(2 * hi - 1, from);
    return even_lanes(load_lanes(s, cf_min(from, VL), cf_min(to, VL)),
                      load_lanes(s + VL, cf_max(from - VL, 0), cf_max(to - VL, 0)));
}

/* One vector of a row, whose lanes [lo, hi), as far as there are such, come from s[(at + lane) * step], and of which `width`
 * lanes at most are written.  Where none come from there, nothing is loaded, not even under an empty mask: s may be NULL, and
 * masked access to an unmapped page doubled the time of LeNet's C3 for the gradient of its input (Zen 4). */
CF_INLINE void gather_vector(real *d, const real *s, int64_t at, int64_t width, int64_t lo, int64_t hi, int step,
                             vec fill)
{
    lo = cf_min(lo, VL);
    hi = cf_min(hi, VL);
    vec v = lo < hi ? pick(lanes_between(lo, hi), load_strided(s + at * step, lo, hi, step), fill) : fill;
    if (width >= VL) store(d, v);
    else store_part(d, v, width);
}

/* Rows are read one after another, as memory likes it.  Vectors [head, tail) of each come from the source as they are, with step
 * 2 if there is a real behind them, since that is loaded too; one more, which ends where the row does, if the source goes so
 * far. */
CF_INLINE void gather_vectors(real *d, int64_t ldd, const real *s, int64_t lds, int64_t rows, int64_t len,
                              int64_t first, int64_t last, int step, vec fill)
{
    int64_t head = cf_min(cf_round_up(first, VL), len), tail = cf_max(head, (last + 1 - step) / VL * VL),
            end = len - VL;
    int ends_whole = tail < len && last == len && end >= first;
    for (int64_t r = 0; r < rows; r++, d += ldd, s += lds) {
        for (int64_t q = 0; q < head; q += VL)
            gather_vector(d + q, s, q - first, len - q, first - q, last - q, step, fill);
        for (int64_t q = head; q < tail; q += VL) {
            const real *from = s + (q - first) * step;
            __builtin_prefetch(from + ROWS_AHEAD);
            store(d + q, step == 1 ? load(from) : even_lanes(load(from), load(from + VL)));
        }
        if (ends_whole) store(d + end, load_strided(s + (end - first) * step, 0, VL, step));
        for (int64_t q = ends_whole ? len : tail; q < len; q += VL)
            gather_vector(d + q, s, q - first, len - q, 0, last - q, step, fill);
    }
}
#endif

static void gather_scalars(real *d, int64_t ldd, const real *s, int64_t lds, int64_t rows, int64_t len, int64_t first,
                           int64_t last, int64_t step, real fill)
{
    for (int64_t r = 0; r < rows; r++, d += ldd, s += lds) {
        for (int64_t q = 0; q < first; q++) d[q] = fill;
        for (int64_t q = first; q < last; q++) d[q] = s[(q - first) * step];
        for (int64_t q = last; q < len; q++) d[q] = fill;
    }
}

static void CF_NAME(gather_rows)(void *dst, int64_t ldd, const void *src, int64_t lds, int64_t rows, int64_t len,
                                 int64_t first, int64_t last, int64_t step, double fill)
{
#if VL > 1
    if (step == 1) gather_vectors(dst, ldd, src, lds, rows, len, first, last, 1, broadcast((real)fill));
    else if (step == 2) gather_vectors(dst, ldd, src, lds, rows, len, first, last, 2, broadcast((real)fill));
    else
#endif
        gather_scalars(dst, ldd, src, lds, rows, len, first, last, step, (real)fill);
}

/* Fetches what is written later. */
CF_INLINE void copy_fetching(real *restrict d, const real *restrict s, int64_t n)
{
    for (int64_t q = 0; q < n; q += VL) __builtin_prefetch(d + q + ROWS_AHEAD, 1);
    copy(d, s, n);
}

static void CF_NAME(scatter_rows)(void *dst, int64_t ldd, int64_t step, const void *src, int64_t lds, int64_t rows,
                                  int64_t len)
{
    real *d = dst;
    const real *s = src;
    for (int64_t r = 0; r < rows; r++, d += ldd, s += lds) {
        if (step == 1) copy_fetching(d, s, len);
        else
            for (int64_t q = 0; q < len; q++) d[q * step] = s[q];
    }
}

#if VL > 1
CF_INLINE void interleave_vectors(real *d, vec even, vec odd)
{
    __builtin_prefetch(d + ROWS_AHEAD, 1);
    __builtin_prefetch(d + VL + ROWS_AHEAD, 1);
    store(d, zip_low(even, odd));
    store(d + VL, zip_high(even, odd));
}
#endif

static void CF_NAME(interleave_rows)(void *dst, int64_t ldd, const void *even, const void *odd, int64_t lds,
                                     int64_t rows, int64_t len)
{
    real *d = dst;
    const real *a = even, *b = odd;
    for (int64_t r = 0; r < rows; r++, d += ldd, a += lds, b += lds) {
        int64_t q = 0;
#if VL > 1
        for (; 2 * (q + VL) <= len; q += VL) interleave_vectors(d + 2 * q, load(a + q), load(b + q));
        if (q > 0 && len % 2 == 0) {
            q = len / 2 - VL; /* vectors that end where the row does */
            interleave_vectors(d + 2 * q, load(a + q), load(b + q));
        } else if (2 * q < len) {
            int64_t rest = len - 2 * q;
            vec u = load_part(a + q, (rest + 1) / 2), v = load_part(b + q, rest / 2);
            store_part(d + 2 * q, zip_low(u, v), cf_min(rest, VL));
            store_part(d + 2 * q + VL, zip_high(u, v), cf_max(rest - VL, 0));
        }
#else
        for (; 2 * q + 1 < len; q++) {
            d[2 * q] = a[q];
            d[2 * q + 1] = b[q];
        }
        if (2 * q < len) d[2 * q] = a[q];
#endif
    }
}

static void CF_NAME(add_rows)(void *dst, int64_t ldd, int64_t step, const void *src, int64_t lds, int64_t rows,
                              int64_t len)
{
    real *d = dst;
    const real *s = src;
    for (int64_t r = 0; r < rows; r++, d += ldd, s += lds) {
        if (step == 1)
            for (int64_t q = 0; q < len; q++) d[q] += s[q];
        else
            for (int64_t q = 0; q < len; q++) d[q * step] += s[q];
    }
}

/* Mean, inverse deviation, weight, bias. */
typedef struct {
    vec of[4];
} norm_vectors;

CF_INLINE norm_vectors norm_of(const cf_finish *f, int64_t row)
{
    norm_vectors v;
    CF_UNROLL for (int i = 0; i < 4; i++) v.of[i] = broadcast(((const real *)f->norm)[i * f->stride + row * f->step]);
    return v;
}

CF_INLINE vec finished(int normed, int with_z, const norm_vectors *v, vec y, vec z, vec low, vec high)
{
    if (normed) y = (y - v->of[0]) * v->of[1] * v->of[2] + v->of[3];
    if (with_z) y += z;
    return clamp_vector(y, low, high);
}

CF_INLINE void finish(int normed, int with_z, const cf_finish *f, real *y, const real *z, int64_t ld, int64_t rows,
                      int64_t len)
{
    const vec low = broadcast((real)f->low), high = broadcast((real)f->high);
    for (int64_t r = 0; r < rows; r++, y += ld, z += with_z ? ld : 0) {
        norm_vectors v = {{zero()}};
        if (normed) v = norm_of(f, r);
        int64_t q = 0;
        for (; q + VL <= len; q += VL)
            store(y + q, finished(normed, with_z, &v, load(y + q), with_z ? load(z + q) : low, low, high));
        if (q == len) continue;
        const vec rest = with_z ? load_part(z + q, len - q) : low;
        store_part(y + q, finished(normed, with_z, &v, load_part(y + q, len - q), rest, low, high), len - q);
    }
}

static void CF_NAME(finish_rows)(const cf_finish *f, void *y, const void *z, int64_t ld, int64_t rows, int64_t len)
{
    if (f->norm && z) finish(1, 1, f, y, z, ld, rows, len);
    else if (f->norm) finish(1, 0, f, y, z, ld, rows, len);
    else if (z) finish(0, 1, f, y, z, ld, rows, len);
    else finish(0, 0, f, y, z, ld, rows, len);
}

static void CF_NAME(fill_columns)(int64_t rows, int64_t n, double value, void *y_, int64_t ldy)
{
    real *y = y_;
    for (int64_t q = 0; q < n; q++)
        for (int64_t r = 0; r < rows; r++) y[r * ldy + q] = (real)value;
}
