/* SPDX-License-Identifier: BSD-3-Clause */
/* Transforms of Winograd's convolution; contract in winograd.h.
 *
 * Elements are coefficients of polynomials, points are their values: a product of polynomials is a product of values.  At
 * infinity the value is the leading coefficient.  All transforms follow from the points; those of n points are the first n - 1 of
 * a row, and infinity as the last: 0, pairs of a and -a, and in an odd number a single one.  They amplify rounding errors little, and are
 * exact in binary with their powers (winograd.md). */

static const real nodes[CF_POINTS_MAX + 1][CF_POINTS_MAX] = {
    [4] = {0, 1, -1},
    [5] = {0, (real)1.5, (real)-1.5, (real)0.5},
    [6] = {0, (real)0.625, (real)-0.625, (real)1.5, (real)-1.5},
    [7] = {0, (real)0.5, (real)-0.5, (real)1.125, (real)-1.125, (real)2.625}};

CF_INLINE real power(real x, int k)
{
    real result = 1;
    CF_UNROLL for (int i = 0; i < k; i++) result *= x;
    return result;
}

/* Points i and i + 1 are a and -a: their even powers are equal, their odd powers opposite. */
CF_INLINE int opposite(int n, int i) { return i % 2 == 1 && i + 1 < n - 1; }

/* Values at n points of the polynomial with coefficients x[0], ..., x[len - 1]. */
CF_INLINE void evaluate(int n, int len, const vec *x, vec *y)
{
    y[0] = x[0];
    y[n - 1] = x[len - 1];
    CF_UNROLL for (int i = 1; i < n - 1; i++)
    {
        if (opposite(n, i - 1)) continue;
        const real a = nodes[n][i];
        vec even = x[0], odd = a * x[1];
        CF_UNROLL for (int k = 2; k < len; k++)
        {
            if (k % 2) odd += power(a, k) * x[k];
            else even += power(a, k) * x[k];
        }
        y[i] = even + odd;
        if (opposite(n, i)) y[i + 1] = even - odd;
    }
}

/* Its transpose: y[k] = sum over i of nodes[i]^k * x[i]. */
CF_INLINE void evaluate_adjoint(int n, int len, const vec *x, vec *y)
{
    y[0] = x[0];
    CF_UNROLL for (int i = 1; i < n - 1; i++)
    {
        if (opposite(n, i - 1)) continue;
        const int pair = opposite(n, i);
        const vec even = pair ? x[i] + x[i + 1] : x[i], odd = pair ? x[i] - x[i + 1] : x[i];
        CF_UNROLL for (int k = 0; k < len; k++)
        {
            const vec term = power(nodes[n][i], k) * (k % 2 ? odd : even);
            y[k] = i == 1 && k > 0 ? term : y[k] + term;
        }
    }
    y[len - 1] += x[n - 1];
}

/* The product of the distances of point i from the other finite ones: what the polynomial that is zero there is at point i. */
CF_INLINE real distance(int n, int i)
{
    real product = 1;
    CF_UNROLL for (int j = 0; j < n - 1; j++) product *= j == i || i == n - 1 ? 1 : nodes[n][i] - nodes[n][j];
    return product;
}

CF_INLINE void scale_points(int n, const vec *x, vec *y)
{
    CF_UNROLL for (int i = 0; i < n; i++) y[i] = x[i] * (1 / distance(n, i));
}

/* The polynomial of the shift d[s] -> d[s + 1] that is zero at all pairs but the one from point `but` on, applied at d: a product
 * of x^2 - a^2. */
CF_INLINE vec zero_at_pairs(int n, int but, const vec *d)
{
    real c[CF_POINTS_MAX] = {1};
    int degree = 0;
    CF_UNROLL for (int i = 1; i < n - 2; i += 2)
    {
        if (i == but) continue;
        degree++;
        CF_UNROLL for (int k = degree; k > 0; k--) c[k] = c[k - 1] - nodes[n][i] * nodes[n][i] * c[k];
        c[0] *= -nodes[n][i] * nodes[n][i];
    }
    vec y = d[2 * degree];
    CF_UNROLL for (int k = degree - 1; k >= 0; k--) y += c[k] * d[2 * k];
    return y;
}

/* Point i gets the polynomial that is zero at all finite points but i, applied at d[0]; infinity that which is zero at all. */
CF_INLINE void input(int n, const vec *d, vec *y)
{
    const int single = n % 2;
    vec e[CF_POINTS_MAX];
    CF_UNROLL for (int i = 0; i < n - single; i++) e[i] = single ? d[i + 1] - nodes[n][n - 2] * d[i] : d[i];
    y[0] = zero_at_pairs(n, 0, e);
    CF_UNROLL for (int i = 1; i < n - 2; i += 2)
    {
        const vec low = zero_at_pairs(n, i, e + 1), high = zero_at_pairs(n, i, e + 2);
        y[i] = high + nodes[n][i] * low;
        y[i + 1] = high - nodes[n][i] * low;
    }
    if (single) y[n - 2] = zero_at_pairs(n, 0, d + 1);
    y[n - 1] = zero_at_pairs(n, 0, e + 1);
}

/* Elements of a line before and after. */
CF_INLINE int line_length(cf_transform kind, int after, int n, int len)
{
    const int to_points = kind != CF_OUTPUT && kind != CF_FILTER_ADJOINT;
    return kind == CF_INPUT || to_points == after ? n : len;
}

CF_INLINE void transform(cf_transform kind, int n, int len, const vec *x, vec *y)
{
    vec scaled[CF_POINTS_MAX];
    if (kind == CF_INPUT) input(n, x, y);
    if (kind == CF_OUTPUT) evaluate_adjoint(n, len, x, y);
    if (kind == CF_OUTPUT_ADJOINT) evaluate(n, len, x, y);
    if (kind == CF_FILTER) {
        evaluate(n, len, x, scaled);
        scale_points(n, scaled, y);
    }
    if (kind == CF_FILTER_ADJOINT) {
        scale_points(n, x, scaled);
        evaluate_adjoint(n, len, scaled, y);
    }
}

CF_INLINE void transform_lines(cf_transform kind, int n, int len, int64_t outer, int64_t inner, const real *src,
                               const cf_steps *from, real *dst, const cf_steps *to)
{
    const int before = line_length(kind, 0, n, len), after = line_length(kind, 1, n, len);
    const cf_steps f = *from, t = *to;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            const real *s = src + o * f.outer + i * f.inner;
            real *d = dst + o * t.outer + i * t.inner;
            vec x[CF_POINTS_MAX], y[CF_POINTS_MAX];
            CF_UNROLL for (int q = 0; q < before; q++) x[q] = load(s + q * f.element);
            transform(kind, n, len, x, y);
            CF_UNROLL for (int p = 0; p < after; p++) store(d + p * t.element, y[p]);
        }
}

#define CF_TRANSFORM_NAME(kind, n, len) transform_##kind##_##n##_##len
#define CF_DEFINE_TRANSFORM(kind, n, len)                                                                            \
    static void CF_TRANSFORM_NAME(kind, n, len)(int64_t outer, int64_t inner, const void *src, const cf_steps *from, \
                                                void *dst, const cf_steps *to)                                       \
    {                                                                                                                \
        transform_lines(CF_##kind, n, len, outer, inner, src, from, dst, to);                                        \
    }
#define CF_AT_4(X, kind) X(kind, 4, 2) X(kind, 4, 3)
#define CF_AT_5(X, kind) X(kind, 5, 2) X(kind, 5, 3) X(kind, 5, 4)
#define CF_AT_6(X, kind) X(kind, 6, 2) X(kind, 6, 3) X(kind, 6, 4) X(kind, 6, 5)
#define CF_AT_7(X, kind) X(kind, 7, 2) X(kind, 7, 3) X(kind, 7, 4) X(kind, 7, 5) X(kind, 7, 6)
#define CF_EACH_LENGTH(X, kind) CF_AT_4(X, kind) CF_AT_5(X, kind) CF_AT_6(X, kind) CF_AT_7(X, kind)
#define CF_EACH_INPUT(X) X(INPUT, 4, 0) X(INPUT, 5, 0) X(INPUT, 6, 0) X(INPUT, 7, 0)
#define CF_EACH_OUTPUT(X) CF_EACH_LENGTH(X, OUTPUT) CF_EACH_LENGTH(X, OUTPUT_ADJOINT)
#define CF_EACH_FILTER(X) CF_EACH_LENGTH(X, FILTER) CF_EACH_LENGTH(X, FILTER_ADJOINT)
#define CF_EACH_TRANSFORM(X) CF_EACH_INPUT(X) CF_EACH_OUTPUT(X) CF_EACH_FILTER(X)
CF_EACH_TRANSFORM(CF_DEFINE_TRANSFORM)

static void copy_lines(int64_t outer, int64_t inner, const void *src, const cf_steps *from, void *dst,
                       const cf_steps *to)
{
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++)
            store((real *)dst + o * to->outer + i * to->inner,
                  load((const real *)src + o * from->outer + i * from->inner));
}

#define CF_TRANSFORM_ENTRY(kind, n, len) [CF_##kind][n][len] = CF_TRANSFORM_NAME(kind, n, len),
#define CF_COPY_ENTRY(kind) [kind][1][kind == CF_INPUT ? 0 : 1] = copy_lines,
#define CF_TRANSFORM_TABLE                                                                                           \
    {CF_EACH_TRANSFORM(CF_TRANSFORM_ENTRY) CF_COPY_ENTRY(CF_INPUT) CF_COPY_ENTRY(CF_OUTPUT) CF_COPY_ENTRY(CF_FILTER) \
         CF_COPY_ENTRY(CF_OUTPUT_ADJOINT) CF_COPY_ENTRY(CF_FILTER_ADJOINT)}

/* Columns [k, k + n) of all rows, n <= VL. */
CF_INLINE void unpack_block(int64_t m, int64_t n, const real *src, int64_t lds, vec start, real *dst, int64_t ldd)
{
#if VL > 1
    vec r[VL];
    CF_UNROLL for (int k = 0; k < VL; k++) r[k] = load(src + cf_min(k, n - 1) * lds) + start;
    transpose_block(r);
    if (m == VL && n == VL) {
        CF_UNROLL for (int i = 0; i < VL; i++) store(dst + i * ldd, r[i]);
    } else if (n == VL) {
        for (int64_t i = 0; i < m; i++) store(dst + i * ldd, r[i]);
    } else {
        for (int64_t i = 0; i < m; i++) store_part(dst + i * ldd, r[i], n);
    }
#else
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < n; k++) dst[i * ldd + k] = src[k * lds + i] + start;
#endif
}

static void CF_NAME(unpack)(int64_t m, int64_t len, const void *src, int64_t lds, const void *start, void *dst,
                            int64_t ldd)
{
    const vec from = start ? load_part(start, m) : zero();
    for (int64_t k = 0; k < len; k += VL)
        unpack_block(m, cf_min(VL, len - k), (const real *)src + k * lds, lds, from, (real *)dst + k, ldd);
}
