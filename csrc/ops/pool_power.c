/* SPDX-License-Identifier: BSD-3-Clause */
/* Powers, the steps of Lp pooling on either side of an average.  Contract in pool.h. */
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"
#include "pool.h"

typedef struct {
    const cf_kernels *kn;
    double factor, exponent;
    int flat_at_zero;
    const void *x, *dy;
    void *out;
} job;

static void run_range(void *ctx, int64_t begin, int64_t end)
{
    const job *j = ctx;
    int64_t size = j->kn->size, n = end - begin;
    const void *x = cf_at_const(j->x, begin, size);
    void *out = cf_at(j->out, begin, size);
    if (j->dy)
        j->kn->power_backward(n, j->factor, j->exponent, j->flat_at_zero, x, cf_at_const(j->dy, begin, size), out);
    else j->kn->power(n, j->factor, j->exponent, x, out);
}

static cf_status run(cf_dtype dtype, const cf_options *options, int64_t n, job *j)
{
    j->kn = cf_kernels_for(options->isa, dtype);
    if (!j->kn) return CF_UNSUPPORTED;
    cf_parallel_range(n, CF_SERIAL_WORK / 2, options->threads, run_range, j);
    return CF_OK;
}

cf_status cf_power(cf_dtype dtype, const cf_options *options, int64_t n, double factor, double exponent, const void *x,
                   void *y)
{
    job j = {.factor = factor, .exponent = exponent, .x = x, .out = y};
    return run(dtype, options, n, &j);
}

cf_status cf_power_backward(cf_dtype dtype, const cf_options *options, int64_t n, double factor, double exponent,
                            int flat_at_zero, const void *x, const void *dy, void *dx)
{
    job j = {.factor = factor, .exponent = exponent, .flat_at_zero = flat_at_zero, .x = x, .dy = dy, .out = dx};
    return run(dtype, options, n, &j);
}
