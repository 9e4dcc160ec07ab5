/* SPDX-License-Identifier: BSD-3-Clause */
/* Philox on many counters at once. */

enum { PHILOX_BLOCKS = 64, PHILOX_ROUNDS = 10, PHILOX_WORDS = 4 * PHILOX_BLOCKS };

#if defined(__x86_64__) && CF_VBYTES
/* A word in each 64-bit lane, whose upper half is anything: the multiplication does not look at it.  With words in 32-bit
 * lanes, whose products are taken apart and together again, 64 channels of 56x56, batch 8, took 1.89 ms, not 0.64 (AVX2,
 * Zen 3, 2 threads). */
typedef uint64_t wide __attribute__((vector_size(CF_VBYTES)));
typedef uint64_t wide_unaligned __attribute__((vector_size(CF_VBYTES), aligned(8), may_alias));
enum { WIDE = CF_VBYTES / 8, PHILOX_CHAINS = 2 };
#if CF_VBYTES == 64
#define CF_MULTIPLY_LOW(a, b) (wide) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#define CF_WIDE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define CF_WIDE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif CF_VBYTES == 32
#define CF_MULTIPLY_LOW(a, b) (wide) _mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#define CF_WIDE_LOW 0, 4, 1, 5
#define CF_WIDE_HIGH 2, 6, 3, 7
#else
#include <emmintrin.h>
#define CF_MULTIPLY_LOW(a, b) (wide) _mm_mul_epu32((__m128i)(a), (__m128i)(b))
#define CF_WIDE_LOW 0, 2
#define CF_WIDE_HIGH 1, 3
#endif
#if defined(__clang__)
#define CF_WIDE_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define CF_WIDE_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (wide){__VA_ARGS__})
#endif

/* Store the words of WIDE counters. */
CF_INLINE void store_words(uint32_t *words, wide a, wide b, wide c, wide d)
{
    wide ab = (a & 0xFFFFFFFFu) | b << 32, cd = (c & 0xFFFFFFFFu) | d << 32;
    *(wide_unaligned *)words = CF_WIDE_SHUFFLE(ab, cd, CF_WIDE_LOW);
    *(wide_unaligned *)(words + 2 * WIDE) = CF_WIDE_SHUFFLE(ab, cd, CF_WIDE_HIGH);
}

CF_INLINE void philox_rounds(uint64_t seed, uint64_t block, uint32_t *words)
{
    static const uint64_t numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const wide first = (wide){0} + 0xD2511F53u, second = (wide){0} + 0xCD9E8D57u;
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    wide a[PHILOX_CHAINS], b[PHILOX_CHAINS], c[PHILOX_CHAINS] = {{0}}, d[PHILOX_CHAINS] = {{0}};
    CF_UNROLL for (int k = 0; k < PHILOX_CHAINS; k++)
    {
        a[k] = *(const wide_unaligned *)numbers + (block + (uint64_t)(k * WIDE));
        b[k] = a[k] >> 32;
    }
    CF_UNROLL for (int round = 0; round < PHILOX_ROUNDS; round++)
    {
        CF_UNROLL for (int k = 0; k < PHILOX_CHAINS; k++)
        {
            wide p = CF_MULTIPLY_LOW(a[k], first), q = CF_MULTIPLY_LOW(c[k], second);
            a[k] = q >> 32 ^ b[k] ^ key0;
            b[k] = q;
            c[k] = p >> 32 ^ d[k] ^ key1;
            d[k] = p;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    CF_UNROLL for (int k = 0; k < PHILOX_CHAINS; k++) store_words(words + 4 * k * WIDE, a[k], b[k], c[k], d[k]);
}

/* Words of the counters `block` and following. */
CF_INLINE void philox(uint64_t seed, uint64_t block, uint32_t words[PHILOX_WORDS])
{
    for (int i = 0; i < PHILOX_BLOCKS; i += PHILOX_CHAINS * WIDE)
        philox_rounds(seed, block + (uint64_t)i, words + 4 * i);
}
#else
/* Plain loops over many counters vectorise, those over a few would be unrolled into scalars. */
CF_INLINE void philox(uint64_t seed, uint64_t block, uint32_t words[PHILOX_WORDS])
{
    uint32_t a[PHILOX_BLOCKS], b[PHILOX_BLOCKS], c[PHILOX_BLOCKS] = {0}, d[PHILOX_BLOCKS] = {0};
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < PHILOX_BLOCKS; i++) {
        a[i] = (uint32_t)(block + (uint64_t)i);
        b[i] = (uint32_t)((block + (uint64_t)i) >> 32);
    }
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        for (int i = 0; i < PHILOX_BLOCKS; i++) {
            uint64_t p = (uint64_t)a[i] * 0xD2511F53u, q = (uint64_t)c[i] * 0xCD9E8D57u;
            a[i] = (uint32_t)(q >> 32) ^ b[i] ^ key0;
            b[i] = (uint32_t)q;
            c[i] = (uint32_t)(p >> 32) ^ d[i] ^ key1;
            d[i] = (uint32_t)p;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int i = 0; i < PHILOX_BLOCKS; i++) {
        words[4 * i] = a[i];
        words[4 * i + 1] = b[i];
        words[4 * i + 2] = c[i];
        words[4 * i + 3] = d[i];
    }
}
#endif

/* Bit l of 32 in a row. */
static const uint32_t lane_bit[32] = {1u << 0,  1u << 1,  1u << 2,  1u << 3,  1u << 4,  1u << 5,  1u << 6,  1u << 7,
                                      1u << 8,  1u << 9,  1u << 10, 1u << 11, 1u << 12, 1u << 13, 1u << 14, 1u << 15,
                                      1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21, 1u << 22, 1u << 23,
                                      1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28, 1u << 29, 1u << 30, 1u << 31};

CF_INLINE void pack_bits(const uint32_t words[PHILOX_WORDS], uint32_t threshold, int64_t count, uint32_t *kept)
{
    for (int64_t i = 0; i < count; i += 32) {
        uint32_t bits = 0;
        for (int l = 0; l < 32; l++) bits |= words[i + l] >= threshold ? lane_bit[l] : 0;
        kept[i / 32] = bits;
    }
}

static void CF_NAME(dropout)(int64_t n, uint64_t seed, uint64_t first, uint32_t threshold, double scale_,
                             const void *x_, void *y_, uint32_t *kept)
{
    const real *x = x_, scale = (real)scale_;
    real *y = y_;
    for (int64_t at = 0; at < n; at += PHILOX_WORDS) {
        uint32_t words[PHILOX_WORDS];
        philox(seed, (first + (uint64_t)at) / 4, words);
        int64_t count = cf_min(n - at, PHILOX_WORDS);
        if (kept) pack_bits(words, threshold, count, kept + at / 32);
        CF_INDEPENDENT for (int64_t i = 0; i < count; i++)
        {
            real value = scale * x[at + i];
            y[at + i] = words[i] >= threshold ? value : 0;
        }
    }
}

CF_INLINE void select_kept(int64_t n, uint32_t bits, real scale, const real *x, real *y)
{
    CF_INDEPENDENT for (int64_t l = 0; l < n; l++)
    {
        real value = scale * x[l];
        y[l] = bits & lane_bit[l] ? value : 0;
    }
}

static void CF_NAME(dropout_again)(int64_t n, const uint32_t *kept, double scale, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) select_kept(32, kept[i / 32], (real)scale, x + i, y + i);
    if (i < n) select_kept(n - i, kept[i / 32], (real)scale, x + i, y + i);
}
