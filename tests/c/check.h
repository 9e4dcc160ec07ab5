/* SPDX-License-Identifier: BSD-3-Clause */
/* Harness of the C checks: integer-valued arrays of either dtype, each in its own exact allocation so that the address
 * sanitizer sees every stray access, and a comparison that must be exact. */
#ifndef CHECK_H
#define CHECK_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "../../csrc/core/kernels.h"

typedef struct {
    const cf_kernels *kn;
    uint64_t random;
    const char *name;
    int64_t cases, failures;
} check;

int64_t check_random(check *c, int64_t low, int64_t high); /* low <= value <= high */
void *check_array(check *c, int64_t n); /* integers in [-8, 8]; free() it */
void *check_zeros(check *c, int64_t n);
void *check_copy(check *c, const void *array, int64_t n);
double check_get(const check *c, const void *array, int64_t i);
void check_put(const check *c, void *array, int64_t i, double value);
/* Count a case; report the first elements that differ (NaN equals NaN). */
void check_equal(check *c, const void *got, const void *expected, int64_t n, const char *what);

/* Count a case of one number, which may differ by `tolerance` epsilons of its magnitude plus one. */
void check_close(check *c, double got, double expected, double tolerance);

/* One check a kernel, check_<kernel>, called by check_kernels.c for every table: a kernel without one does not link. */
#define CHECK_DECLARE(name, params) void check_##name(check *c);
CF_KERNEL_LIST(CHECK_DECLARE)
void check_tile(check *c);
void check_dot(check *c);
void check_strip(check *c);
void check_sums(check *c);
void check_transform(check *c);

/* Whole convolutions against naive loops. */
void check_convolutions(check *c, cf_isa isa, cf_dtype dtype);

#endif
