/* SPDX-License-Identifier: BSD-3-Clause */
/* The vector type of one instruction set and dtype, in GCC/Clang vector extensions.
 *
 * Rules, each of them measured (gcc 12, clang 14):
 *  1. Whole-vector expressions only: a subscripted lane in a hot loop sends the whole array to the stack.
 *  2. -ffp-contract=fast gives the fused multiply-add; -ffast-math is never used.
 *  3. A vector has the bytes of a register of this instruction set, never more.
 *  4. CF_UNROLL on every constant-trip loop over an array of vectors, or the array lives in memory.
 *  5. Accumulators + loaded vectors + one broadcast stay within CF_REGISTERS.
 *  6. Vectors cross no function boundary but an inlined one.
 *  7. CF_PIN keeps a vector that several FMAs share in a register: gcc would fold the unaligned load into each. */
#ifndef CF_VEC_H
#define CF_VEC_H
#include "../core/base.h"

#if CF_DOUBLE
typedef double real;
typedef int64_t lane; /* integer as wide as real */
#define CF_DTYPE f64
#define CF_DTYPE_ID CF_F64
#define CF_REAL_BYTES 8
#else
typedef float real;
typedef int32_t lane;
#define CF_DTYPE f32
#define CF_DTYPE_ID CF_F32
#define CF_REAL_BYTES 4
#endif

/* cf_<dtype>_<name>__<isa> */
#define CF_PASTE_(dtype, name, isa) cf_##dtype##_##name##__##isa
#define CF_PASTE(dtype, name, isa) CF_PASTE_(dtype, name, isa)
#define CF_NAME(name) CF_PASTE(CF_DTYPE, name, CF_ISA)

#if CF_VBYTES
#define VL (CF_VBYTES / CF_REAL_BYTES)
typedef real vec __attribute__((vector_size(CF_VBYTES)));
typedef real vec_unaligned __attribute__((vector_size(CF_VBYTES), aligned(CF_REAL_BYTES), may_alias));
typedef lane ivec __attribute__((vector_size(CF_VBYTES)));
typedef lane ivec_unaligned __attribute__((vector_size(CF_VBYTES), aligned(CF_REAL_BYTES), may_alias));
#else
#define VL 1
typedef real vec;
typedef real vec_unaligned;
#endif

/* An address that is computed where it is used, not kept: registers do not suffice for one a row. */
#define CF_STEP(p) __asm__("" : "+r"(p))
/* Bits that are tested where they are: each of them in a register of its own, as loops have it, would go to the stack. */
#define CF_HERE(bits) __asm__ volatile("" : "+r"(bits))
#if defined(__x86_64__)
#define CF_PIN(v) __asm__("" : "+v"(v))
#elif defined(__aarch64__)
#define CF_PIN(v) __asm__("" : "+w"(v))
#else
#define CF_PIN(v) (void)0
#endif

CF_INLINE vec load(const real *p) { return *(const vec_unaligned *)p; }
CF_INLINE void store(real *p, vec v) { *(vec_unaligned *)p = v; }
CF_INLINE vec zero(void) { return (vec){0}; }
CF_INLINE vec broadcast(real x) { return x - zero(); }

/* Parts of a vector: lanes [lo, hi), 0 <= lo <= hi <= VL, or the first n.  Memory of other lanes is neither read nor written;
 * they read as zero.  A set of lanes is made once for several loads. */
#if VL > 1
static const lane lane_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
CF_INLINE ivec lanes_between(int64_t lo, int64_t hi)
{
    ivec number = *(const ivec_unaligned *)lane_numbers;
    return (number >= (lane)lo) & (number < (lane)hi);
}
CF_INLINE vec pick(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }
#endif

#if CF_VBYTES == 64
#include <immintrin.h>
typedef uint32_t lane_set;
CF_INLINE lane_set lanes_in(int64_t lo, int64_t hi) { return (1u << hi) - (1u << lo); }
#if CF_DOUBLE
CF_INLINE vec load_set(const real *p, lane_set set) { return (vec)_mm512_maskz_loadu_pd((__mmask8)set, p); }
CF_INLINE void store_part(real *p, vec v, int64_t n) { _mm512_mask_storeu_pd(p, (__mmask8)lanes_in(0, n), (__m512d)v); }
#else
CF_INLINE vec load_set(const real *p, lane_set set) { return (vec)_mm512_maskz_loadu_ps((__mmask16)set, p); }
CF_INLINE void store_part(real *p, vec v, int64_t n) { _mm512_mask_storeu_ps(p, (__mmask16)lanes_in(0, n), (__m512)v); }
#endif
#else
#if CF_VBYTES == 32
#include <immintrin.h>
typedef ivec lane_set;
CF_INLINE lane_set lanes_in(int64_t lo, int64_t hi) { return lanes_between(lo, hi); }
CF_INLINE vec load_set(const real *p, lane_set set)
{
#if CF_DOUBLE
    return (vec)_mm256_maskload_pd(p, (__m256i)set);
#else
    return (vec)_mm256_maskload_ps(p, (__m256i)set);
#endif
}
#else
typedef struct {
    int64_t lo, hi;
} lane_set;
CF_INLINE lane_set lanes_in(int64_t lo, int64_t hi) { return (lane_set){lo, hi}; }
CF_INLINE vec load_set(const real *p, lane_set set)
{
    real lanes[VL] = {0};
    for (int64_t i = set.lo; i < set.hi; i++) lanes[i] = p[i];
    return load(lanes);
}
#endif
/* Powers of two of them: a masked store takes 9 to 17 cycles (Zen 3). */
CF_INLINE void store_part(real *p, vec v, int64_t n)
{
    real lanes[VL];
    const real *from = lanes;
    store(lanes, v);
    CF_UNROLL for (int some = VL; some > 0; some /= 2)
    {
        if (!(n & some)) continue;
        memcpy(p, from, (size_t)some * sizeof(real));
        p += some;
        from += some;
    }
}
#endif
CF_INLINE vec load_lanes(const real *p, int64_t lo, int64_t hi) { return load_set(p, lanes_in(lo, hi)); }
CF_INLINE vec load_part(const real *p, int64_t n) { return load_lanes(p, 0, n); }

/* b where it is larger than a or NaN, else a: hardware takes the second operand where one is NaN. */
#if CF_VBYTES == 64 && CF_DOUBLE
CF_INLINE vec larger_lanes(vec a, vec b)
{
    return (vec)_mm512_mask_mov_pd(_mm512_max_pd(b, a), _mm512_cmp_pd_mask(b, b, _CMP_UNORD_Q), b);
}
#elif CF_VBYTES == 64
CF_INLINE vec larger_lanes(vec a, vec b)
{
    return (vec)_mm512_mask_mov_ps(_mm512_max_ps(b, a), _mm512_cmp_ps_mask(b, b, _CMP_UNORD_Q), b);
}
#elif CF_VBYTES == 32 && CF_DOUBLE
CF_INLINE vec larger_lanes(vec a, vec b)
{
    return (vec)_mm256_blendv_pd(_mm256_max_pd(b, a), b, _mm256_cmp_pd(b, b, _CMP_UNORD_Q));
}
#elif CF_VBYTES == 32
CF_INLINE vec larger_lanes(vec a, vec b)
{
    return (vec)_mm256_blendv_ps(_mm256_max_ps(b, a), b, _mm256_cmp_ps(b, b, _CMP_UNORD_Q));
}
#elif VL > 1
CF_INLINE vec larger_lanes(vec a, vec b)
{
    ivec take = (b > a) | (b != b);
    return (vec)((take & (ivec)b) | (~take & (ivec)a));
}
#else
CF_INLINE vec larger_lanes(vec a, vec b) { return (b > a) | (b != b) ? b : a; }
#endif

/* Reals from what is read of a row to what is fetched meanwhile, of rows that come later: with 6 KB of floats depthwise
 * convolution of 56x56 planes took 14 % less time, with 2 KB nearly as little (Zen 3, from memory). */
enum { ROWS_AHEAD = 1536 };

/* v < low ? low : v > high ? high : v in each lane, so that NaN stays. */
CF_INLINE vec clamp_vector(vec v, vec low, vec high)
{
#if CF_VBYTES == 64 && CF_DOUBLE
    return (vec)_mm512_min_pd((__m512d)high, _mm512_max_pd((__m512d)low, (__m512d)v));
#elif CF_VBYTES == 64
    return (vec)_mm512_min_ps((__m512)high, _mm512_max_ps((__m512)low, (__m512)v));
#elif CF_VBYTES == 32 && CF_DOUBLE
    return (vec)_mm256_min_pd((__m256d)high, _mm256_max_pd((__m256d)low, (__m256d)v));
#elif CF_VBYTES == 32
    return (vec)_mm256_min_ps((__m256)high, _mm256_max_ps((__m256)low, (__m256)v));
#elif VL > 1
    v = pick(v < low, low, v);
    return pick(v > high, high, v);
#else
    return v < low ? low : v > high ? high : v;
#endif
}

/* dst[i] = src[i], i < n, reading and writing nothing else. */
CF_INLINE void copy(real *restrict dst, const real *restrict src, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL) store(dst + i, load(src + i));
    if (i < n) store_part(dst + i, load_part(src + i, n - i), n - i);
}

/* Sum of the lanes, in double. */
CF_INLINE double lane_sum(vec v)
{
    real lanes[VL];
    double total = 0;
    store(lanes, v);
    for (int l = 0; l < VL; l++) total += (double)lanes[l];
    return total;
}

/* Interleave: low = a0 b0 a1 b1 ..., high = the upper halves.  Even: a0 a2 ... b0 b2 ..., odd: the others. */
#if VL > 1
#if VL == 2
#define CF_LOW 0, 2
#define CF_HIGH 1, 3
#define CF_EVEN 0, 2
#define CF_ODD 1, 3
#elif VL == 4
#define CF_LOW 0, 4, 1, 5
#define CF_HIGH 2, 6, 3, 7
#define CF_EVEN 0, 2, 4, 6
#define CF_ODD 1, 3, 5, 7
#elif VL == 8
#define CF_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define CF_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#define CF_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define CF_ODD 1, 3, 5, 7, 9, 11, 13, 15
#else
#define CF_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define CF_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define CF_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define CF_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#endif
#if defined(__clang__)
CF_INLINE vec zip_low(vec a, vec b) { return __builtin_shufflevector(a, b, CF_LOW); }
CF_INLINE vec zip_high(vec a, vec b) { return __builtin_shufflevector(a, b, CF_HIGH); }
CF_INLINE vec even_lanes(vec a, vec b) { return __builtin_shufflevector(a, b, CF_EVEN); }
CF_INLINE vec odd_lanes(vec a, vec b) { return __builtin_shufflevector(a, b, CF_ODD); }
#else
CF_INLINE vec zip_low(vec a, vec b) { return __builtin_shuffle(a, b, (ivec){CF_LOW}); }
CF_INLINE vec zip_high(vec a, vec b) { return __builtin_shuffle(a, b, (ivec){CF_HIGH}); }
CF_INLINE vec even_lanes(vec a, vec b) { return __builtin_shuffle(a, b, (ivec){CF_EVEN}); }
CF_INLINE vec odd_lanes(vec a, vec b) { return __builtin_shuffle(a, b, (ivec){CF_ODD}); }
#endif
#else
CF_INLINE vec even_lanes(vec a, vec b) { return (void)b, a; }
#endif

/* The even lanes in an order that costs less where halves of a vector are apart: in_order(even_near(a, b)) is even_lanes(a, b). */
#if CF_VBYTES == 32
#if CF_DOUBLE
#define CF_NEAR 0, 4, 2, 6
#else
#define CF_NEAR 0, 2, 8, 10, 4, 6, 12, 14
#endif
typedef int64_t quarters __attribute__((vector_size(32)));
#if defined(__clang__)
CF_INLINE vec even_near(vec a, vec b) { return __builtin_shufflevector(a, b, CF_NEAR); }
CF_INLINE vec in_order(vec v) { return (vec)__builtin_shufflevector((quarters)v, (quarters)v, 0, 2, 1, 3); }
#else
CF_INLINE vec even_near(vec a, vec b) { return __builtin_shuffle(a, b, (ivec){CF_NEAR}); }
CF_INLINE vec in_order(vec v) { return (vec)__builtin_shuffle((quarters)v, (quarters){0, 2, 1, 3}); }
#endif
#else
CF_INLINE vec even_near(vec a, vec b) { return even_lanes(a, b); }
CF_INLINE vec in_order(vec v) { return v; }
#endif

#endif
