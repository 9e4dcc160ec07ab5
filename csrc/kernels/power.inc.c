/* SPDX-License-Identifier: BSD-3-Clause */
/* Powers of Lp pooling; contracts in pool.h. */

CF_INLINE real raised(real v, double exponent)
{
    if (exponent == 1) return v;
    if (exponent == 2) return v * v;
    if (exponent == 0.5) return CF_BUILTIN(sqrt)(v);
    if (exponent == -0.5) return 1 / CF_BUILTIN(sqrt)(v);
    return CF_BUILTIN(pow)(v, (real)exponent);
}

static void CF_NAME(power)(int64_t n, double factor, double exponent, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t q = 0; q < n; q++) y[q] = raised((real)factor * x[q], exponent);
}

static void CF_NAME(power_backward)(int64_t n, double factor, double exponent, int flat_at_zero, const void *x_,
                                    const void *dy_, void *dx_)
{
    const real *x = x_, *dy = dy_, scale = (real)(exponent * factor);
    real *dx = dx_;
    for (int64_t q = 0; q < n; q++) {
        real slope = scale * raised((real)factor * x[q], exponent - 1);
        dx[q] = flat_at_zero && x[q] == 0 ? 0 : dy[q] * slope;
    }
}
