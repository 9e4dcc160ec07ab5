/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise, pooling, normalisation, softmax and dropout kernels against naive loops in double. */
#include "check.h"

static double activation(int kind, double v)
{
    double clamped = fmin(fmax(v + 3, 0), 6) / 6, logistic = 1 / (1 + exp(-v)), inner = sqrt(2 / acos(-1)) * (v + 0.044715 * v * v * v);
    const double values[] = {v < 0 ? 0 : v, v > 0 ? v : 0.25 * v, fmin(fmax(v, 0.25), 4), logistic, clamped, v * clamped,
                             tanh(v), v * (1 + erf(v * sqrt(0.5))) / 2, v * (1 + tanh(inner)) / 2, v * logistic};
    return values[kind];
}

void check_activate(check *c)
{
    for (int kind = CF_RELU; kind <= CF_SILU; kind++) {
        int64_t n = 2 * c->kn->lanes + 3;
        void *x = check_array(c, n), *y = check_array(c, n);
        c->kn->activate((cf_activation_kind)kind, 0.25, 4, n, x, y);
        for (int64_t i = 0; i < n; i++) check_close(c, check_get(c, y, i), activation(kind, check_get(c, x, i)), 16);
        free(x);
        free(y);
    }
}

/* Against central differences, away from the kinks, which lie at integers and at 0.25. */
void check_activate_backward(check *c)
{
    const double h = 1e-5;
    for (int kind = CF_RELU; kind <= CF_SILU; kind++) {
        int64_t n = 2 * c->kn->lanes + 3;
        void *x = check_array(c, n), *dy = check_array(c, n), *dx = check_array(c, n);
        for (int64_t i = 0; i < n; i++) check_put(c, x, i, check_get(c, x, i) + 0.5);
        c->kn->activate_backward((cf_activation_kind)kind, 0.25, 4, n, x, dy, dx);
        for (int64_t i = 0; i < n; i++) {
            double v = check_get(c, x, i), slope = (activation(kind, v + h) - activation(kind, v - h)) / (2 * h);
            double error = fabs(check_get(c, dx, i) - slope * check_get(c, dy, i));
            c->cases++;
            c->failures += !(error < 1e-4);
        }
        free(x);
        free(dy);
        free(dx);
    }
}

void check_scale(check *c)
{
    int64_t n = 2 * c->kn->lanes + 1;
    void *x = check_array(c, n), *y = check_array(c, n);
    c->kn->scale(n, 3, x, y);
    for (int64_t i = 0; i < n; i++) check_close(c, check_get(c, y, i), 3 * check_get(c, x, i), 0);
    free(x);
    free(y);
}

void check_prelu_backward(check *c)
{
    int64_t n = 2 * c->kn->lanes + 1;
    void *x = check_array(c, n), *dy = check_array(c, n), *dx = check_array(c, n);
    double total = 1, expected = 1;
    c->kn->prelu_backward(n, 0.5, x, dy, dx, &total);
    for (int64_t i = 0; i < n; i++) {
        double v = check_get(c, x, i), g = check_get(c, dy, i);
        check_close(c, check_get(c, dx, i), v > 0 ? g : 0.5 * g, 0);
        expected += v > 0 ? 0 : v * g;
    }
    check_close(c, total, expected, 0);
    free(x);
    free(dy);
    free(dx);
}

typedef struct {
    int64_t n, step;
    void *x, *y, *expected;
} row_case;

static row_case row_of(check *c, int64_t n, int64_t step)
{
    row_case r = {n, step, check_array(c, (n - 1) * step + 1), check_array(c, n), NULL};
    r.expected = check_copy(c, r.y, n);
    return r;
}

static void finish_row(check *c, const row_case *r)
{
    check_equal(c, r->y, r->expected, r->n, "row");
    free(r->x);
    free(r->y);
    free(r->expected);
}

void check_max_row(check *c)
{
    for (int64_t n = 1; n <= 2 * c->kn->lanes + 1; n++)
        for (int64_t step = 1; step <= 3; step++) {
            row_case r = row_of(c, n, step);
            if (n > 2) check_put(c, r.x, step, NAN);
            c->kn->max_row(n, r.x, step, r.y);
            for (int64_t q = 0; q < n; q++) {
                double v = check_get(c, r.x, q * step), y = check_get(c, r.expected, q);
                check_put(c, r.expected, q, v > y || isnan(v) ? v : y);
            }
            finish_row(c, &r);
        }
}

void check_max_row_index(check *c)
{
    for (int64_t n = 1; n <= 2 * c->kn->lanes + 1; n++) {
        row_case r = row_of(c, n, 2);
        int64_t *index = malloc((size_t)n * sizeof *index);
        for (int64_t q = 0; q < n; q++) index[q] = q % 3 ? 1000 : -1;
        c->kn->max_row_index(n, r.x, 2, 5, r.y, index);
        for (int64_t q = 0; q < n; q++) {
            double v = check_get(c, r.x, 2 * q), y = check_get(c, r.expected, q);
            int take = v > y || q % 3 == 0;
            c->failures += index[q] != (take ? 5 + 2 * q : 1000);
            check_put(c, r.expected, q, take ? v : y);
        }
        free(index);
        finish_row(c, &r);
    }
}

void check_sum_row(check *c)
{
    for (int64_t n = 1; n <= 2 * c->kn->lanes + 1; n++)
        for (int64_t step = 1; step <= 3; step++) {
            row_case r = row_of(c, n, step);
            c->kn->sum_row(n, r.x, step, r.y);
            for (int64_t q = 0; q < n; q++)
                check_put(c, r.expected, q, check_get(c, r.expected, q) + check_get(c, r.x, q * step));
            finish_row(c, &r);
        }
}

enum { WINDOWS = 5, WINDOW_POINTS = 9 };
static const int64_t window_start[WINDOWS] = {0, 1, 3, 5, 8}, window_end[WINDOWS] = {2, 4, 6, 9, 9};

void check_window_max(check *c)
{
    void *x = check_array(c, WINDOW_POINTS), *y = check_array(c, WINDOWS);
    int64_t index[WINDOWS] = {-1, -1, -1, -1, -1};
    c->kn->window_max(WINDOWS, window_start, window_end, x, 10, y, index);
    for (int q = 0; q < WINDOWS; q++) {
        int64_t best = window_start[q];
        for (int64_t i = best; i < window_end[q]; i++) best = check_get(c, x, i) > check_get(c, x, best) ? i : best;
        check_close(c, check_get(c, y, q), check_get(c, x, best), 0);
        check_close(c, (double)index[q], (double)(10 + best), 0);
    }
    free(x);
    free(y);
}

void check_window_sum(check *c)
{
    void *x = check_array(c, WINDOW_POINTS), *y = check_array(c, WINDOWS), *before = check_copy(c, y, WINDOWS);
    c->kn->window_sum(WINDOWS, window_start, window_end, x, y);
    for (int q = 0; q < WINDOWS; q++) {
        double sum = check_get(c, before, q);
        for (int64_t i = window_start[q]; i < window_end[q]; i++) sum += check_get(c, x, i);
        check_close(c, check_get(c, y, q), sum, 0);
    }
    free(x);
    free(y);
    free(before);
}

void check_window_add(check *c)
{
    void *dy = check_array(c, WINDOWS), *dx = check_array(c, WINDOW_POINTS), *expected = check_copy(c, dx, WINDOW_POINTS);
    c->kn->window_add(WINDOWS, window_start, window_end, dy, dx);
    for (int q = 0; q < WINDOWS; q++)
        for (int64_t i = window_start[q]; i < window_end[q]; i++)
            check_put(c, expected, i, check_get(c, expected, i) + check_get(c, dy, q));
    check_equal(c, dx, expected, WINDOW_POINTS, "window_add");
    free(dy);
    free(dx);
    free(expected);
}

void check_divide_row(check *c)
{
    const double count[WINDOWS] = {1, 2, 4, 3, 5};
    void *x = check_array(c, WINDOWS), *y = check_array(c, WINDOWS);
    c->kn->divide_row(WINDOWS, 3, count, x, y);
    for (int q = 0; q < WINDOWS; q++) check_close(c, check_get(c, y, q), check_get(c, x, q) / (3 * count[q]), 1);
    free(x);
    free(y);
}

static const int64_t scattered[WINDOWS] = {3, 0, 8, 3, 1};

void check_scatter_add(check *c)
{
    void *dy = check_array(c, WINDOWS), *dx = check_array(c, WINDOW_POINTS), *expected = check_copy(c, dx, WINDOW_POINTS);
    c->kn->scatter_add(WINDOWS, scattered, dy, dx);
    for (int q = 0; q < WINDOWS; q++)
        check_put(c, expected, scattered[q], check_get(c, expected, scattered[q]) + check_get(c, dy, q));
    check_equal(c, dx, expected, WINDOW_POINTS, "scatter_add");
    free(dy);
    free(dx);
    free(expected);
}

void check_scatter_set(check *c)
{
    void *x = check_array(c, WINDOWS), *y = check_array(c, WINDOW_POINTS), *expected = check_copy(c, y, WINDOW_POINTS);
    c->kn->scatter_set(WINDOWS, scattered, x, y);
    for (int q = 0; q < WINDOWS; q++) check_put(c, expected, scattered[q], check_get(c, x, q));
    check_equal(c, y, expected, WINDOW_POINTS, "scatter_set");
    free(x);
    free(y);
    free(expected);
}

void check_gather_index(check *c)
{
    void *dy = check_array(c, WINDOW_POINTS), *dx = check_array(c, WINDOWS);
    c->kn->gather_index(WINDOWS, scattered, dy, dx);
    for (int q = 0; q < WINDOWS; q++) check_close(c, check_get(c, dx, q), check_get(c, dy, scattered[q]), 0);
    free(dy);
    free(dx);
}
