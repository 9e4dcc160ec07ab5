/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the kernels that measure what the machine can do at most.
 *
 * fma_chains  `rounds` steps x = x/2 + 1 from 0 (exact at each step, tending to 2), in so many independent chains of
 *             vectors that the multiply-add units never wait; dst receives x of every chain, *chains their number.
 * stream      dst[i] = src[i],  i < n: memory read once and written once. */
#ifndef CF_KERNELS_PEAK_H
#define CF_KERNELS_PEAK_H
#include <stdint.h>

enum { CF_CHAINS_MAX = 32 * 16 }; /* elements that the registers of any instruction set hold */

#define CF_PEAK_KERNELS(X)                                      \
    X(fma_chains, (int64_t rounds, void *dst, int64_t *chains)) \
    X(stream, (int64_t n, const void *src, void *dst))

#endif
