/* SPDX-License-Identifier: BSD-3-Clause */
/* Normalisation, softmax, cross entropy and dropout kernels against naive loops in double. */
#include "check.h"

enum { CLASSES = 7, STRIDE = 3, LINE = (CLASSES - 1) * STRIDE + 1 };

void check_centered_squares(check *c)
{
    for (int64_t n = 1; n < 200 * c->kn->lanes; n = 2 * n + 1) {
        void *x = check_array(c, n);
        double total = 3, expected = 3;
        c->kn->centered_squares(n, x, 2, &total);
        for (int64_t i = 0; i < n; i++) expected += (check_get(c, x, i) - 2) * (check_get(c, x, i) - 2);
        check_close(c, total, expected, 0);
        free(x);
    }
}

void check_normalise(check *c)
{
    int64_t n = 2 * c->kn->lanes + 1;
    void *x = check_array(c, n), *y = check_array(c, n);
    c->kn->normalise(n, x, 2, 0.5, 3, y);
    for (int64_t i = 0; i < n; i++) check_close(c, check_get(c, y, i), (check_get(c, x, i) - 2) * 0.5 + 3, 0);
    free(x);
    free(y);
}

void check_norm_sums(check *c)
{
    for (int64_t n = 1; n < 200 * c->kn->lanes; n = 2 * n + 1) {
        void *x = check_array(c, n), *dy = check_array(c, n);
        double sum = 1, dot = 2, sum_expected = 1, dot_expected = 2;
        c->kn->norm_sums(n, x, dy, 2, &sum, &dot);
        for (int64_t i = 0; i < n; i++) {
            sum_expected += check_get(c, dy, i);
            dot_expected += check_get(c, dy, i) * (check_get(c, x, i) - 2);
        }
        check_close(c, sum, sum_expected, 0);
        check_close(c, dot, dot_expected, 0);
        free(x);
        free(dy);
    }
}

void check_norm_backward(check *c)
{
    int64_t n = 2 * c->kn->lanes + 1;
    void *x = check_array(c, n), *dy = check_array(c, n), *dx = check_array(c, n);
    c->kn->norm_backward(n, x, dy, 2, 0.5, 3, 0.25, dx);
    for (int64_t i = 0; i < n; i++)
        check_close(c, check_get(c, dx, i), 0.5 * check_get(c, dy, i) - 3 - 0.25 * (check_get(c, x, i) - 2), 0);
    free(x);
    free(dy);
    free(dx);
}

/* log softmax of class k of a line */
static double log_softmax(const check *c, const void *x, int k)
{
    double sum = 0;
    for (int i = 0; i < CLASSES; i++) sum += exp(check_get(c, x, i * STRIDE));
    return check_get(c, x, k * STRIDE) - log(sum);
}

void check_softmax(check *c)
{
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        void *x = check_array(c, LINE), *y = check_array(c, LINE);
        c->kn->softmax(CLASSES, STRIDE, logarithm, x, y);
        for (int k = 0; k < CLASSES; k++) {
            double expected = log_softmax(c, x, k);
            check_close(c, check_get(c, y, k * STRIDE), logarithm ? expected : exp(expected), 16);
        }
        free(x);
        free(y);
    }
}

void check_softmax_backward(check *c)
{
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        void *x = check_array(c, LINE), *y = check_array(c, LINE), *dy = check_array(c, LINE), *dx = check_array(c, LINE);
        double dot = 0;
        c->kn->softmax(CLASSES, STRIDE, logarithm, x, y);
        c->kn->softmax_backward(CLASSES, STRIDE, logarithm, y, dy, dx);
        for (int k = 0; k < CLASSES; k++)
            dot += check_get(c, dy, k * STRIDE) * (logarithm ? 1 : exp(log_softmax(c, x, k)));
        for (int k = 0; k < CLASSES; k++) {
            double p = exp(log_softmax(c, x, k)), g = check_get(c, dy, k * STRIDE);
            check_close(c, check_get(c, dx, k * STRIDE), logarithm ? g - p * dot : p * (g - dot), 64);
        }
        free(x);
        free(y);
        free(dy);
        free(dx);
    }
}

static const double class_weight[CLASSES] = {1, 2, 3, 0.5, 1, 1, 4};

static double mixed_target(int k, int target)
{
    return class_weight[k] * (0.75 * (k == target) + 0.25 / CLASSES);
}

void check_cross_entropy(check *c)
{
    for (int target = 0; target < CLASSES; target++) {
        void *x = check_array(c, LINE), *probabilities = check_array(c, LINE);
        double loss, from_probabilities, expected = 0;
        for (int k = 0; k < CLASSES; k++) {
            expected -= mixed_target(k, target) * log_softmax(c, x, k);
            check_put(c, probabilities, k * STRIDE, k == target);
        }
        c->kn->cross_entropy(CLASSES, STRIDE, x, target, NULL, class_weight, 0.25, &loss);
        c->kn->cross_entropy(CLASSES, STRIDE, x, -1, probabilities, class_weight, 0.25, &from_probabilities);
        check_close(c, loss, expected, 64);
        check_close(c, from_probabilities, expected, 64);
        free(x);
        free(probabilities);
    }
}

void check_cross_entropy_backward(check *c)
{
    void *x = check_array(c, LINE), *dx = check_array(c, LINE);
    double all = 0;
    c->kn->cross_entropy_backward(CLASSES, STRIDE, x, 2, NULL, class_weight, 0.25, 3, dx);
    for (int k = 0; k < CLASSES; k++) all += mixed_target(k, 2);
    for (int k = 0; k < CLASSES; k++)
        check_close(c, check_get(c, dx, k * STRIDE), 3 * (exp(log_softmax(c, x, k)) * all - mixed_target(k, 2)), 64);
    free(x);
    free(dx);
}

/* The known answer of Philox4x32-10 for counter 0 and key 0: 6627e8d5 e169c58d bc57ac4c 9b00dbd8 (Random123, kat_vectors). */
void check_dropout(check *c)
{
    const uint64_t words[4] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    for (int i = 0; i < 4; i++)
        for (int above = 0; above < 2; above++) {
            void *x = check_array(c, 4), *y = check_array(c, 4);
            check_put(c, x, i, 5);
            c->kn->dropout(4, 0, 0, words[i] + (uint64_t)above, 2, x, y);
            check_close(c, check_get(c, y, i), above ? 0 : 10, 0);
            free(x);
            free(y);
        }
    int64_t n = 1000;
    void *x = check_array(c, n), *whole = check_array(c, n), *parts = check_array(c, n);
    c->kn->dropout(n, 12345678901u, 0, 1u << 31, 2, x, whole);
    for (int64_t at = 0; at < n; at += 52)
        c->kn->dropout(cf_min(52, n - at), 12345678901u, (uint64_t)at, 1u << 31, 2, cf_at(x, at, c->kn->size),
                       cf_at(parts, at, c->kn->size));
    check_equal(c, parts, whole, n, "dropout");
    free(x);
    free(whole);
    free(parts);
}
