/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the dense kernels: the register tile, and the packers that feed it. */
#ifndef CF_KERNELS_DENSE_H
#define CF_KERNELS_DENSE_H
#include <stdint.h>

/* What finish_rows does: row r has mean norm[r*step], and `stride` reals behind it each inverse deviation, weight and bias; norm
 * may be NULL. */
typedef struct {
    const void *norm;
    int64_t stride, step;
    double low, high;
} cf_finish;

/* Largest tile: rows and vectors.  A table offers (mr, nv) where mr * nv + nv + 1 registers exist. */
enum { CF_MR_MAX = 14, CF_NV_MAX = 6 };

/* y[i][j] = sum_k a[i*a_rs + k*a_cs] * b[koff[k] + j] + (init ? init[i] : from[i*ldf + j])
 *
 * i < mr   j < lanes   0 <= k < kc
 * y row stride ldy   (nv - 1) * VL < lanes <= nv * VL
 * b is plain memory of any alignment: whole vectors are loaded, so b[koff[k]] must be readable for nv * VL reals.
 * y is touched in its first `lanes` columns only.  Rows from `ahead` on, ldy apart, are fetched: y or a tile to come.
 * Terms are added in the order of k in every tile shape.
 * `tile` takes packed rows alone, a_rs 1; `tile_apart` any. */
typedef void cf_tile_fn(int64_t kc, const void *a, int64_t a_rs, int64_t a_cs, const void *b, const int32_t *koff,
                        void *y, int64_t ldy, const void *init, const void *from, int64_t ldf, int64_t lanes,
                        const void *ahead);

/* Largest dot tile: rows and columns.  A table offers (mr, nv) where mr * nv + nv + 1 registers exist. */
enum { CF_DOT_MAX = 6 };

/* y[i][j][l] += sum over r < runs, q < len, q % VL == l of  a[i*lda + r*a_run + q] * b[koff[j] + r*b_run + q]
 *
 * i < mr   j < nv   y rows of ldy vectors.  Nothing is read outside the rows.  lane_sums adds the lanes of y. */
typedef void cf_dot_fn(int64_t runs, int64_t len, const void *a, int64_t lda, int64_t a_run, const void *b,
                       const int32_t *koff, int64_t b_run, void *y, int64_t ldy);

/* X(name, params) of every kernel:
 *
 * pack          dst[k*ldd + i] = src[i*rs + k*cs],  i < m,  k < kc,  ldd >= m,  rs and cs any strides.
 *               Fast where rs is 1, or cs 1 or 2.  Reads stay below `end`.  Writes up to VL - 1 reals
 *               past column m - 1 of each row, in ascending k; past the last row not if rs is 1.
 * gather_rows   dst[r*ldd + q] = first <= q < last ? src[r*lds + (q - first)*step] : fill,  r < rows,  q < len.
 * scatter_rows  dst[r*ldd + q*step] = src[r*lds + q],  r < rows,  q < len.
 * interleave_rows  dst[r*ldd + 2*q] = even[r*lds + q],  dst[r*ldd + 2*q + 1] = odd[r*lds + q],  below column len.
 * add_rows      dst[r*ldd + q*step] += src[r*lds + q],  r < rows,  q < len.
 * finish_rows   y[r*ld + q] = clamp((y[r*ld + q] - mean) * inverse * weight + bias + z[r*ld + q], low, high),
 *               r < rows,  q < len;  z NULL stands for zeros.
 * fill_columns  dst[r*ldd + q] = value,  r < rows,  q < n, fastest where n is small.
 * lane_sums     dst[i] = sum over p < parts, l < VL of src[p*stride + i*VL + l],  i < n, in a fixed order.
 * set           dst[i] = value,  i < n.
 * sum           *total += sum of src[i], i < n, in a fixed order; single blocks are summed in real, blocks in double. */
#define CF_DENSE_KERNELS(X)                                                                                            \
    X(pack, (int64_t m, int64_t kc, const void *src, int64_t rs, int64_t cs, const void *end, void *dst, int64_t ldd)) \
    X(gather_rows, (void *dst, int64_t ldd, const void *src, int64_t lds, int64_t rows, int64_t len, int64_t first,    \
                    int64_t last, int64_t step, double fill))                                                          \
    X(scatter_rows, (void *dst, int64_t ldd, int64_t step, const void *src, int64_t lds, int64_t rows, int64_t len))   \
    X(interleave_rows,                                                                                                 \
      (void *dst, int64_t ldd, const void *even, const void *odd, int64_t lds, int64_t rows, int64_t len))             \
    X(add_rows, (void *dst, int64_t ldd, int64_t step, const void *src, int64_t lds, int64_t rows, int64_t len))       \
    X(finish_rows, (const cf_finish *f, void *y, const void *z, int64_t ld, int64_t rows, int64_t len))                \
    X(fill_columns, (int64_t rows, int64_t n, double value, void *dst, int64_t ldd))                                   \
    X(lane_sums, (int64_t n, int64_t parts, int64_t stride, const void *src, void *dst))                               \
    X(set, (int64_t n, void *dst, double value))                                                                       \
    X(sum, (int64_t n, const void *src, double *total))

#endif
