/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise kernels against naive loops in double. */
#include "check.h"

static double activation(int kind, double v)
{
    double clamped = fmin(fmax(v + 3, 0), 6) / 6, logistic = 1 / (1 + exp(-v)),
           inner = sqrt(2 / acos(-1)) * (v + 0.044715 * v * v * v);
    const double values[] = {v < 0 ? 0 : v,
                             v > 0 ? v : 0.25 * v,
                             fmin(fmax(v, 0.25), 4),
                             logistic,
                             clamped,
                             v * clamped,
                             tanh(v),
                             v * (1 + erf(v * sqrt(0.5))) / 2,
                             v * (1 + tanh(inner)) / 2,
                             v * logistic};
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
