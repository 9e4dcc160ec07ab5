/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementary functions of one real, in plain C without branches: a loop over them vectorises on every instruction set.
 * NaN gives NaN; infinities, overflow and gradual underflow come out as IEEE 754 has them.  tests/test_activation.py
 * holds their errors. */

#include <math.h>

#if CF_DOUBLE
typedef uint64_t word;
#define CF_BUILTIN(name) __builtin_##name
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023, EXP_TERMS = 13, LOG_TERMS = 11, TAIL_TERMS = 23 };
static const real exp_low = -746, exp_high = 710; /* beyond, the result is 0 or infinite */
static const real ln2_high = 0x1.62e42feep-1,
                  ln2_low = 0x1.a39ef35793c76p-33; /* 32 bits, so that n * ln2_high is exact */
static const real tanh_high = 20, tail_high = 40;  /* beyond, tanh rounds to 1 and the normal tail to 0 */
#else
typedef uint32_t word;
#define CF_BUILTIN(name) __builtin_##name##f
enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 127, EXP_TERMS = 7, LOG_TERMS = 5, TAIL_TERMS = 12 };
static const real exp_low = -104, exp_high = 89;
static const real ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f; /* 15 bits */
static const real tanh_high = 10, tail_high = 15;
#endif

CF_INLINE word word_of(real v)
{
    word w;
    memcpy(&w, &v, sizeof w);
    return w;
}

CF_INLINE real real_of(word w)
{
    real v;
    memcpy(&v, &w, sizeof v);
    return v;
}

CF_INLINE real clamp(real v, real low, real high) { return v < low ? low : v > high ? high : v; }

/* e^v = (1 + tail) * low * high, the last two powers of two: one alone would overflow where the result does not. */
typedef struct {
    real tail, low, high;
} exp_parts;

/* W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980: v = n ln 2 + r with |r| <= ln 2 / 2, and
 * a Taylor polynomial whose first missing term is below a sixteenth of a rounding error. */
CF_INLINE exp_parts exp_of(real v)
{
    static const double reciprocal_factorial[] = {
        1,         1,          1 / 2.,      1 / 6.,       1 / 24.,       1 / 120.,       1 / 720.,
        1 / 5040., 1 / 40320., 1 / 362880., 1 / 3628800., 1 / 39916800., 1 / 479001600., 1 / 6227020800.};
    const real integer = (real)1.5 * (real)((word)1 << MANTISSA_BITS); /* adding it leaves an integer in the low bits */
    const real start = integer + 2 * EXPONENT_BIAS;
    const real shifted = clamp(v, exp_low, exp_high) * (real)1.44269504088896340736 + start, n = shifted - start;
    const real r = clamp(v, exp_low, exp_high) - n * ln2_high - n * ln2_low;
    const word sum = word_of(shifted) - word_of(integer), half = sum >> 1; /* biased exponents of high * low, of low */
    real p = (real)reciprocal_factorial[EXP_TERMS];
    CF_UNROLL for (int k = EXP_TERMS - 1; k > 0; k--) p = p * r + (real)reciprocal_factorial[k];
    return (exp_parts){p * r, real_of(half << MANTISSA_BITS), real_of((sum - half) << MANTISSA_BITS)};
}

CF_INLINE real exponential(real v)
{
    exp_parts e = exp_of(v);
    return (1 + e.tail) * e.low * e.high;
}

/* tanh |v| = E / (E + 2) with E = e^(2 |v|) - 1, which keeps every bit of a small v. */
CF_INLINE real hyperbolic_tangent(real v)
{
    real size = CF_BUILTIN(fabs)(v);
    exp_parts e = exp_of(2 * (size > tanh_high ? tanh_high : size));
    real power = e.low * e.high, grown = e.tail * power + (power - 1);
    return CF_BUILTIN(copysign)(grown / (grown + 2), v);
}

CF_INLINE real logistic(real v) { return 1 / (1 + exponential(-v)); }

/* Its derivative, without the cancellation of s * (1 - s). */
CF_INLINE real logistic_slope(real v)
{
    real e = exponential(-CF_BUILTIN(fabs)(v));
    return e / ((1 + e) * (1 + e));
}

/* log v = e ln 2 + log m with sqrt(1/2) <= m < sqrt(2), and log m = 2 artanh((m - 1) / (m + 1)) as a series.  v is not
 * subnormal. */
CF_INLINE real logarithm(real v)
{
    static const double reciprocal_odd[] = {1,       1 / 3.,  1 / 5.,  1 / 7.,  1 / 9.,  1 / 11.,
                                            1 / 13., 1 / 15., 1 / 17., 1 / 19., 1 / 21., 1 / 23.};
    const real integer = (real)((word)1 << MANTISSA_BITS);
    const word root_half = word_of((real)0.70710678118654752440);
    const word up = word_of(v) - root_half; /* exponent of v / sqrt(1/2), and what m has beyond sqrt(1/2) */
    const word exponent = ((up >> MANTISSA_BITS) + EXPONENT_BIAS) & (2 * EXPONENT_BIAS + 1);
    const real n = real_of(word_of(integer) + exponent) - (integer + (real)EXPONENT_BIAS);
    const real m = real_of((up & (((word)1 << MANTISSA_BITS) - 1)) + root_half), s = (m - 1) / (m + 1);
    real p = (real)reciprocal_odd[LOG_TERMS];
    CF_UNROLL for (int k = LOG_TERMS - 1; k >= 0; k--) p = p * (s * s) + (real)reciprocal_odd[k];
    const real result = n * ln2_high + (2 * s * p + n * ln2_low);
    return v > 0 ? (v < (real)INFINITY ? result : v) : v == 0 ? -(real)INFINITY : (real)NAN;
}

/* The normal distribution beyond |v|, and its density at v. */
typedef struct {
    real tail, density;
} normal;

/* tail = e^(-v^2/2) f(x) / 2 with x = |v| / sqrt 2 and f the scaled complementary error function.  (x + 4) f(x) is a
 * Chebyshev series in (x - 4) / (x + 4), computed to 25 digits; the terms left out sum to less than half a rounding
 * error. */
CF_INLINE normal normal_of(real v)
{
    static const double coefficient[] = {
        1.6320978781965259622,      -1.5054329427054697344,    0.59032141828889447727,    -0.19828527172011034515,
        0.056908430228468695961,    -0.013773973050870096513,  0.0027290167331352322479,  -4.1361807903024752591e-4,
        3.8914183807960599997e-5,   4.7954855033648176847e-7,  -8.6991070813798257262e-7, 1.2116707094396556378e-7,
        3.7919670260818196987e-9,   -3.4533646779963823486e-9, 2.7488625703813609752e-10, 6.813959375318510371e-11,
        -1.3568522747316354598e-11, -1.046323506741609795e-12, 4.8510703212434560193e-13, 8.4587581729792366331e-15,
        -1.6469363733616713469e-14, 2.531485088680283473e-16,  5.757244393379938929e-16};
    const real size = CF_BUILTIN(fabs)(v), z = size > tail_high ? tail_high : size,
               x = z * (real)0.70710678118654752440;
    const real t = (x - 4) / (x + 4), e = exponential(z * z * (real)-0.5);
    real b = 0, next = 0; /* Clenshaw's recurrence */
    CF_UNROLL for (int k = TAIL_TERMS - 1; k > 0; k--)
    {
        real later = b;
        b = 2 * t * b - next + (real)coefficient[k];
        next = later;
    }
    return (normal){e * (t * b - next + (real)coefficient[0]) / (x + 4) / 2, e * (real)0.39894228040143267794};
}

CF_INLINE real normal_distribution(real v)
{
    real tail = normal_of(v).tail;
    return v > 0 ? 1 - tail : tail;
}
