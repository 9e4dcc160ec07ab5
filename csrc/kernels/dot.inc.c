/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums of products along rows: the tile of backward-weights with few channels.  Contract in dense.h. */

CF_INLINE void dot_step(int mr, int nv, const real *a, int64_t lda, const real *const b[], int64_t q, int64_t n,
                        vec acc[])
{
    vec v[CF_DOT_MAX];
    CF_UNROLL for (int j = 0; j < nv; j++)
    {
        v[j] = n == VL ? load(b[j] + q) : load_part(b[j] + q, n);
        CF_PIN(v[j]);
    }
    CF_UNROLL for (int i = 0; i < mr; i++)
    {
        vec u = n == VL ? load(a + i * lda + q) : load_part(a + i * lda + q, n);
        CF_PIN(u);
        CF_UNROLL for (int j = 0; j < nv; j++) acc[i * nv + j] += u * v[j];
    }
}

CF_INLINE void dot(int mr, int nv, int64_t runs, int64_t len, const real *a, int64_t lda, int64_t a_run, const real *b,
                   const int32_t *koff, int64_t b_run, real *y, int64_t ldy)
{
    vec acc[CF_REGISTERS] = {0};
    for (int64_t r = 0; r < runs; r++, a += a_run, b += b_run) {
        const real *from[CF_DOT_MAX];
        int64_t q = 0;
        CF_UNROLL for (int j = 0; j < nv; j++) from[j] = b + koff[j];
        for (; q + VL <= len; q += VL) dot_step(mr, nv, a, lda, from, q, VL, acc);
        if (q < len) dot_step(mr, nv, a, lda, from, q, len - q, acc);
    }
    CF_UNROLL for (int i = 0; i < mr; i++)
    {
        CF_UNROLL for (int j = 0; j < nv; j++)
        {
            real *to = y + (i * ldy + j) * VL;
            store(to, load(to) + acc[i * nv + j]);
        }
    }
}

#define CF_DEFINE_DOT(mr, nv)                                                                                        \
    static void dot_##mr##x##nv(int64_t runs, int64_t len, const void *a, int64_t lda, int64_t a_run, const void *b, \
                                const int32_t *koff, int64_t b_run, void *y, int64_t ldy)                            \
    {                                                                                                                \
        if (CF_TILE_FITS(mr, nv)) dot(mr, nv, runs, len, a, lda, a_run, b, koff, b_run, y, ldy);                     \
    }
#define CF_DOT_ENTRY(mr, nv) CF_TILE_FITS(mr, nv) ? dot_##mr##x##nv : 0,
#define CF_EACH_DOT(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv)
CF_EACH_DOT(CF_DEFINE_DOT, 1)
CF_EACH_DOT(CF_DEFINE_DOT, 2)
CF_EACH_DOT(CF_DEFINE_DOT, 3)
CF_EACH_DOT(CF_DEFINE_DOT, 4)
CF_EACH_DOT(CF_DEFINE_DOT, 5)
CF_EACH_DOT(CF_DEFINE_DOT, 6)
#define CF_DOT_ROW(nv) {0, CF_EACH_DOT(CF_DOT_ENTRY, nv)}
#define CF_DOT_TABLE {{0}, CF_DOT_ROW(1), CF_DOT_ROW(2), CF_DOT_ROW(3), CF_DOT_ROW(4), CF_DOT_ROW(5), CF_DOT_ROW(6)}

/* Parts are added first, then the lanes: a block of VL sums is transposed, so that its rows are added. */
static void CF_NAME(lane_sums)(int64_t n, int64_t parts, int64_t stride, const void *src, void *dst)
{
    for (int64_t i = 0; i < n; i += VL) {
        int64_t count = cf_min(VL, n - i);
#if VL > 1
        vec r[VL];
        CF_UNROLL for (int l = 0; l < VL; l++)
        {
            const real *s = (const real *)src + (i + cf_min(l, count - 1)) * VL;
            r[l] = load(s);
            for (int64_t p = 1; p < parts; p++) r[l] += load(s + p * stride);
        }
        transpose_block(r);
        CF_UNROLL for (int half = VL / 2; half > 0; half /= 2)
        {
            CF_UNROLL for (int l = 0; l < half; l++) r[l] += r[l + half];
        }
        store_part((real *)dst + i, r[0], count);
#else
        real sum = 0;
        for (int64_t p = 0; p < parts; p++) sum += ((const real *)src)[i + p * stride];
        ((real *)dst)[i] = sum;
        (void)count;
#endif
    }
}
