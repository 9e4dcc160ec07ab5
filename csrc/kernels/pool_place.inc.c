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

CF_INLINE void max_rows(int64_t rows, int64_t n, int64_t taps, const int64_t *off, int64_t place0, int64_t place_step,
                        const uint8_t *first, const uint8_t *before, const real *x, int64_t step, real *y,
                        uint8_t *place, int64_t ldy)
{
    const places unit = same_place(place_step);
    for (int64_t r = 0; r < rows; r++, x += step, y += ldy, place += ldy, before += before ? step : 0)
        for (int64_t q = 0; q < n; q += VL) {
            vec most = broadcast(-(real)__builtin_inf());
            places tap = same_place(place0), at = tap;
            if (first) at = load_places(first + q);
            else if (before && taps) at += load_places(before + off[0] + q);
            for (int64_t t = 0; t < taps; t++, tap += unit) {
                const vec v = load(x + off[t] + q);
                const place_mask above = (v > most) | (v != v);
                most = choose(above, v, most);
                at = choose_place(above, before ? tap + load_places(before + off[t] + q) : tap, at);
            }
            store(y + q, most);
            store_places(place + q, at);
        }
}

static void CF_NAME(max_taps)(int64_t rows, int64_t n, int64_t taps, const int64_t *off, int64_t place0,
                              int64_t place_step, const uint8_t *first, const uint8_t *before, const void *x,
                              int64_t step, void *y, uint8_t *place, int64_t ldy)
{
#define CF_MAX_ROWS(taps, before) \
    max_rows(rows, n, taps, off, place0, place_step, first, before, x, step, y, place, ldy)
    if (before && taps == 2) CF_MAX_ROWS(2, before);
    else if (before && taps == 3) CF_MAX_ROWS(3, before);
    else if (before) CF_MAX_ROWS(taps, before);
    else if (taps == 2) CF_MAX_ROWS(2, NULL);
    else if (taps == 3) CF_MAX_ROWS(3, NULL);
    else CF_MAX_ROWS(taps, NULL);
#undef CF_MAX_ROWS
}

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
    for (; m + CF_PLACE_TURNS <= planes; m += CF_PLACE_TURNS)
        add_in_turns(CF_PLACE_TURNS, rows, n, offset, place + m * ldx, x + m * ldx, ldx, y + m * ldy, ldy, row_step,
                     step);
    for (; m < planes; m++)
        add_in_turns(1, rows, n, offset, place + m * ldx, x + m * ldx, ldx, y + m * ldy, ldy, row_step, step);
}
