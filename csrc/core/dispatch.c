/* SPDX-License-Identifier: BSD-3-Clause */
/* Which kernel tables exist in this build, and which of them this CPU can run. */
#include "kernels.h"

#define DECLARE(isa) extern const cf_kernels cf_f32_kernels__##isa, cf_f64_kernels__##isa;
#define TABLES(isa) {&cf_f32_kernels__##isa, &cf_f64_kernels__##isa}

DECLARE(scalar)
#if defined(__x86_64__)
DECLARE(sse2)
DECLARE(avx2)
DECLARE(avx512)
#elif defined(__aarch64__)
DECLARE(neon)
#endif

static const cf_kernels *const tables[CF_ISAS][CF_DTYPES] = {
    [CF_SCALAR] = TABLES(scalar),
#if defined(__x86_64__)
    [CF_SSE2] = TABLES(sse2),
    [CF_AVX2] = TABLES(avx2),
    [CF_AVX512] = TABLES(avx512),
#elif defined(__aarch64__)
    [CF_NEON] = TABLES(neon),
#endif
};

const char *cf_isa_name(cf_isa isa)
{
    static const char *const names[CF_ISAS] = {"scalar", "sse2", "avx2", "avx512", "neon"};
    return names[isa];
}

static int cpu_has(cf_isa isa)
{
#if defined(__x86_64__)
    if (isa == CF_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == CF_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    (void)isa;
    return 1;
}

int cf_isa_supported(cf_isa isa) { return tables[isa][CF_F32] != NULL && cpu_has(isa); }

cf_isa cf_isa_best(void)
{
    cf_isa best = CF_SCALAR;
    for (cf_isa isa = CF_SCALAR; isa < CF_ISAS; isa++)
        if (cf_isa_supported(isa)) best = isa;
    return best;
}

const cf_kernels *cf_kernels_for(cf_isa isa, cf_dtype dtype)
{
    return cf_isa_supported(isa) ? tables[isa][dtype] : NULL;
}

int64_t cf_isa_lanes(cf_isa isa, cf_dtype dtype) { return tables[isa][dtype] ? tables[isa][dtype]->lanes : 0; }
