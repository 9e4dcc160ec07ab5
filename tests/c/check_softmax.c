/* SPDX-License-Identifier: BSD-3-Clause */
/* Softmax and cross entropy against naive loops in double, on rows and on columns; dropout against known answers. */
#include "check.h"

/* Lines of x, dy and a result, and numbers for each line. */
typedef struct {
    cf_lines s;
    int64_t size;
    void *x, *dy, *y;
    double first[CF_SOFTMAX_LINES], second[CF_SOFTMAX_LINES];
} batch;

static batch new_batch(check *c, int64_t lines, int64_t n, int columns)
{
    batch b = {.s = {lines, n, columns ? 1 : n + 2, columns ? lines + 2 : 1}};
    b.size = (lines - 1) * b.s.ls + (n - 1) * b.s.cs + 1;
    b.x = check_array(c, b.size);
    b.dy = check_array(c, b.size);
    b.y = check_array(c, b.size);
    for (int l = 0; l < CF_SOFTMAX_LINES; l++) {
        b.first[l] = (double)check_random(c, -2, 2);
        b.second[l] = (double)check_random(c, 1, 4);
    }
    return b;
}

static void each_batch(check *c, void (*one)(check *c, batch *b))
{
    const int64_t lines[] = {1, 3, CF_SOFTMAX_LINES},
                  classes[] = {1, 2, 10, CF_SOFTMAX_LINES, CF_SOFTMAX_LINES + 1, 3 * CF_SOFTMAX_LINES + 5};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 6; j++)
            for (int columns = 0; columns < 2; columns++) {
                batch b = new_batch(c, lines[i], classes[j], columns);
                one(c, &b);
                free(b.x);
                free(b.dy);
                free(b.y);
            }
}

static int64_t index_of(const batch *b, int64_t l, int64_t k) { return l * b->s.ls + k * b->s.cs; }

static double value(const check *c, const batch *b, const void *array, int64_t l, int64_t k)
{
    return check_get(c, array, index_of(b, l, k));
}

static void line_sums(check *c, batch *b)
{
    c->kn->line_sums(&b->s, b->x, b->first, b->second);
    for (int64_t l = 0; l < b->s.lines; l++) {
        double most = -INFINITY, sum = 0;
        for (int64_t k = 0; k < b->s.n; k++) most = fmax(most, value(c, b, b->x, l, k));
        for (int64_t k = 0; k < b->s.n; k++) sum += exp(value(c, b, b->x, l, k) - most);
        check_close(c, b->first[l], most, 0);
        check_close(c, b->second[l], sum, 16);
    }
}

/* Every element of the result, and what lies between the lines and must stay. */
static void check_elements(check *c, const batch *b, const void *before,
                           double (*f)(const check *, const batch *, int64_t, int64_t))
{
    void *expected = check_copy(c, before, b->size);
    for (int64_t l = 0; l < b->s.lines; l++)
        for (int64_t k = 0; k < b->s.n; k++) check_put(c, expected, index_of(b, l, k), f(c, b, l, k));
    for (int64_t i = 0; i < b->size; i++) check_close(c, check_get(c, b->y, i), check_get(c, expected, i), 64);
    free(expected);
}

static double exponential_of(const check *c, const batch *b, int64_t l, int64_t k)
{
    return exp(value(c, b, b->x, l, k) - b->first[l]) * b->second[l];
}

static void softmax(check *c, batch *b)
{
    void *before = check_copy(c, b->y, b->size);
    c->kn->softmax(&b->s, b->x, b->first, b->second, b->y);
    check_elements(c, b, before, exponential_of);
    free(before);
}

static double difference_of(const check *c, const batch *b, int64_t l, int64_t k)
{
    return value(c, b, b->x, l, k) - b->first[l] - b->second[l];
}

static void log_softmax(check *c, batch *b)
{
    void *before = check_copy(c, b->y, b->size);
    c->kn->log_softmax(&b->s, b->x, b->first, b->second, b->y);
    check_elements(c, b, before, difference_of);
    free(before);
}

static double gradient_of(const check *c, const batch *b, int64_t l, int64_t k)
{
    double dot = 0;
    for (int64_t i = 0; i < b->s.n; i++) dot += value(c, b, b->x, l, i) * value(c, b, b->dy, l, i);
    return value(c, b, b->x, l, k) * (value(c, b, b->dy, l, k) - dot);
}

static double log_gradient_of(const check *c, const batch *b, int64_t l, int64_t k)
{
    double sum = 0;
    for (int64_t i = 0; i < b->s.n; i++) sum += value(c, b, b->dy, l, i);
    return value(c, b, b->dy, l, k) - exp(value(c, b, b->x, l, k)) * sum;
}

static void softmax_backward(check *c, batch *b)
{
    void *before = check_copy(c, b->y, b->size);
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        c->kn->softmax_backward(&b->s, logarithm, b->x, b->dy, b->y);
        check_elements(c, b, before, logarithm ? log_gradient_of : gradient_of);
    }
    free(before);
}

/* A target with everything in one variant, with nothing in the other. */
static cf_soft_target target_of(const batch *b, const double *weight, int full)
{
    return full ? (cf_soft_target){b->dy, weight, 0.75, 0.25} : (cf_soft_target){NULL, NULL, 0.5, 0.125};
}

static double share(const check *c, const batch *b, const cf_soft_target *q, int64_t l, int64_t k)
{
    return (q->weight ? q->weight[k] : 1) * (q->keep * (q->t ? value(c, b, q->t, l, k) : 0) + q->spread);
}

static double *class_weights(check *c, int64_t n)
{
    double *weight = malloc((size_t)n * sizeof *weight);
    for (int64_t k = 0; k < n; k++) weight[k] = (double)check_random(c, 0, 4) / 2;
    return weight;
}

static void target_sums(check *c, batch *b)
{
    double *weight = class_weights(c, b->s.n), total[CF_SOFTMAX_LINES], loss[CF_SOFTMAX_LINES];
    for (int full = 0; full < 2; full++) {
        cf_soft_target q = target_of(b, weight, full);
        c->kn->target_sums(&b->s, &q, b->x, b->first, total, loss);
        for (int64_t l = 0; l < b->s.lines; l++) {
            double total_expected = 0, loss_expected = 0;
            for (int64_t k = 0; k < b->s.n; k++) {
                total_expected += share(c, b, &q, l, k);
                loss_expected += share(c, b, &q, l, k) * (b->first[l] - value(c, b, b->x, l, k));
            }
            check_close(c, total[l], total_expected, 0);
            check_close(c, loss[l], loss_expected, 0);
        }
    }
    free(weight);
}

static void subtract_targets(check *c, batch *b)
{
    double *weight = class_weights(c, b->s.n);
    for (int full = 0; full < 2; full++) {
        cf_soft_target q = target_of(b, weight, full);
        void *expected = check_copy(c, b->y, b->size);
        for (int64_t l = 0; l < b->s.lines; l++)
            for (int64_t k = 0; k < b->s.n; k++)
                check_put(c, expected, index_of(b, l, k),
                          value(c, b, b->y, l, k) - b->first[l] * share(c, b, &q, l, k));
        c->kn->subtract_targets(&b->s, &q, b->first, b->y);
        check_equal(c, b->y, expected, b->size, "subtract_targets");
        free(expected);
    }
    free(weight);
}

void check_line_sums(check *c) { each_batch(c, line_sums); }
void check_softmax(check *c) { each_batch(c, softmax); }
void check_log_softmax(check *c) { each_batch(c, log_softmax); }
void check_softmax_backward(check *c) { each_batch(c, softmax_backward); }
void check_target_sums(check *c) { each_batch(c, target_sums); }
void check_subtract_targets(check *c) { each_batch(c, subtract_targets); }

/* The known answer of Philox4x32-10 for counter 0 and key 0: 6627e8d5 e169c58d bc57ac4c 9b00dbd8 (Random123,
 * kat_vectors). */
static void known_answer(check *c)
{
    const uint32_t words[4] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    for (int i = 0; i < 4; i++)
        for (uint32_t above = 0; above < 2; above++) {
            void *x = check_array(c, 4), *y = check_array(c, 4);
            check_put(c, x, i, 5);
            c->kn->dropout(4, 0, 0, words[i] + above, 2, x, y, NULL);
            check_close(c, check_get(c, y, i), above ? 0 : 10, 0);
            free(x);
            free(y);
        }
}

void check_dropout(check *c)
{
    int64_t n = 1000;
    void *x = check_array(c, n), *whole = check_array(c, n), *parts = check_array(c, n);
    known_answer(c);
    c->kn->dropout(n, 12345678901u, 0, 1u << 31, 2, x, whole, NULL);
    for (int64_t at = 0; at < n; at += 52)
        c->kn->dropout(cf_min(52, n - at), 12345678901u, (uint64_t)at, 1u << 31, 2, cf_at(x, at, c->kn->size),
                       cf_at(parts, at, c->kn->size), NULL);
    check_equal(c, parts, whole, n, "dropout");
    free(x);
    free(whole);
    free(parts);
}

/* A bit an element, by which the choice is made again; ones, so that what is kept is not zero. */
void check_dropout_again(check *c)
{
    for (int64_t n = 1; n < 700; n = 3 * n + 2) {
        void *x = check_array(c, n), *first = check_array(c, n), *again = check_array(c, n);
        uint32_t *kept = malloc((size_t)cf_ceil_div(n, 32) * sizeof *kept);
        for (int64_t i = 0; i < n; i++) check_put(c, x, i, (double)check_random(c, 1, 9));
        c->kn->dropout(n, 7, 64, 1u << 30, 2, x, first, kept);
        for (int64_t i = 0; i < n; i++)
            check_close(c, check_get(c, first, i), kept[i / 32] >> i % 32 & 1 ? 2 * check_get(c, x, i) : 0, 0);
        c->kn->dropout_again(n, kept, 2, x, again);
        check_equal(c, again, first, n, "dropout_again");
        free(x);
        free(first);
        free(again);
        free(kept);
    }
}
