/* SPDX-License-Identifier: BSD-3-Clause */
/* Transposition in blocks of a vector's length; contract in columns.h, transpose_block in pack.inc.c. */

CF_INLINE void transpose_scalar(int64_t m, int64_t n, const real *restrict src, int64_t lds, real *restrict dst,
                                int64_t ldd)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) dst[j * ldd + i] = src[i * lds + j];
}

static void CF_NAME(transpose)(int64_t m, int64_t n, const void *src_, int64_t lds, void *dst_, int64_t ldd)
{
    const real *src = src_;
    real *dst = dst_;
    int64_t whole_m = m / VL * VL, whole_n = n / VL * VL;
#if VL > 1
    for (int64_t i = 0; i < whole_m; i += VL)
        for (int64_t j = 0; j < whole_n; j += VL) {
            vec r[VL];
            CF_UNROLL for (int k = 0; k < VL; k++) r[k] = load(src + (i + k) * lds + j);
            transpose_block(r);
            CF_UNROLL for (int k = 0; k < VL; k++) store(dst + (j + k) * ldd + i, r[k]);
        }
#else
    whole_m = 0;
#endif
    transpose_scalar(whole_m, n - whole_n, src + whole_n, lds, dst + whole_n * ldd, ldd);
    transpose_scalar(m - whole_m, n, src + whole_m * lds, lds, dst + whole_m, ldd);
}
