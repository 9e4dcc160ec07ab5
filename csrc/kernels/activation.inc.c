/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise functions and their derivatives; contracts in activation.h.  Comparisons are written so that NaN goes through, as in
 * PyTorch. */
#include <math.h>

#if CF_DOUBLE
#define CF_MATH(name) name
#else
#define CF_MATH(name) name##f
#endif

static const real sqrt_half = (real)0.70710678118654752440, sqrt_2_over_pi = (real)0.79788456080286535588,
                  inverse_sqrt_2pi = (real)0.39894228040143267794, gelu_cubic = (real)0.044715;

CF_INLINE real clamp(real v, real low, real high) { return v < low ? low : v > high ? high : v; }
CF_INLINE real sigmoid(real v) { return 1 / (1 + CF_MATH(exp)(-v)); }
CF_INLINE real normal_cdf(real v) { return (1 + CF_MATH(erf)(v * sqrt_half)) / 2; }
CF_INLINE real gelu_inner(real v) { return CF_MATH(tanh)(sqrt_2_over_pi * (v + gelu_cubic * v * v * v)); }

CF_INLINE real silu_slope(real v)
{
    real s = sigmoid(v);
    return s * (1 + v * (1 - s));
}

CF_INLINE real gelu_slope(real v) { return normal_cdf(v) + v * inverse_sqrt_2pi * CF_MATH(exp)(-v * v / 2); }

CF_INLINE real gelu_tanh_slope(real v)
{
    real t = gelu_inner(v), inner_slope = sqrt_2_over_pi * (1 + 3 * gelu_cubic * v * v);
    return (1 + t + v * (1 - t * t) * inner_slope) / 2;
}

#define CF_EACH(result, expression)                       \
    for (int64_t i = 0; i < n; i++) {                     \
        const real v = x[i];                              \
        result[i] = (expression);                         \
    }                                                     \
    break

static void CF_NAME(activate)(cf_activation_kind kind, double a_, double b_, int64_t n, const void *x_, void *y_)
{
    const real *x = x_, a = (real)a_, b = (real)b_;
    real *y = y_;
    switch (kind) {
    case CF_RELU: CF_EACH(y, v < 0 ? 0 : v);
    case CF_LEAKY_RELU: CF_EACH(y, v > 0 ? v : a * v);
    case CF_HARDTANH: CF_EACH(y, clamp(v, a, b));
    case CF_SIGMOID: CF_EACH(y, sigmoid(v));
    case CF_HARDSIGMOID: CF_EACH(y, clamp(v + 3, 0, 6) / 6);
    case CF_HARDSWISH: CF_EACH(y, v * clamp(v + 3, 0, 6) / 6);
    case CF_TANH: CF_EACH(y, CF_MATH(tanh)(v));
    case CF_GELU: CF_EACH(y, v * normal_cdf(v));
    case CF_GELU_TANH: CF_EACH(y, v * (1 + gelu_inner(v)) / 2);
    case CF_SILU: CF_EACH(y, v * sigmoid(v));
    }
}

static void CF_NAME(activate_backward)(cf_activation_kind kind, double a_, double b_, int64_t n, const void *x_,
                                       const void *dy_, void *dx_)
{
    const real *x = x_, *dy = dy_, a = (real)a_, b = (real)b_;
    real *dx = dx_;
    switch (kind) {
    case CF_RELU: CF_EACH(dx, v <= 0 ? 0 : dy[i]);
    case CF_LEAKY_RELU: CF_EACH(dx, v > 0 ? dy[i] : a * dy[i]);
    case CF_HARDTANH: CF_EACH(dx, v <= a || v >= b ? 0 : dy[i]);
    case CF_SIGMOID: CF_EACH(dx, dy[i] * sigmoid(v) * (1 - sigmoid(v)));
    case CF_HARDSIGMOID: CF_EACH(dx, v > -3 && v < 3 ? dy[i] / 6 : 0);
    case CF_HARDSWISH: CF_EACH(dx, v <= -3 ? 0 : v < 3 ? dy[i] * (v / 3 + (real)0.5) : dy[i]);
    case CF_TANH: CF_EACH(dx, dy[i] * (1 - CF_MATH(tanh)(v) * CF_MATH(tanh)(v)));
    case CF_GELU: CF_EACH(dx, dy[i] * gelu_slope(v));
    case CF_GELU_TANH: CF_EACH(dx, dy[i] * gelu_tanh_slope(v));
    case CF_SILU: CF_EACH(dx, dy[i] * silu_slope(v));
    }
}

static void CF_NAME(scale)(int64_t n, double a_, const void *x_, void *y_)
{
    const real *x = x_, a = (real)a_;
    real *y = y_;
    for (int64_t i = 0; i < n; i++) y[i] = a * x[i];
}

static void CF_NAME(prelu_backward)(int64_t n, double a_, const void *x_, const void *dy_, void *dx_, double *total)
{
    const real *x = x_, *dy = dy_, a = (real)a_;
    real *dx = dx_;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i] > 0 ? 0 : (double)x[i] * (double)dy[i];
        dx[i] = x[i] > 0 ? dy[i] : a * dy[i];
    }
    *total += sum;
}
