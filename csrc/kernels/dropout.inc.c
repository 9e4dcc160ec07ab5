/* SPDX-License-Identifier: BSD-3-Clause */
/* Philox on 16 counters at once: plain loops over them vectorise. */

enum { PHILOX_BLOCKS = 16, PHILOX_ROUNDS = 10 };

typedef struct {
    uint32_t word[4][PHILOX_BLOCKS];
} philox_words;

static void philox(uint64_t seed, uint64_t block, philox_words *out)
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
    memcpy(out->word[0], a, sizeof a);
    memcpy(out->word[1], b, sizeof b);
    memcpy(out->word[2], c, sizeof c);
    memcpy(out->word[3], d, sizeof d);
}

static void CF_NAME(dropout)(int64_t n, uint64_t seed, uint64_t first, uint64_t threshold, double scale_, const void *x_,
                             void *y_)
{
    const real *x = x_, scale = (real)scale_;
    real *y = y_;
    for (int64_t at = 0; at < n; at += 4 * PHILOX_BLOCKS) {
        philox_words w;
        philox(seed, (first + (uint64_t)at) / 4, &w);
        int64_t count = cf_min(n - at, 4 * PHILOX_BLOCKS);
        for (int64_t i = 0; i < count; i++) y[at + i] = w.word[i % 4][i / 4] >= threshold ? scale * x[at + i] : 0;
    }
}
