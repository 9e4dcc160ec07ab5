/* SPDX-License-Identifier: BSD-3-Clause */
/* Measuring loads: the same one for every thread. */
#include "peak.h"
#include "../core/kernels.h"
#include "../core/parallel.h"

typedef struct {
    const cf_kernels *kn;
    int64_t rounds, chains;
} fma_job;

static void run_chains(void *ctx, int64_t task, int thread)
{
    const fma_job *j = ctx;
    double x[CF_CHAINS_MAX];
    int64_t chains;
    (void)task, (void)thread;
    j->kn->fma_chains(j->rounds, x, &chains);
}

int64_t cf_peak_fma(cf_dtype dtype, const cf_options *options, int64_t rounds)
{
    fma_job job = {cf_kernels_for(options->isa, dtype), rounds, 0};
    double x[CF_CHAINS_MAX];
    if (!job.kn) return 0;
    job.kn->fma_chains(0, x, &job.chains);
    cf_parallel_for(options->threads, options->threads, run_chains, &job);
    return 2 * job.chains * rounds * options->threads;
}

typedef struct {
    const cf_kernels *kn;
    const void *src;
    void *dst;
} stream_job;

static void run_stream(void *ctx, int64_t begin, int64_t end)
{
    const stream_job *j = ctx;
    j->kn->stream(end - begin, cf_at_const(j->src, begin, j->kn->size), cf_at(j->dst, begin, j->kn->size));
}

cf_status cf_peak_stream(cf_dtype dtype, const cf_options *options, int64_t n, const void *src, void *dst)
{
    stream_job job = {cf_kernels_for(options->isa, dtype), src, dst};
    if (!job.kn) return CF_UNSUPPORTED;
    cf_parallel_range(n, 1, options->threads, run_stream, &job);
    return CF_OK;
}

int cf_peak_has_tile(cf_dtype dtype, cf_isa isa, int64_t mr, int64_t nv)
{
    const cf_kernels *kn = cf_kernels_for(isa, dtype);
    return kn && 0 < mr && mr <= CF_MR_MAX && 0 < nv && nv <= CF_NV_MAX && kn->tile[nv][mr];
}

cf_status cf_peak_tile(cf_dtype dtype, cf_isa isa, int64_t mr, int64_t nv, int64_t kc, int64_t rounds, const void *a,
                       const void *b, int32_t *koff, void *y)
{
    const cf_kernels *kn = cf_kernels_for(isa, dtype);
    if (!cf_peak_has_tile(dtype, isa, mr, nv)) return CF_UNSUPPORTED;
    int64_t lanes = nv * kn->lanes;
    for (int64_t k = 0; k < kc; k++) koff[k] = (int32_t)(k * lanes);
    for (int64_t r = 0; r < rounds; r++) kn->tile[nv][mr](kc, a, 1, mr, b, koff, y, lanes, NULL, y, lanes, lanes, y);
    return CF_OK;
}
