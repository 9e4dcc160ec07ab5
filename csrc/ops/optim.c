/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of optimisers: ranges of elements to threads. */
#include "optim.h"
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

typedef struct {
    const cf_kernels *kn;
    const cf_sgd *sgd;
    const cf_adam *adam;
    const void *grad;
    void *first, *second, *data; /* of velocity, or mean and square */
} job;

static void step_range(void *ctx, int64_t begin, int64_t end)
{
    const job *j = ctx;
    int64_t size = j->kn->size, n = end - begin;
    const void *grad = cf_at_const(j->grad, begin, size);
    void *data = cf_at(j->data, begin, size), *first = j->first ? cf_at(j->first, begin, size) : NULL;
    if (j->sgd) j->kn->sgd(n, j->sgd, grad, first, data);
    else j->kn->adam(n, j->adam, grad, first, cf_at(j->second, begin, size), data);
}

static cf_status run(job *j, cf_dtype dtype, const cf_options *options, int64_t n)
{
    j->kn = cf_kernels_for(options->isa, dtype);
    if (!j->kn) return CF_UNSUPPORTED;
    cf_parallel_range(n, CF_SERIAL_WORK / 4, options->threads, step_range, j);
    return CF_OK;
}

cf_status cf_sgd_step(cf_dtype dtype, const cf_options *options, int64_t n, const cf_sgd *s, const void *grad,
                      void *velocity, void *data)
{
    job j = {.sgd = s, .grad = grad, .first = velocity, .data = data};
    return run(&j, dtype, options, n);
}

cf_status cf_adam_step(cf_dtype dtype, const cf_options *options, int64_t n, const cf_adam *s, const void *grad,
                       void *mean, void *square, void *data)
{
    job j = {.adam = s, .grad = grad, .first = mean, .second = square, .data = data};
    return run(&j, dtype, options, n);
}
