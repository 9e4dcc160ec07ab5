/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that knows OpenMP.  Without it every loop is serial. */
#include "parallel.h"
#include "base.h"
#ifdef _OPENMP
#include <omp.h>
#include <stdatomic.h>
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

#ifdef _OPENMP
enum { TEAM_MAX = 256 };

/* Tasks [next, end), on a cache line of its own. */
typedef struct {
    _Alignas(64) _Atomic int64_t next;
    int64_t end;
} share;

/* A thread works through its own share and then through those of the others. */
static void work(share *shares, int team, int thread, cf_task_fn *fn, void *ctx)
{
    for (int i = 0; i < team; i++) {
        share *s = &shares[(thread + i) % team];
        for (int64_t t; (t = atomic_fetch_add(&s->next, 1)) < s->end;) fn(ctx, t, thread);
    }
}

static void run_team(int64_t tasks, int team, cf_task_fn *fn, void *ctx)
{
    share shares[TEAM_MAX];
    for (int i = 0; i < team; i++) {
        atomic_init(&shares[i].next, cf_part(tasks, team, i));
        shares[i].end = cf_part(tasks, team, i + 1);
    }
#pragma omp parallel num_threads(team)
    work(shares, team, omp_get_thread_num(), fn, ctx);
}
#endif

void cf_parallel_for(int64_t tasks, int threads, cf_task_fn *fn, void *ctx)
{
#ifdef _OPENMP
    int team = (int)cf_min(cf_min(tasks, threads), TEAM_MAX);
    if (team > 1) {
        run_team(tasks, team, fn, ctx);
        return;
    }
#endif
    (void)threads;
    for (int64_t t = 0; t < tasks; t++) fn(ctx, t, 0);
}

/* Parts of each thread's tasks that it takes one after another. */
enum { PARTS = 16 };

typedef struct {
    cf_task_fn *fn;
    void *ctx;
    int64_t tasks, parts;
} small_job;

static void run_part(void *ctx, int64_t part, int thread)
{
    const small_job *j = ctx;
    int64_t end = cf_part(j->tasks, j->parts, part + 1);
    for (int64_t t = cf_part(j->tasks, j->parts, part); t < end; t++) j->fn(j->ctx, t, thread);
}

void cf_parallel_small(int64_t tasks, int threads, cf_task_fn *fn, void *ctx)
{
    small_job job = {fn, ctx, tasks, cf_min(tasks, PARTS * threads)};
    cf_parallel_for(job.parts, threads, run_part, &job);
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
