/* SPDX-License-Identifier: BSD-3-Clause */
/* Normalisation on a stretch; contracts in norm.h. */

enum { NORM_BLOCK = 64 }; /* vectors added in real: so few that their error does not matter */

static void CF_NAME(centered_squares)(int64_t n, const void *x_, double mean, double *total)
{
    const real *x = x_;
    const vec m = broadcast((real)mean);
    int64_t i = 0;
    while (i + VL <= n) {
        vec sum = zero();
        for (int b = 0; b < NORM_BLOCK && i + VL <= n; b++, i += VL) {
            vec d = load(x + i) - m;
            sum += d * d;
        }
        *total += lane_sum(sum);
    }
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

CF_INLINE void normalise(int statistic, int weight, int64_t n, const cf_norm_stretch *s, const real *x,
                         real *restrict y)
{
    const real *w = s->weight, *b = s->bias;
    const double *mean = s->mean, *inverse = s->inverse;
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - (real)mean[i * statistic]) * (real)inverse[i * statistic] * w[i * weight] + b[i * weight];
}

static void CF_NAME(normalise)(int64_t n, const cf_norm_stretch *s, const void *x, void *y)
{
    CF_EACH_SHARING(s, normalise, n, s, x, y);
}

static void CF_NAME(norm_sums)(int64_t n, const cf_norm_stretch *s, const void *x_, const void *dy_, double *sum,
                               double *dot)
{
    const real *x = x_, *dy = dy_, *w = s->weight, mean = (real)*s->mean;
    const vec m = broadcast(mean), shared = broadcast(*w);
    int64_t i = 0;
    while (i + VL <= n) {
        vec all = zero(), product = zero();
        for (int b = 0; b < NORM_BLOCK && i + VL <= n; b++, i += VL) {
            vec g = (s->own_weights ? load(w + i) : shared) * load(dy + i);
            all += g;
            product += g * (load(x + i) - m);
        }
        *sum += lane_sum(all);
        *dot += lane_sum(product);
    }
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
                             const double *slope, const real *x, const real *dy, real *restrict dx)
{
    const real *w = s->weight;
    const double *mean = s->mean, *inverse = s->inverse;
    for (int64_t i = 0; i < n; i++) {
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
