/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that knows OpenMP.  Without it every loop is serial. */
#include "parallel.h"
#include "base.h"
#ifdef _OPENMP
#include <omp.h>
#endif

int cf_have_openmp(void)
{
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

int cf_max_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

static void run_serial(int64_t tasks, cf_task_fn *fn, void *ctx)
{
    for (int64_t t = 0; t < tasks; t++) fn(ctx, t, 0);
}

void cf_parallel_for(int64_t tasks, int threads, cf_task_fn *fn, void *ctx)
{
    int team = (int)cf_min(tasks, threads);
    if (team <= 1) {
        run_serial(tasks, fn, ctx);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(team)
    for (int64_t t = 0; t < tasks; t++) fn(ctx, t, omp_get_thread_num());
#else
    run_serial(tasks, fn, ctx);
#endif
}

typedef struct {
    cf_range_fn *fn;
    void *ctx;
    int64_t n, chunks;
} range_job;

static void run_chunk(void *ctx, int64_t chunk, int thread)
{
    const range_job *j = ctx;
    (void)thread;
    j->fn(j->ctx, cf_part(j->n, j->chunks, chunk), cf_part(j->n, j->chunks, chunk + 1));
}

void cf_parallel_range(int64_t n, int64_t grain, int threads, cf_range_fn *fn, void *ctx)
{
    range_job job = {fn, ctx, n, cf_max(1, cf_min(threads, n / cf_max(grain, 1)))};
    if (n > 0) cf_parallel_for(job.chunks, threads, run_chunk, &job);
}
