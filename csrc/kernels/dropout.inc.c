/* SPDX-License-Identifier: BSD-3-Clause */
/* Philox on many counters at once: plain loops over them vectorise, those over a few would be unrolled into scalars. */

enum { PHILOX_BLOCKS = 64, PHILOX_ROUNDS = 10, PHILOX_WORDS = 4 * PHILOX_BLOCKS };

/* Words of the counters `block` and following. */
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

static void CF_NAME(dropout)(int64_t n, uint64_t seed, uint64_t first, uint32_t threshold, double scale_,
                             const void *x_, void *y_)
{
    const real *x = x_, scale = (real)scale_;
    real *y = y_;
    for (int64_t at = 0; at < n; at += PHILOX_WORDS) {
        uint32_t words[PHILOX_WORDS];
        philox(seed, (first + (uint64_t)at) / 4, words);
        int64_t count = cf_min(n - at, PHILOX_WORDS);
        CF_INDEPENDENT for (int64_t i = 0; i < count; i++)
        {
            real kept = scale * x[at + i];
            y[at + i] = words[i] >= threshold ? kept : 0;
        }
    }
}
