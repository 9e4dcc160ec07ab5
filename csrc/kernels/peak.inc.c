/* SPDX-License-Identifier: BSD-3-Clause */
/* What the machine can do at most; contracts in peak.h. */

static void CF_NAME(fma_chains)(int64_t rounds, void *dst, int64_t *chains)
{
    /* All registers but two: at least 14 chains, where two units of latency 5 need 10. */
    enum { CHAINS = CF_REGISTERS - 2 };
    vec x[CHAINS] = {0}, half = broadcast((real)0.5), one = broadcast(1);
    CF_PIN(half);
    CF_PIN(one);
    for (int64_t r = 0; r < rounds; r++) {
        CF_UNROLL for (int i = 0; i < CHAINS; i++)
        {
            x[i] = x[i] * half + one;
            CF_PIN(x[i]); /* keeps the scalar stub scalar */
        }
    }
    CF_UNROLL for (int i = 0; i < CHAINS; i++) store((real *)dst + i * VL, x[i]);
    *chains = CHAINS * VL;
}

static void CF_NAME(stream)(int64_t n, const void *src, void *dst) { copy(dst, src, n); }
