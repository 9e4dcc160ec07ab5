/* SPDX-License-Identifier: BSD-3-Clause */
/* Packers and copiers around the tile; contracts in dense.h. */

#if VL > 1
/* r = transpose of r: log2(VL) rounds of perfect shuffles. */
CF_INLINE void transpose_block(vec r[VL])
{
    vec t[VL];
    CF_UNROLL for (int s = 1; s < VL; s *= 2)
    {
        CF_UNROLL for (int i = 0; i < VL / 2; i++)
        {
            t[2 * i] = zip_low(r[i], r[i + VL / 2]);
            t[2 * i + 1] = zip_high(r[i], r[i + VL / 2]);
        }
        CF_UNROLL for (int i = 0; i < VL; i++) r[i] = t[i];
    }
}

/* Rows [0, m) and columns [0, n) of src, m and n <= VL, to dst columns; whole vectors of src are readable. */
CF_INLINE void pack_block(int64_t m, int64_t n, const real *src, int64_t rs, real *dst, int64_t ldd)
{
    vec r[VL];
    CF_UNROLL for (int i = 0; i < VL; i++) r[i] = load(src + cf_min(i, m - 1) * rs);
    transpose_block(r);
    if (n == VL) {
        CF_UNROLL for (int i = 0; i < VL; i++) store(dst + i * ldd, r[i]);
    } else {
        for (int64_t i = 0; i < n; i++) store(dst + i * ldd, r[i]);
    }
}
#endif

static void pack_scalar(int64_t m, int64_t kc, const real *src, int64_t rs, int64_t cs, real *dst, int64_t ldd)
{
    for (int64_t k = 0; k < kc; k++)
        for (int64_t i = 0; i < m; i++) dst[k * ldd + i] = src[i * rs + k * cs];
}

/* Columns of unit stride are transposed in blocks; blocks of later rows first, so that what one writes past
 * row m - 1 is overwritten by the first rows of the next column. */
static void pack_transposed(int64_t m, int64_t kc, const real *src, int64_t rs, const real *end, real *dst, int64_t ldd)
{
    int64_t k = 0;
#if VL > 1
    for (; k < kc && src + (m - 1) * rs + k + VL <= end; k += VL)
        for (int64_t i = (m - 1) / VL * VL; i >= 0; i -= VL)
            pack_block(cf_min(VL, m - i), cf_min(VL, kc - k), src + i * rs + k, rs, dst + k * ldd + i, ldd);
#else
    (void)end;
#endif
    if (k < kc) pack_scalar(m, kc - k, src + k, rs, 1, dst + k * ldd, ldd);
}

static void CF_NAME(pack)(int64_t m, int64_t kc, const void *src, int64_t rs, int64_t cs, const void *end, void *dst,
                          int64_t ldd)
{
    const real *s = src;
    real *d = dst;
    if (rs == 1)
        for (int64_t k = 0; k < kc; k++) copy(d + k * ldd, s + k * cs, m);
    else if (cs == 1) pack_transposed(m, kc, s, rs, end, d, ldd);
    else pack_scalar(m, kc, s, rs, cs, d, ldd);
}

static void CF_NAME(gather_rows)(void *dst, int64_t ldd, const void *src, int64_t lds, int64_t rows, int64_t len,
                                 int64_t first, int64_t last, int64_t step, double fill)
{
    real *d = dst;
    const real *s = src;
    for (int64_t r = 0; r < rows; r++, d += ldd, s += lds) {
        for (int64_t q = 0; q < first; q++) d[q] = (real)fill;
        if (step == 1) copy(d + first, s, last - first);
        else
            for (int64_t q = first; q < last; q++) d[q] = s[(q - first) * step];
        for (int64_t q = last; q < len; q++) d[q] = (real)fill;
    }
}

static void CF_NAME(scatter_rows)(void *dst, int64_t ldd, int64_t step, const void *src, int64_t lds, int64_t rows,
                                  int64_t len)
{
    real *d = dst;
    const real *s = src;
    for (int64_t r = 0; r < rows; r++, d += ldd, s += lds) {
        if (step == 1) copy(d, s, len);
        else
            for (int64_t q = 0; q < len; q++) d[q * step] = s[q];
    }
}

static void CF_NAME(add_rows)(void *dst, int64_t ldd, int64_t step, const void *src, int64_t lds, int64_t rows,
                              int64_t len)
{
    real *d = dst;
    const real *s = src;
    for (int64_t r = 0; r < rows; r++, d += ldd, s += lds) {
        if (step == 1)
            for (int64_t q = 0; q < len; q++) d[q] += s[q];
        else
            for (int64_t q = 0; q < len; q++) d[q * step] += s[q];
    }
}

static void CF_NAME(set)(int64_t n, void *dst, double value)
{
    real *d = dst;
    for (int64_t i = 0; i < n; i++) d[i] = (real)value;
}

/* Four chains of vectors hide the latency of the addition; a block is short enough for its error not to matter. */
static void CF_NAME(sum)(int64_t n, const void *src, double *total)
{
    enum { BLOCK = 64 * VL };
    const real *s = src;
    int64_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK) {
        vec chain[4] = {zero(), zero(), zero(), zero()};
        for (int64_t j = 0; j < BLOCK; j += 4 * VL)
            CF_UNROLL for (int c = 0; c < 4; c++) chain[c] += load(s + i + j + c * VL);
        *total += lane_sum((chain[0] + chain[1]) + (chain[2] + chain[3]));
    }
    vec rest = zero();
    for (; i + VL <= n; i += VL) rest += load(s + i);
    *total += lane_sum(rest);
    for (; i < n; i++) *total += (double)s[i];
}
