/* SPDX-License-Identifier: BSD-3-Clause */
/* Maxima along one axis and their adjoint; contracts in pool_place.h. */

/* Places, as integers as wide as a real where they are compared, as bytes where they are kept. */
#if VL > 1
typedef ivec places, place_mask;
CF_INLINE places same_place(int64_t k) { return (places){0} + (lane)k; }
#else
typedef lane places;
typedef int place_mask;
CF_INLINE places same_place(int64_t k) { return (lane)k; }
#endif

#if CF_VBYTES == 32
/* gcc 12 makes three operations of a choice, or an intrinsic and a comparison with zero; the machine has one. */
CF_INLINE vec choose(place_mask mask, vec yes, vec no)
{
    __asm__("vpblendvb %3, %1, %2, %0" : "=x"(no) : "x"(yes), "x"(no), "x"(mask));
    return no;
}
#elif VL > 1
CF_INLINE vec choose(place_mask mask, vec yes, vec no) { return pick(mask, yes, no); }
#else
CF_INLINE vec choose(place_mask mask, vec yes, vec no) { return mask ? yes : no; }
#endif
#if VL > 1
CF_INLINE places choose_place(place_mask mask, places yes, places no)
{
    return (places)choose(mask, (vec)yes, (vec)no);
}
#else
CF_INLINE places choose_place(place_mask mask, places yes, places no) { return mask ? yes : no; }
#endif

/* gcc 12 converts vectors of bytes one by one. */
#if CF_VBYTES == 64 && CF_DOUBLE
CF_INLINE places load_places(const uint8_t *p)
{
    return (places)_mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)p));
}
CF_INLINE void store_places(uint8_t *p, places k) { _mm_storel_epi64((__m128i *)p, _mm512_cvtepi64_epi8((__m512i)k)); }
#elif CF_VBYTES == 64
CF_INLINE places load_places(const uint8_t *p)
{
    return (places)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
CF_INLINE void store_places(uint8_t *p, places k) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8((__m512i)k)); }
#elif CF_VBYTES == 32
CF_INLINE places load_places(const uint8_t *p)
{
#if CF_DOUBLE
    return (places)_mm256_cvtepu8_epi64(_mm_loadu_si32(p));
#else
    return (places)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
#endif
}
CF_INLINE void store_places(uint8_t *p, places k)
{
    const char step = CF_REAL_BYTES, none = -1; /* the low bytes to the front of either half */
    const __m128i front = _mm_setr_epi8(0, step, CF_DOUBLE ? none : 2 * step, CF_DOUBLE ? none : 3 * step, none, none,
                                        none, none, none, none, none, none, none, none, none, none);
    const __m256i low = _mm256_shuffle_epi8((__m256i)k, _mm256_set_m128i(front, front));
    const __m128i first = _mm256_castsi256_si128(low), second = _mm256_extracti128_si256(low, 1);
    if (CF_DOUBLE) _mm_storeu_si32(p, _mm_unpacklo_epi16(first, second));
    else _mm_storel_epi64((__m128i *)p, _mm_unpacklo_epi32(first, second));
}
#elif VL > 1
CF_INLINE places load_places(const uint8_t *p)
{
    lane lanes[VL];
    for (int l = 0; l < VL; l++) lanes[l] = p[l];
    return *(const ivec_unaligned *)lanes;
}
CF_INLINE void store_places(uint8_t *p, places k)
{
    lane lanes[VL];
    *(ivec_unaligned *)lanes = k;
    for (int l = 0; l < VL; l++) p[l] = (uint8_t)lanes[l];
}
#else
CF_INLINE places load_places(const uint8_t *p) { return *p; }
CF_INLINE void store_places(uint8_t *p, places k) { *p = (uint8_t)k; }
#endif

/* ---- maxima */

/* Element l*step of x in lane l, step 1, 2 or more; of step 2 either those and the ones between them, or the ones before. */
#if VL > 1
CF_INLINE vec lanes_apart(const real *x, int64_t step, int64_t before)
{
    if (step == 1) return load(x);
    if (step == 2 && before) return odd_lanes(load(x - 1), load(x - 1 + VL));
    if (step == 2) return even_lanes(load(x), load(x + VL));
    real lanes[VL];
    CF_UNROLL for (int l = 0; l < VL; l++) lanes[l] = x[l * step];
    return load(lanes);
}
#else
#define lanes_apart(x, step, before) load(x)
#endif

/* Windows inside of the row; the last vector ends where they do.  n >= VL; step 2 has taps > 1. */
CF_INLINE void max_inside(int64_t n, int64_t taps, int64_t dil, int64_t step, const real *x, real *y, uint8_t *place)
{
    for (int64_t next = 0; next < n; next += VL) {
        const int64_t q = cf_min(next, n - VL);
        const real *from = x + q * step;
        vec most = lanes_apart(from, step, 0);
        places at = same_place(0);
        for (int64_t t = 1; t < taps; t++) {
            const vec v = lanes_apart(from + t * dil, step, 1);
            const place_mask above = (v > most) | (v != v);
            most = choose(above, v, most);
            at = choose_place(above, same_place(t), at);
        }
        __builtin_prefetch((const void *)((uintptr_t)from + ROWS_AHEAD * sizeof(real))); /* not an element of x */
        store(y + q, most);
        store_places(place + q, at);
    }
}

/* Windows [q, end), of which what lies outside of the row counts nothing. */
CF_INLINE void max_across(int64_t q, int64_t end, int64_t taps, int64_t dil, int64_t step, int64_t start, int64_t width,
                          const real *x, real *y, uint8_t *place)
{
    for (; q < end; q++) {
        const int64_t from = start + q * step, first = from < 0 ? cf_min(cf_ceil_div(-from, dil), taps - 1) : 0;
        real most = -(real)__builtin_inf();
        int64_t at = first;
        for (int64_t t = first; t < taps && from + t * dil < width; t++) {
            if (from + t * dil < 0) continue;
            const real v = x[from + t * dil];
            const int above = (v > most) | (v != v);
            most = above ? v : most;
            at = above ? t : at;
        }
        y[q] = most;
        place[q] = (uint8_t)at;
    }
}

/* Reals of a line with less than a vector of windows, which is met in a copy: whole vectors of windows end in it. */
enum { CF_NARROW_LINE = 6 * VL };

CF_INLINE int is_narrow(int64_t n, int64_t taps, int64_t dil, int64_t step)
{
    return 0 < n && n < VL && !(step == 2 && taps == 1) && (VL + 1) * step + (taps - 1) * dil + VL <= CF_NARROW_LINE;
}

CF_INLINE void max_narrow(int64_t n, int64_t taps, int64_t dil, int64_t step, const real *x, real *y, uint8_t *place)
{
    real line[CF_NARROW_LINE] = {0}, most[VL];
    uint8_t at[VL];
    copy(line, x, (n - 1) * step + (taps - 1) * dil + 1);
    if (step == 2 && taps == 2) max_inside(VL, 2, dil, 2, line, most, at);
    else if (step == 2) max_inside(VL, taps, dil, 2, line, most, at);
    else max_inside(VL, taps, dil, step, line, most, at);
    copy(y, most, n);
    memcpy(place, at, (size_t)n);
}

static void CF_NAME(max_columns)(int64_t rows, int64_t n, int64_t taps, int64_t dil, int64_t step, int64_t start,
                                 int64_t width, const void *x_, int64_t ldx, void *y_, uint8_t *place, int64_t ldy)
{
    const real *x = x_;
    real *y = y_;
    const int64_t room = width - 1 - (taps - 1) * dil - start;
    const int64_t head = cf_min(n, cf_ceil_div(cf_max(0, -start), step));
    const int64_t tail = cf_max(head, cf_min(n, room < 0 ? 0 : room / step + 1)), inside = tail - head;
    const int narrow = is_narrow(inside, taps, dil, step);
#define CF_MAX_INSIDE(taps, dil, step) \
    max_inside(inside, taps, dil, step, x + start + head * step, y + head, place + head)
    for (int64_t r = 0; r < rows; r++, x += ldx, y += ldy, place += ldy) {
        max_across(0, head, taps, dil, step, start, width, x, y, place);
        if (narrow) max_narrow(inside, taps, dil, step, x + start + head * step, y + head, place + head);
        else if (inside < VL || (step == 2 && taps == 1))
            max_across(head, tail, taps, dil, step, start, width, x, y, place);
        else if (step == 1 && taps == 3) CF_MAX_INSIDE(3, dil, 1);
        else if (step == 1) CF_MAX_INSIDE(taps, dil, 1);
        else if (step == 2 && taps == 2) CF_MAX_INSIDE(2, dil, 2);
        else if (step == 2 && taps == 3) CF_MAX_INSIDE(3, dil, 2);
        else if (step == 2) CF_MAX_INSIDE(taps, dil, 2);
        else CF_MAX_INSIDE(taps, dil, step);
        max_across(tail, n, taps, dil, step, start, width, x, y, place);
    }
#undef CF_MAX_INSIDE
}

CF_INLINE void max_rows(int64_t rows, int64_t n, int64_t taps, const int64_t *off, int64_t place0, int64_t place_step,
                        const uint8_t *before, const real *x, int64_t step, real *y, uint8_t *place, int64_t ldy)
{
    const places unit = same_place(place_step);
    for (int64_t r = 0; r < rows; r++, x += step, y += ldy, place += ldy, before += step)
        for (int64_t q = 0; q < n; q += VL) {
            vec most = broadcast(-(real)__builtin_inf());
            places tap = same_place(place0), at = tap;
            if (taps) at += load_places(before + off[0] + q);
            for (int64_t t = 0; t < taps; t++, tap += unit) {
                const vec v = load(x + off[t] + q);
                const place_mask above = (v > most) | (v != v);
                most = choose(above, v, most);
                at = choose_place(above, tap + load_places(before + off[t] + q), at);
            }
            store(y + q, most);
            store_places(place + q, at);
        }
}

static void CF_NAME(max_taps)(int64_t rows, int64_t n, int64_t taps, const int64_t *off, int64_t place0,
                              int64_t place_step, const uint8_t *before, const void *x, int64_t step, void *y,
                              uint8_t *place, int64_t ldy)
{
    if (taps == 2) max_rows(rows, n, 2, off, place0, place_step, before, x, step, y, place, ldy);
    else if (taps == 3) max_rows(rows, n, 3, off, place0, place_step, before, x, step, y, place, ldy);
    else max_rows(rows, n, taps, off, place0, place_step, before, x, step, y, place, ldy);
}

/* ---- their gradient */

CF_INLINE void add_in_turns(int planes, int64_t rows, int64_t n, const int64_t *restrict offset,
                            const uint8_t *restrict place, const real *restrict x, int64_t ldx, real *restrict y,
                            int64_t ldy, int64_t row_step, int64_t step)
{
    for (int64_t r = 0; r < rows; r++, y += row_step) {
        real *to = y;
        for (int64_t q = 0; q < n; q++, to += step, place++, x++) CF_UNROLL for (int m = 0; m < planes; m++)
            {
                const uint8_t at = place[m * ldx];
                if (at != CF_PLACE_NOWHERE) to[m * ldy + offset[at]] += x[m * ldx];
            }
    }
}

static void CF_NAME(add_places)(int64_t planes, int64_t rows, int64_t n, const int64_t *offset, const uint8_t *place,
                                const void *x_, int64_t ldx, void *y_, int64_t ldy, int64_t row_step, int64_t step)
{
    const real *x = x_;
    real *y = y_;
    int64_t m = 0;
    for (; m + CF_PLANE_TURNS <= planes; m += CF_PLANE_TURNS)
        add_in_turns(CF_PLANE_TURNS, rows, n, offset, place + m * ldx, x + m * ldx, ldx, y + m * ldy, ldy, row_step,
                     step);
    for (; m < planes; m++)
        add_in_turns(1, rows, n, offset, place + m * ldx, x + m * ldx, ldx, y + m * ldy, ldy, row_step, step);
}

/* v where a place is this one, else zero. */
#if VL > 1
CF_INLINE vec where_at(places at, places tap, vec v) { return (vec)((at == tap) & (ivec)v); }
#else
CF_INLINE vec where_at(places at, places tap, vec v) { return at == tap ? v : 0; }
#endif

CF_INLINE real gather_one(int64_t i, int64_t total, int64_t taps, const int64_t *offset, const uint8_t *place,
                          const real *x)
{
    real sum = 0;
    for (int64_t t = taps - 1; t >= 0; t--) {
        const int64_t from = i - offset[t];
        if (from >= 0 && from < total && place[from] == t) sum += x[from];
    }
    return sum;
}

/* Vectors that are summed together. */
enum { CF_GATHERED = 4 };

CF_INLINE void gather_vectors_at(int64_t taps, const int64_t *offset, const uint8_t *place, const real *x, real *y)
{
    vec sum[CF_GATHERED];
    CF_UNROLL for (int k = 0; k < CF_GATHERED; k++) sum[k] = zero();
    places tap = same_place(taps - 1);
    for (int64_t t = taps - 1; t >= 0; t--, tap -= same_place(1)) CF_UNROLL for (int k = 0; k < CF_GATHERED; k++)
        {
            const int64_t from = k * VL - offset[t];
            sum[k] += where_at(load_places(place + from), tap, load(x + from));
        }
    CF_UNROLL for (int k = 0; k < CF_GATHERED; k++) store(y + k * VL, sum[k]);
}

static void CF_NAME(gather_places)(int64_t begin, int64_t end, int64_t total, int64_t taps, const int64_t *offset,
                                   const uint8_t *place, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    int64_t i = begin, tail = cf_min(end, total + cf_min(0, offset[0])) - CF_GATHERED * VL;
    for (; i < cf_min(end, offset[taps - 1]); i++) y[i] = gather_one(i, total, taps, offset, place, x);
    for (; i <= tail; i += CF_GATHERED * VL) gather_vectors_at(taps, offset, place + i, x + i, y + i);
    for (; i < end; i++) y[i] = gather_one(i, total, taps, offset, place, x);
}

#if VL > 1
/* Two or four points of a window in vectors, windows side by side; n >= VL, and the last vector ends where they do. */
CF_INLINE void spread_vectors(int64_t n, int64_t taps, int64_t place0, const uint8_t *place, const real *x, real *y)
{
    for (int64_t next = 0; next < n; next += VL) {
        const int64_t q = cf_min(next, n - VL);
        const vec v = load(x + q);
        real *to = y + q * taps;
        const places at = load_places(place + q);
        vec tap[4];
        CF_UNROLL for (int t = 0; t < taps; t++) tap[t] = where_at(at, same_place(place0 + t), v);
        vec even_low = tap[0], even_high = tap[0], odd_low = tap[1], odd_high = tap[1];
        if (taps == 4) {
            even_low = zip_low(tap[0], tap[2]);
            even_high = zip_high(tap[0], tap[2]);
            odd_low = zip_low(tap[1], tap[3]);
            odd_high = zip_high(tap[1], tap[3]);
            store(to + 2 * VL, zip_low(even_high, odd_high));
            store(to + 3 * VL, zip_high(even_high, odd_high));
        }
        store(to, zip_low(even_low, odd_low));
        store(to + VL, zip_high(even_low, odd_low));
    }
}
#endif

static void CF_NAME(spread_places)(int64_t n, int64_t taps, int64_t place0, const uint8_t *place, const void *x_,
                                   void *y_)
{
    const real *x = x_;
    real *y = y_;
#if VL > 1
    if (n >= VL && taps == 2) {
        spread_vectors(n, 2, place0, place, x, y);
        return;
    }
    if (n >= VL && taps == 4) {
        spread_vectors(n, 4, place0, place, x, y);
        return;
    }
#endif
    for (int64_t q = 0; q < n; q++)
        for (int64_t t = 0; t < taps; t++) y[q * taps + t] = place[q] == place0 + t ? x[q] : 0;
}
