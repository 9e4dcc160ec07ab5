/* SPDX-License-Identifier: BSD-3-Clause */
/* Contract of the transforms of Winograd's convolution along one axis. */
#ifndef CF_KERNELS_WINOGRAD_H
#define CF_KERNELS_WINOGRAD_H
#include <stdint.h>

/* A piece of m outputs and r taps is computed at n = m + r - 1 points.  A table has 4 <= n <= CF_POINTS_MAX. */
enum { CF_POINTS_MAX = 7, CF_TAPS_MAX = 4 };

/* y = output((filter w) * (input x)),  y[j] = sum over i < r of w[i] * x[j + i],  j < m.
 * The adjoints turn dy and x into the gradient of w:  w = adjoint of filter((adjoint of output dy) * (input x)). */
typedef enum {
    CF_INPUT, /* n elements to n points */
    CF_OUTPUT, /* n points to m elements */
    CF_FILTER, /* r elements to n points */
    CF_OUTPUT_ADJOINT, /* m elements to n points */
    CF_FILTER_ADJOINT, /* n points to r elements */
    CF_TRANSFORMS
} cf_transform;

/* Steps between lines, outer and inner, and between the elements of a line, in reals. */
typedef struct {
    int64_t outer, inner, element;
} cf_steps;

/* dst[o*to.outer + i*to.inner + p*to.element + l] = sum over q of T[p][q] * src[o*from.outer + i*from.inner + q*from.element + l],
 * o < outer, i < inner, l < VL.  Where n is 1 a line is one vector, which is copied. */
typedef void cf_transform_fn(int64_t outer, int64_t inner, const void *src, const cf_steps *from, void *dst,
                             const cf_steps *to);

/* X(name, params) of every kernel:
 *
 * unpack        dst[i*ldd + k] = src[k*lds + i] + start[i],  i < m <= VL,  k < len,  and nothing else is written.
 *               Reads whole vectors of src; without a start it is 0. */
#define CF_WINOGRAD_KERNELS(X) \
    X(unpack, (int64_t m, int64_t len, const void *src, int64_t lds, const void *start, void *dst, int64_t ldd))

#endif
