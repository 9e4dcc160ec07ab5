/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of pooling; contracts in pool.h.  Plain loops: compilers vectorise them, with even-odd shuffles for the step of 2 that is
 * spelled out. */

CF_INLINE real larger(real a, real b) { return b > a || b != b ? b : a; }

static void CF_NAME(max_row)(int64_t n, const void *x_, int64_t step, void *y_)
{
    const real *restrict x = x_;
    real *restrict y = y_;
    if (step == 1)
        for (int64_t q = 0; q < n; q++) y[q] = larger(y[q], x[q]);
    else if (step == 2)
        for (int64_t q = 0; q < n; q++) y[q] = larger(y[q], x[2 * q]);
    else
        for (int64_t q = 0; q < n; q++) y[q] = larger(y[q], x[q * step]);
}

CF_INLINE void take_larger(real v, int64_t at, real *y, int64_t *index)
{
    int take = (v > *y) | (v != v) | (*index < 0);
    *y = take ? v : *y;
    *index = take ? at : *index;
}

static void CF_NAME(max_row_index)(int64_t n, const void *x_, int64_t step, int64_t index0, void *y_, int64_t *index_)
{
    const real *restrict x = x_;
    real *restrict y = y_;
    int64_t *restrict index = index_;
    for (int64_t q = 0; q < n; q++) take_larger(x[q * step], index0 + q * step, &y[q], &index[q]);
}

static void CF_NAME(sum_row)(int64_t n, const void *x_, int64_t step, void *y_)
{
    const real *restrict x = x_;
    real *restrict y = y_;
    if (step == 1)
        for (int64_t q = 0; q < n; q++) y[q] += x[q];
    else if (step == 2)
        for (int64_t q = 0; q < n; q++) y[q] += x[2 * q];
    else
        for (int64_t q = 0; q < n; q++) y[q] += x[q * step];
}

static void CF_NAME(window_max)(int64_t n, const int64_t *start, const int64_t *end, const void *x_, int64_t index0,
                                void *y_, int64_t *index)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t q = 0; q < n; q++)
        for (int64_t i = start[q]; i < end[q]; i++) take_larger(x[i], index0 + i, &y[q], &index[q]);
}

static void CF_NAME(window_sum)(int64_t n, const int64_t *start, const int64_t *end, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t q = 0; q < n; q++) {
        real sum = y[q];
        for (int64_t i = start[q]; i < end[q]; i++) sum += x[i];
        y[q] = sum;
    }
}

static void CF_NAME(window_add)(int64_t n, const int64_t *start, const int64_t *end, const void *dy_, void *dx_)
{
    const real *dy = dy_;
    real *dx = dx_;
    for (int64_t q = 0; q < n; q++)
        for (int64_t i = start[q]; i < end[q]; i++) dx[i] += dy[q];
}

static void CF_NAME(divide_row)(int64_t n, double factor, const double *count, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t q = 0; q < n; q++) y[q] = x[q] / (real)(factor * count[q]);
}

static void CF_NAME(scatter_add)(int64_t n, const int64_t *index, const void *dy_, void *dx_)
{
    const real *dy = dy_;
    real *dx = dx_;
    for (int64_t q = 0; q < n; q++) dx[index[q]] += dy[q];
}

static void CF_NAME(scatter_set)(int64_t n, const int64_t *index, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t q = 0; q < n; q++) y[index[q]] = x[q];
}

static void CF_NAME(gather_index)(int64_t n, const int64_t *index, const void *dy_, void *dx_)
{
    const real *dy = dy_;
    real *dx = dx_;
    for (int64_t q = 0; q < n; q++) dx[q] = dy[index[q]];
}
