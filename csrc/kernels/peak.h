/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the kernels that measure the machine.
 *
 * fma_chains  `rounds` multiply-adds on each of independent chains that fill the registers; dst receives the chains' values, *chains
 *             their number of elements.
 * stream      dst[i] = src[i], i < n */
#ifndef CF_KERNELS_PEAK_H
#define CF_KERNELS_PEAK_H
#include <stdint.h>

enum { CF_CHAINS_MAX = 32 * 16 }; /* elements that the registers of any instruction set hold */

#define CF_PEAK_KERNELS(X)                                          \
    X(fma_chains, (int64_t rounds, void *dst, int64_t *chains))     \
    X(stream, (int64_t n, const void *src, void *dst))

#endif
