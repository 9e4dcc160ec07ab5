/* SPDX-License-Identifier: BSD-3-Clause */
/* Local response normalisation; contracts in lrn.h. */

enum { LRN_POINTS = 256 }; /* points whose window sums stay in the L1 while channels are added */

CF_INLINE real power_of(real base, real exponent) { return exponential(exponent * logarithm(base)); }

static void CF_NAME(lrn_scale)(int64_t n, int64_t count, int64_t ld, double k, double alpha, const void *x_, void *s_)
{
    const real *x = x_;
    real *s = s_;
    for (int64_t at = 0; at < n; at += LRN_POINTS) {
        real sums[LRN_POINTS] = {0};
        int64_t points = cf_min(LRN_POINTS, n - at);
        for (int64_t j = 0; j < count; j++)
            for (int64_t i = 0; i < points; i++) sums[i] += x[j * ld + at + i] * x[j * ld + at + i];
        for (int64_t i = 0; i < points; i++) s[at + i] = (real)k + (real)alpha * sums[i];
    }
}

static void CF_NAME(lrn_power)(int64_t n, double beta, const void *x_, const void *z_, const void *s_, void *y_)
{
    const real *x = x_, *z = z_, *s = s_, exponent = -(real)beta;
    real *y = y_;
    if (z) CF_EACH_ELEMENT y[i] = x[i] * z[i] * power_of(s[i], exponent);
    else CF_EACH_ELEMENT y[i] = x[i] * power_of(s[i], exponent);
}

static void CF_NAME(lrn_backward)(int64_t n, int64_t count, int64_t ld, double beta, double factor, const void *x_,
                                  const void *t_, const void *s_, const void *dy_, void *dx_)
{
    const real *x = x_, *t = t_, *s = s_, *dy = dy_, exponent = -(real)beta, slope = (real)factor;
    real *dx = dx_;
    for (int64_t at = 0; at < n; at += LRN_POINTS) {
        real sums[LRN_POINTS] = {0};
        int64_t points = cf_min(LRN_POINTS, n - at);
        for (int64_t j = 0; j < count; j++)
            for (int64_t i = 0; i < points; i++) sums[i] += t[j * ld + at + i];
        CF_INDEPENDENT for (int64_t i = at; i < at + points; i++)
        {
            dx[i] = dy[i] * power_of(s[i], exponent) - slope * x[i] * sums[i - at];
        }
    }
}
