/* SPDX-License-Identifier: BSD-3-Clause */
/* Batch norm on one run of a channel; contracts in norm.h.  Blocks of vectors are summed in real, so few terms that their error
 * does not matter, and blocks in double. */

enum { NORM_BLOCK = 64 };

CF_INLINE double lane_sum(vec v)
{
    real lanes[VL];
    double total = 0;
    store(lanes, v);
    for (int l = 0; l < VL; l++) total += (double)lanes[l];
    return total;
}

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

static void CF_NAME(normalise)(int64_t n, const void *x_, double mean, double scale, double shift, void *y_)
{
    const real *x = x_, m = (real)mean, a = (real)scale, b = (real)shift;
    real *y = y_;
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) * a + b;
}

static void CF_NAME(norm_sums)(int64_t n, const void *x_, const void *dy_, double mean, double *sum, double *dot)
{
    const real *x = x_, *dy = dy_;
    const vec m = broadcast((real)mean);
    int64_t i = 0;
    while (i + VL <= n) {
        vec s = zero(), d = zero();
        for (int b = 0; b < NORM_BLOCK && i + VL <= n; b++, i += VL) {
            vec g = load(dy + i);
            s += g;
            d += g * (load(x + i) - m);
        }
        *sum += lane_sum(s);
        *dot += lane_sum(d);
    }
    for (; i < n; i++) {
        *sum += (double)dy[i];
        *dot += (double)(dy[i] * (x[i] - (real)mean));
    }
}

static void CF_NAME(norm_backward)(int64_t n, const void *x_, const void *dy_, double mean, double scale, double offset,
                                   double slope, void *dx_)
{
    const real *x = x_, *dy = dy_, m = (real)mean, a = (real)scale, b = (real)offset, c = (real)slope;
    real *dx = dx_;
    for (int64_t i = 0; i < n; i++) dx[i] = a * dy[i] - b - c * (x[i] - m);
}
