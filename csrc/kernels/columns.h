/* SPDX-License-Identifier: BSD-3-Clause */
/* Contract of the kernel that columns of images need besides the row kernels of dense.h.
 *
 * transpose   dst[j*ldd + i] = src[i*lds + j],  i < m,  j < n;  nothing else is read or written */
#ifndef CF_KERNELS_COLUMNS_H
#define CF_KERNELS_COLUMNS_H
#include <stdint.h>

#define CF_COLUMNS_KERNELS(X) X(transpose, (int64_t m, int64_t n, const void *src, int64_t lds, void *dst, int64_t ldd))

#endif
