/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the elementwise kernels.  a and b are the parameters of the function, see the enum.
 *
 * activate            y[i] = f(x[i]),  i < n;  y may be x
 * activate_backward   dx[i] = f'(x[i]) * dy[i],  i < n;  dx may be x or dy
 * scale               y[i] = a * x[i],  i < n;  y may be x
 * add                 y[i] = clamp(x[i] + z[i], a, b),  i < n;  y may be x or z
 * prelu_backward      dx[i] = (x[i] > 0 ? 1 : a) * dy[i],  *total += sum of x[i] * dy[i] where x[i] <= 0 */
#ifndef CF_KERNELS_ACTIVATION_H
#define CF_KERNELS_ACTIVATION_H
#include <stdint.h>

typedef enum {
    CF_RELU,
    CF_LEAKY_RELU,  /* a: slope below zero */
    CF_HARDTANH,    /* clamp to [a, b] */
    CF_SIGMOID,
    CF_HARDSIGMOID, /* clamp(x + 3, 0, 6) / 6 */
    CF_HARDSWISH,   /* x * hardsigmoid(x) */
    CF_TANH,
    CF_GELU,        /* x times the normal distribution function */
    CF_GELU_TANH,   /* its approximation by tanh; D. Hendrycks and K. Gimpel, arXiv:1606.08415 */
    CF_SILU         /* x * sigmoid(x) */
} cf_activation_kind;

#define CF_ACTIVATION_KERNELS(X)                                                                         \
    X(activate, (cf_activation_kind kind, double a, double b, int64_t n, const void *x, void *y))        \
    X(activate_backward,                                                                                 \
      (cf_activation_kind kind, double a, double b, int64_t n, const void *x, const void *dy, void *dx)) \
    X(scale, (int64_t n, double a, const void *x, void *y))                                              \
    X(add, (int64_t n, double a, double b, const void *x, const void *z, void *y))                       \
    X(prelu_backward, (int64_t n, double a, const void *x, const void *dy, void *dx, double *total))

#endif
