/* SPDX-License-Identifier: BSD-3-Clause */
/* Contract of dropout: counter-based random numbers, so that an element's fate depends on seed and index only.
 *
 * dropout  y[i] = word(first + i) >= threshold ? scale * x[i] : 0,  i < n;  first is a multiple of 4
 *          word e is word e % 4 of Philox4x32-10 (J. Salmon et al., SC'11) with counter (e / 4 low, high, 0, 0) and key
 *          (seed low, seed high). */
#ifndef CF_KERNELS_DROPOUT_H
#define CF_KERNELS_DROPOUT_H
#include <stdint.h>

#define CF_DROPOUT_KERNELS(X) \
    X(dropout, (int64_t n, uint64_t seed, uint64_t first, uint32_t threshold, double scale, const void *x, void *y))

#endif
