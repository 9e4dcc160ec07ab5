/* SPDX-License-Identifier: BSD-3-Clause */
/* Adjoints of reductions along a line, and elements by index; contracts in pool.h. */

CF_INLINE void spread_tap(int64_t step, int64_t n, const real *restrict x, real *restrict y)
{
    for (int64_t q = 0; q < n; q++) y[q * step] += x[q];
}

/* Windows that adjoin. */
CF_INLINE void spread_adjoining(int64_t n, int64_t taps, const real *restrict x, real *restrict y)
{
    int64_t q = 0;
#if VL > 1
    for (; taps == 2 && q + VL <= n; q += VL) {
        vec v = load(x + q);
        store(y + 2 * q, zip_low(v, v));
        store(y + 2 * q + VL, zip_high(v, v));
    }
#endif
    for (; q < n; q++)
        for (int64_t t = 0; t < taps; t++) y[q * taps + t] = x[q];
}

static void CF_NAME(spread_taps)(int64_t n, int64_t taps, int64_t dil, int64_t step, const void *x_, int64_t len,
                                 void *y_)
{
    const real *restrict x = x_;
    real *restrict y = y_;
    if (dil == 1 && taps == step && len == n * taps) {
        spread_adjoining(n, taps, x, y);
        return;
    }
    memset(y, 0, (size_t)len * sizeof *y);
    for (int64_t t = 0; t < taps; t++, y += dil) {
        if (step == 1) spread_tap(1, n, x, y);
        else if (step == 2) spread_tap(2, n, x, y);
        else spread_tap(step, n, x, y);
    }
}

static void CF_NAME(spread_spans)(int64_t n, const int64_t *start, const int64_t *end, const void *x_, int64_t len,
                                  void *y_)
{
    const real *x = x_;
    real *y = y_;
    memset(y, 0, (size_t)len * sizeof *y);
    for (int64_t q = 0; q < n; q++)
        for (int64_t i = start[q]; i < end[q]; i++) y[i] += x[q];
}

/* ---- by index */

CF_INLINE void scatter_planes(int planes, int64_t n, int64_t size, int64_t lanes, const int64_t *restrict index,
                              const real *restrict x, real *restrict y)
{
    for (int64_t q = 0, i = 0; q < n; q++)
        for (int64_t l = 0; l < lanes; l++, i++) CF_UNROLL for (int p = 0; p < planes; p++)
            {
                const int64_t at = index[p * n * lanes + i];
                if (at >= 0) y[(p * size + at) * lanes + l] += x[p * n * lanes + i];
            }
}

static void CF_NAME(scatter_add)(int64_t planes, int64_t n, int64_t size, int64_t lanes, const int64_t *index,
                                 const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (; planes >= CF_PLANE_TURNS && lanes == 1; planes -= CF_PLANE_TURNS) {
        scatter_planes(CF_PLANE_TURNS, n, size, 1, index, x, y);
        index += CF_PLANE_TURNS * n;
        x += CF_PLANE_TURNS * n;
        y += CF_PLANE_TURNS * size;
    }
    for (; planes > 0; planes--, index += n * lanes, x += n * lanes, y += size * lanes)
        scatter_planes(1, n, size, lanes, index, x, y);
}

static void CF_NAME(scatter_set)(int64_t n, const int64_t *index, const void *x_, void *y_)
{
    const real *restrict x = x_;
    real *restrict y = y_;
    for (int64_t q = 0; q < n; q++) y[index[q]] = x[q];
}

static void CF_NAME(gather)(int64_t n, const int64_t *index, const void *x_, void *y_)
{
    const real *restrict x = x_;
    real *restrict y = y_;
    for (int64_t q = 0; q < n; q++) y[q] = x[index[q]];
}
