/* SPDX-License-Identifier: BSD-3-Clause */
/* The one parallel loop. */
#ifndef CF_PARALLEL_H
#define CF_PARALLEL_H
#include <stdint.h>

typedef void cf_task_fn(void *ctx, int64_t task, int thread);

/* Equivalent to: for (int64_t t = 0; t < tasks; t++) fn(ctx, t, thread_of_t);
 * Tasks may run in any order and at once; 0 <= thread < threads, and no two running tasks share a thread number.
 * One thread, or one task, runs in the caller without touching the thread runtime. */
void cf_parallel_for(int64_t tasks, int threads, cf_task_fn *fn, void *ctx);

/* The same for tasks as small as a plane of 7x7: a thread takes several at once. */
void cf_parallel_small(int64_t tasks, int threads, cf_task_fn *fn, void *ctx);

/* Equivalent to: for (int64_t t = 0; t < chunks; t++) fn(ctx, begin_of_t, end_of_t) over [0, n) in balanced
 * contiguous chunks of at least `grain` elements, one a thread. */
typedef void cf_range_fn(void *ctx, int64_t begin, int64_t end);
void cf_parallel_range(int64_t n, int64_t grain, int threads, cf_range_fn *fn, void *ctx);

#endif
