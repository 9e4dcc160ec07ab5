/* SPDX-License-Identifier: BSD-3-Clause */
/* Softmax and cross entropy on one line; contracts in softmax.h. */

/* max x, and the sum of exp(x - max) */
CF_INLINE real line_max(int64_t n, int64_t stride, const real *x, double *sum)
{
    real most = x[0];
    *sum = 0;
    for (int64_t c = 1; c < n; c++) most = x[c * stride] > most || x[c * stride] != x[c * stride] ? x[c * stride] : most;
    for (int64_t c = 0; c < n; c++) *sum += (double)exponential(x[c * stride] - most);
    return most;
}

static void CF_NAME(softmax)(int64_t n, int64_t stride, int logarithm, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    double sum;
    const real most = line_max(n, stride, x, &sum), log_sum = (real)log(sum), inverse = (real)(1 / sum);
    for (int64_t c = 0; c < n; c++) {
        real v = x[c * stride] - most;
        y[c * stride] = logarithm ? v - log_sum : exponential(v) * inverse;
    }
}

static void CF_NAME(softmax_backward)(int64_t n, int64_t stride, int logarithm, const void *y_, const void *dy_, void *dx_)
{
    const real *y = y_, *dy = dy_;
    real *dx = dx_;
    double dot = 0;
    for (int64_t c = 0; c < n; c++) dot += (double)dy[c * stride] * (logarithm ? 1 : (double)y[c * stride]);
    for (int64_t c = 0; c < n; c++) {
        real v = y[c * stride], g = dy[c * stride];
        dx[c * stride] = logarithm ? g - exponential(v) * (real)dot : v * (g - (real)dot);
    }
}

CF_INLINE double target_weight(int64_t n, int64_t stride, int64_t c, int64_t target, const real *probabilities,
                               const double *weight, double smoothing)
{
    double t = target < 0 ? (double)probabilities[c * stride] : c == target;
    return (weight ? weight[c] : 1) * ((1 - smoothing) * t + smoothing / (double)n);
}

static void CF_NAME(cross_entropy)(int64_t n, int64_t stride, const void *x_, int64_t target, const void *probabilities,
                                   const double *weight, double smoothing, double *loss)
{
    const real *x = x_;
    double sum, total = 0;
    const real most = line_max(n, stride, x, &sum);
    const double log_sum = log(sum);
    for (int64_t c = 0; c < n; c++) {
        double q = target_weight(n, stride, c, target, probabilities, weight, smoothing);
        if (q != 0) total -= q * ((double)(x[c * stride] - most) - log_sum);
    }
    *loss = total;
}

static void CF_NAME(cross_entropy_backward)(int64_t n, int64_t stride, const void *x_, int64_t target,
                                            const void *probabilities, const double *weight, double smoothing, double grad,
                                            void *dx_)
{
    const real *x = x_;
    real *dx = dx_;
    double sum, all = 0;
    const real most = line_max(n, stride, x, &sum);
    for (int64_t c = 0; c < n; c++) all += target_weight(n, stride, c, target, probabilities, weight, smoothing);
    for (int64_t c = 0; c < n; c++) {
        double q = target_weight(n, stride, c, target, probabilities, weight, smoothing);
        dx[c * stride] = (real)(grad * ((double)exponential(x[c * stride] - most) / sum * all - q));
    }
}
