/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise functions and their derivatives; contracts in activation.h. */

/* X(kind, f(v), f'(v) * g), with the parameters a and b.  Comparisons are written so that NaN goes through as in
 * PyTorch. */
/* clang-format off */
#define CF_ACTIVATIONS(X)                                                                             \
    X(CF_RELU, v < 0 ? 0 : v, v <= 0 ? 0 : g)                                                         \
    X(CF_LEAKY_RELU, v > 0 ? v : a * v, v > 0 ? g : a * g)                                            \
    X(CF_HARDTANH, clamp(v, a, b), v <= a || v >= b ? 0 : g)                                          \
    X(CF_SIGMOID, logistic(v), g * logistic_slope(v))                                                 \
    X(CF_HARDSIGMOID, clamp(v + 3, 0, 6) / 6, v > -3 && v < 3 ? g / 6 : 0)                            \
    X(CF_HARDSWISH, v * clamp(v + 3, 0, 6) / 6, v <= -3 ? 0 : v < 3 ? g * (v / 3 + (real)0.5) : g)    \
    X(CF_TANH, hyperbolic_tangent(v), g * hyperbolic_tangent_slope(v))                                \
    X(CF_GELU, v * normal_distribution(v), g * gelu_slope(v))                                         \
    X(CF_GELU_TANH, v * logistic(gelu_inner(v)), g * gelu_tanh_slope(v))                              \
    X(CF_SILU, v * logistic(v), g * (logistic(v) + v * logistic_slope(v)))
/* clang-format on */

CF_INLINE real hyperbolic_tangent_slope(real v) { return 4 * logistic_slope(2 * v); }

CF_INLINE real gelu_slope(real v)
{
    normal n = normal_of(v);
    return (v > 0 ? 1 - n.tail : n.tail) + v * n.density;
}

/* (1 + tanh u) / 2 = logistic(2 u); here 2 u = 2 sqrt(2 / pi) (v + 0.044715 v^3). */
static const real two_sqrt_2_over_pi = (real)1.59576912160573071176, gelu_cubic = (real)0.044715;

CF_INLINE real gelu_inner(real v) { return two_sqrt_2_over_pi * (v + gelu_cubic * v * v * v); }

CF_INLINE real gelu_tanh_slope(real v)
{
    real u = gelu_inner(v), inner_slope = two_sqrt_2_over_pi * (1 + 3 * gelu_cubic * v * v);
    return logistic(u) + v * inner_slope * logistic_slope(u);
}

/* Elements are independent, also where the result overwrites an operand. */
#define CF_EACH_ELEMENT CF_INDEPENDENT for (int64_t i = 0; i < n; i++)

#define CF_FORWARD_CASE(kind, value, gradient) \
    case kind:                                 \
        CF_EACH_ELEMENT                        \
        {                                      \
            const real v = x[i];               \
            y[i] = value;                      \
        }                                      \
        break;

static void CF_NAME(activate)(cf_activation_kind kind, double a_, double b_, int64_t n, const void *x_, void *y_)
{
    const real *x = x_, a = (real)a_, b = (real)b_;
    real *y = y_;
    switch (kind) {
        CF_ACTIVATIONS(CF_FORWARD_CASE)
    }
}

#define CF_BACKWARD_CASE(kind, value, gradient) \
    case kind:                                  \
        CF_EACH_ELEMENT                         \
        {                                       \
            const real v = x[i], g = dy[i];     \
            dx[i] = gradient;                   \
        }                                       \
        break;

static void CF_NAME(activate_backward)(cf_activation_kind kind, double a_, double b_, int64_t n, const void *x_,
                                       const void *dy_, void *dx_)
{
    const real *x = x_, *dy = dy_, a = (real)a_, b = (real)b_;
    real *dx = dx_;
    switch (kind) {
        CF_ACTIVATIONS(CF_BACKWARD_CASE)
    }
}

static void CF_NAME(scale)(int64_t n, double a_, const void *x_, void *y_)
{
    const real *x = x_, a = (real)a_;
    real *y = y_;
    CF_EACH_ELEMENT y[i] = a * x[i];
}

static void CF_NAME(add)(int64_t n, double a, double b, const void *x_, const void *z_, void *y_)
{
    const real *x = x_, *z = z_, low = (real)a, high = (real)b;
    real *y = y_;
    CF_EACH_ELEMENT y[i] = clamp(x[i] + z[i], low, high);
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
