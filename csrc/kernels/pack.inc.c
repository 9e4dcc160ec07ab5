/* SPDX-License-Identifier: BSD-3-Clause */
/* Packers around the tile; contracts in dense.h. */

/* Vectors: far enough ahead for memory, near enough to be of the same plane mostly. */
enum { PACK_AHEAD = 4 };

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

/* Rows [0, m) and columns [0, n) of src, m and n <= VL, to dst columns.  Columns lie `step` apart, 1 or 2; step whole vectors
 * of each row are readable. */
CF_INLINE void pack_block(int64_t m, int64_t n, const real *src, int64_t rs, int step, real *dst, int64_t ldd)
{
    vec r[VL];
    CF_UNROLL for (int i = 0; i < VL; i++)
    {
        const real *row = src + cf_min(i, m - 1) * rs;
        r[i] = step == 1 ? load(row) : even_lanes(load(row), load(row + VL));
        __builtin_prefetch(row + PACK_AHEAD * VL);
    }
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

/* Columns `step` apart, 1 or 2, are transposed in blocks; blocks of later rows first, so that what one writes past row m - 1
 * is overwritten by the first rows of the next column. */
CF_INLINE void pack_transposed(int64_t m, int64_t kc, const real *src, int64_t rs, int step, const real *end, real *dst,
                               int64_t ldd)
{
    int64_t k = 0;
#if VL > 1
    for (; k < kc && src + (m - 1) * rs + (k + VL) * step <= end; k += VL)
        for (int64_t i = (m - 1) / VL * VL; i >= 0; i -= VL)
            pack_block(cf_min(VL, m - i), cf_min(VL, kc - k), src + i * rs + k * step, rs, step, dst + k * ldd + i,
                       ldd);
#else
    (void)end;
#endif
    if (k < kc) pack_scalar(m, kc - k, src + k * step, rs, step, dst + k * ldd, ldd);
}

/* Columns that lie side by side; whole vectors as long as what they write too much is written again. */
CF_INLINE void pack_rows(int64_t m, int64_t kc, const real *src, int64_t cs, const real *end, real *dst, int64_t ldd)
{
    int64_t k = 0;
    for (; m <= VL && k * ldd + VL <= (kc - 1) * ldd + m && src + k * cs + VL <= end; k++)
        store(dst + k * ldd, load(src + k * cs));
    for (; k < kc; k++) copy(dst + k * ldd, src + k * cs, m);
}

static void CF_NAME(pack)(int64_t m, int64_t kc, const void *src, int64_t rs, int64_t cs, const void *end, void *dst,
                          int64_t ldd)
{
    const real *s = src;
    real *d = dst;
    if (rs == 1) pack_rows(m, kc, s, cs, end, d, ldd);
    else if (cs == 1) pack_transposed(m, kc, s, rs, 1, end, d, ldd);
    else if (cs == 2) pack_transposed(m, kc, s, rs, 2, end, d, ldd);
    else pack_scalar(m, kc, s, rs, cs, d, ldd);
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
