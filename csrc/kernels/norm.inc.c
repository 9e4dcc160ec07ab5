/* SPDX-License-Identifier: BSD-3-Clause */
/* Normalisation on a stretch; contracts in norm.h. */

/* Steps added in real: so few that their error does not matter.  A step has a vector for each of the chains, whose
 * additions do not wait for each other. */
enum { NORM_BLOCK = 16, NORM_CHAINS = 4, NORM_STEP = NORM_CHAINS * VL };

static void CF_NAME(centered_squares)(int64_t n, const void *x_, double mean, double *total)
{
    const real *x = x_;
    const vec m = broadcast((real)mean);
    int64_t i = 0;
    while (i + NORM_STEP <= n) {
        vec sums[NORM_CHAINS] = {zero()};
        for (int b = 0; b < NORM_BLOCK && i + NORM_STEP <= n; b++, i += NORM_STEP)
            CF_UNROLL for (int c = 0; c < NORM_CHAINS; c++)
            {
                vec d = load(x + i + c * VL) - m;
                sums[c] += d * d;
            }
        *total += lane_sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
    vec rest = zero();
    for (; i + VL <= n; i += VL) {
        vec d = load(x + i) - m;
        rest += d * d;
    }
    *total += lane_sum(rest);
    for (; i < n; i++) *total += (double)((x[i] - (real)mean) * (x[i] - (real)mean));
}

static void CF_NAME(column_sums)(int64_t n, const void *x_, double *restrict totals)
{
    const real *x = x_;
    for (int64_t i = 0; i < n; i++) totals[i] += (double)x[i];
}

static void CF_NAME(column_squares)(int64_t n, const void *x_, const double *mean, double *restrict totals)
{
    const real *x = x_;
    for (int64_t i = 0; i < n; i++) totals[i] += ((double)x[i] - mean[i]) * ((double)x[i] - mean[i]);
}

/* One body for each way to share statistics and weights; the steps are constants in the inlined copies. */
#define CF_EACH_SHARING(s, body, ...)                                         \
    do {                                                                      \
        if ((s)->own_statistics && (s)->own_weights) body(1, 1, __VA_ARGS__); \
        else if ((s)->own_statistics) body(1, 0, __VA_ARGS__);                \
        else if ((s)->own_weights) body(0, 1, __VA_ARGS__);                   \
        else body(0, 0, __VA_ARGS__);                                         \
    } while (0)

CF_INLINE real normalised(int statistic, int weight, int64_t i, const cf_norm_stretch *s, real x)
{
    const real *w = s->weight, *b = s->bias;
    return (x - (real)s->mean[i * statistic]) * (real)s->inverse[i * statistic] * w[i * weight] + b[i * weight];
}

CF_INLINE void normalise(int statistic, int weight, int64_t n, const cf_norm_stretch *s, const real *x, const real *z,
                         real *y)
{
    const real low = (real)s->low, high = (real)s->high;
    if (z) {
        CF_EACH_ELEMENT y[i] = clamp(normalised(statistic, weight, i, s, x[i]) + z[i], low, high);
    } else {
        CF_EACH_ELEMENT y[i] = clamp(normalised(statistic, weight, i, s, x[i]), low, high);
    }
}

static void CF_NAME(normalise)(int64_t n, const cf_norm_stretch *s, const void *x, const void *z, void *y)
{
    CF_EACH_SHARING(s, normalise, n, s, x, z, y);
}

CF_INLINE void norm_gate(int statistic, int weight, int64_t n, const cf_norm_stretch *s, const real *x, const real *dy,
                         real *g)
{
    const real low = (real)s->low, high = (real)s->high;
    CF_EACH_ELEMENT
    {
        const real y = normalised(statistic, weight, i, s, x[i]), all = dy[i];
        g[i] = y <= low || y >= high ? 0 : all;
    }
}

static void CF_NAME(norm_gate)(int64_t n, const cf_norm_stretch *s, const void *x, const void *dy, void *g)
{
    CF_EACH_SHARING(s, norm_gate, n, s, x, dy, g);
}

static void CF_NAME(norm_sums)(int64_t n, const cf_norm_stretch *s, const void *x_, const void *dy_, double *sum,
                               double *dot)
{
    const real *x = x_, *dy = dy_, *w = s->weight, mean = (real)*s->mean;
    const vec m = broadcast(mean), shared = broadcast(*w);
    int64_t i = 0;
    while (i + NORM_STEP <= n) {
        vec all[NORM_CHAINS] = {zero()}, product[NORM_CHAINS] = {zero()};
        for (int b = 0; b < NORM_BLOCK && i + NORM_STEP <= n; b++, i += NORM_STEP)
            CF_UNROLL for (int c = 0; c < NORM_CHAINS; c++)
            {
                int64_t at = i + c * VL;
                vec g = (s->own_weights ? load(w + at) : shared) * load(dy + at);
                all[c] += g;
                product[c] += g * (load(x + at) - m);
            }
        *sum += lane_sum((all[0] + all[1]) + (all[2] + all[3]));
        *dot += lane_sum((product[0] + product[1]) + (product[2] + product[3]));
    }
    vec rest = zero(), rest_product = zero();
    for (; i + VL <= n; i += VL) {
        vec g = (s->own_weights ? load(w + i) : shared) * load(dy + i);
        rest += g;
        rest_product += g * (load(x + i) - m);
    }
    *sum += lane_sum(rest);
    *dot += lane_sum(rest_product);
    for (; i < n; i++) {
        real g = w[s->own_weights ? i : 0] * dy[i];
        *sum += (double)g;
        *dot += (double)(g * (x[i] - mean));
    }
}

CF_INLINE void column_dots(int statistic, int64_t n, const cf_norm_stretch *s, const real *x, const real *dy,
                           double *restrict sums, double *restrict dots)
{
    const double *mean = s->mean, *inverse = s->inverse;
    for (int64_t i = 0; i < n; i++) {
        sums[i] += (double)dy[i];
        dots[i] += (double)dy[i] * ((double)x[i] - mean[i * statistic]) * inverse[i * statistic];
    }
}

static void CF_NAME(column_dots)(int64_t n, const cf_norm_stretch *s, const void *x, const void *dy, double *sums,
                                 double *dots)
{
    if (s->own_statistics) column_dots(1, n, s, x, dy, sums, dots);
    else column_dots(0, n, s, x, dy, sums, dots);
}

CF_INLINE void norm_backward(int statistic, int weight, int64_t n, const cf_norm_stretch *s, const double *offset,
                             const double *slope, const real *x, const real *dy, real *dx)
{
    const real *w = s->weight;
    const double *mean = s->mean, *inverse = s->inverse;
    CF_EACH_ELEMENT
    {
        real centered = x[i] - (real)mean[i * statistic], g = w[i * weight] * dy[i];
        dx[i] =
            (real)inverse[i * statistic] * (g - (real)offset[i * statistic] - (real)slope[i * statistic] * centered);
    }
}

static void CF_NAME(norm_backward)(int64_t n, const cf_norm_stretch *s, const double *offset, const double *slope,
                                   const void *x, const void *dy, void *dx)
{
    CF_EACH_SHARING(s, norm_backward, n, s, offset, slope, x, dy, dx);
}
