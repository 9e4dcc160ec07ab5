/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of optimisers and the sum of two arrays against naive loops in double. */
#include "check.h"

typedef struct {
    int64_t n;
    void *grad, *first, *second, *data;
} arrays;

static arrays new_arrays(check *c, int64_t n)
{
    arrays a = {n, check_array(c, n), check_array(c, n), check_array(c, n), check_array(c, n)};
    for (int64_t i = 0; i < n; i++) check_put(c, a.second, i, (double)check_random(c, 0, 9));
    return a;
}

static void free_arrays(arrays *a)
{
    free(a->grad);
    free(a->first);
    free(a->second);
    free(a->data);
}

static void sgd(check *c, int64_t n, const cf_sgd *s)
{
    arrays a = new_arrays(c, n);
    void *data = check_copy(c, a.data, n), *velocity = check_copy(c, a.first, n);
    c->kn->sgd(n, s, a.grad, s->momentum > 0 ? velocity : NULL, data);
    for (int64_t i = 0; i < n; i++) {
        double w = check_get(c, a.data, i), g = check_get(c, a.grad, i) + s->decay * w;
        double v = s->momentum * check_get(c, a.first, i) + g;
        check_close(c, check_get(c, data, i), w - s->rate * (s->nesterov ? g + s->momentum * v : v), 4);
        if (s->momentum > 0) check_close(c, check_get(c, velocity, i), v, 2);
    }
    free(data);
    free(velocity);
    free_arrays(&a);
}

void check_sgd(check *c)
{
    for (int64_t n = 1; n < 700; n = 3 * n + 2) {
        sgd(c, n, &(cf_sgd){0.5, 0, 0, 0});
        sgd(c, n, &(cf_sgd){0.5, 0, 0.25, 0});
        sgd(c, n, &(cf_sgd){0.5, 0.75, 0.25, 0});
        sgd(c, n, &(cf_sgd){0.5, 0.75, 0.25, 1});
    }
}

static void adam(check *c, int64_t n, const cf_adam *s)
{
    arrays a = new_arrays(c, n);
    void *data = check_copy(c, a.data, n), *mean = check_copy(c, a.first, n), *square = check_copy(c, a.second, n);
    c->kn->adam(n, s, a.grad, mean, square, data);
    for (int64_t i = 0; i < n; i++) {
        double w = s->keep * check_get(c, a.data, i), g = check_get(c, a.grad, i) + s->decay * w;
        double m = check_get(c, a.first, i), q = s->beta2 * check_get(c, a.second, i) + (1 - s->beta2) * g * g;
        m += (1 - s->beta1) * (g - m);
        check_close(c, check_get(c, mean, i), m, 4);
        check_close(c, check_get(c, square, i), q, 4);
        check_close(c, check_get(c, data, i), w - s->rate * m / (sqrt(q) * s->root + s->eps), 64);
    }
    free(data);
    free(mean);
    free(square);
    free_arrays(&a);
}

void check_adam(check *c)
{
    for (int64_t n = 1; n < 700; n = 3 * n + 2) {
        adam(c, n, &(cf_adam){0.5, 1.25, 0.75, 0.875, 0.5, 0, 1});
        adam(c, n, &(cf_adam){0.5, 1.25, 0.75, 0.875, 0.5, 0.25, 0.5});
    }
}

void check_add(check *c)
{
    for (int64_t n = 1; n < 700; n = 3 * n + 2) {
        arrays a = new_arrays(c, n);
        void *sum = check_copy(c, a.first, n);
        c->kn->add(n, -3, INFINITY, a.grad, sum, sum);
        for (int64_t i = 0; i < n; i++)
            check_close(c, check_get(c, sum, i), fmax(-3, check_get(c, a.grad, i) + check_get(c, a.first, i)), 0);
        free(sum);
        free_arrays(&a);
    }
}
