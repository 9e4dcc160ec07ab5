/* SPDX-License-Identifier: BSD-3-Clause */
/* Contract of dropout: counter-based random numbers, so that an element's fate depends on seed and index only.
 *
 * dropout  y[i] = word(first + i) >= threshold ? scale * x[i] : 0,  i < n;  first is a multiple of 4
 *          word e is word e % 4 of Philox4x32-10 (J. Salmon et al., SC'11) with counter (e / 4 low, high, 0, 0) and key
 *          (seed low, seed high).  Bit e % 32 of kept[e / 32] says whether element first + e was kept, unless kept is NULL.
 * dropout_again  y[i] = bit i % 32 of kept[i / 32] ? scale * x[i] : 0,  i < n */
#ifndef CF_KERNELS_DROPOUT_H
#define CF_KERNELS_DROPOUT_H
#include <stdint.h>

#define CF_DROPOUT_KERNELS(X)                                                                                       \
    X(dropout, (int64_t n, uint64_t seed, uint64_t first, uint32_t threshold, double scale, const void *x, void *y, \
                uint32_t *kept))                                                                                    \
    X(dropout_again, (int64_t n, const uint32_t *kept, double scale, const void *x, void *y))

#endif
