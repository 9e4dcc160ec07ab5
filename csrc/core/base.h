/* SPDX-License-Identifier: BSD-3-Clause */
/* Small helpers that ops and kernels share. */
#ifndef CF_BASE_H
#define CF_BASE_H
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "../cnnfast.h"

#define CF_INLINE static inline __attribute__((always_inline))

/* In front of a loop: CF_UNROLL, where the trip count is a constant, leaves no loop; CF_INDEPENDENT says that no
 * iteration depends on another, whatever the pointers look like.  (clang 14 obeys "GCC unroll" too, but so late that an
 * array of accumulators stays in memory.) */
#if defined(__clang__)
#define CF_UNROLL _Pragma("clang loop unroll(full)")
#define CF_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define CF_UNROLL _Pragma("GCC unroll 32")
#define CF_INDEPENDENT _Pragma("GCC ivdep")
#endif

static inline int64_t cf_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t cf_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t cf_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; } /* a >= 0 */
static inline int64_t cf_round_up(int64_t a, int64_t b) { return cf_ceil_div(a, b) * b; }
static inline int64_t cf_floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); } /* b > 0 */

/* Start of part i when `total` things are cut into `parts` whose sizes differ by at most one, the larger ones first: a loop over
 * parts divides once, and calls of one tile follow one another. */
static inline int64_t cf_part(int64_t total, int64_t parts, int64_t i)
{
    return total / parts * i + cf_min(total % parts, i);
}

static inline int64_t cf_gcd(int64_t a, int64_t b) { return b ? cf_gcd(b, a % b) : a; } /* a, b >= 0 */

static inline int64_t cf_volume(const int64_t v[3]) { return v[0] * v[1] * v[2]; }

/* Element i of an array whose elements have `size` bytes. */
static inline void *cf_at(void *p, int64_t i, int64_t size) { return (char *)p + i * size; }
static inline const void *cf_at_const(const void *p, int64_t i, int64_t size) { return (const char *)p + i * size; }

#endif
