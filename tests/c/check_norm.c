/* SPDX-License-Identifier: BSD-3-Clause */
/* Normalisation and local response normalisation against naive loops in double. */
#include "check.h"

enum { LENGTHS = 8 };

static int64_t length(const check *c, int i)
{
    const int64_t vl = c->kn->lanes,
                  lengths[LENGTHS] = {1, vl, vl + 1, 2 * vl + 3, 49, 64 * vl, 64 * vl + 1, 200 * vl + 5};
    return lengths[i];
}

/* Operands of a stretch: x, dy, a result, one or n of each parameter, and sums that start at 1. */
typedef struct {
    cf_norm_stretch s;
    int64_t n;
    void *x, *dy, *y, *weight, *bias;
    double *mean, *inverse, *offset, *slope, *sums, *dots;
} stretch;

static double *doubles(check *c, int64_t n, double scale)
{
    double *a = malloc((size_t)n * sizeof *a);
    for (int64_t i = 0; i < n; i++) a[i] = (double)check_random(c, 1, 4) * scale;
    return a;
}

static stretch new_stretch(check *c, int64_t n, int sharing)
{
    stretch t = {.n = n, .x = check_array(c, n), .dy = check_array(c, n), .y = check_array(c, n)};
    int own = sharing & 1, wide = sharing >> 1;
    int64_t statistics = own ? n : 1, weights = wide ? n : 1;
    t.weight = check_array(c, weights);
    t.bias = check_array(c, weights);
    t.mean = doubles(c, statistics, 1);
    t.inverse = doubles(c, statistics, 0.5);
    t.offset = doubles(c, statistics, 1);
    t.slope = doubles(c, statistics, 0.25);
    t.sums = doubles(c, n, 1);
    t.dots = doubles(c, n, 1);
    t.s = (cf_norm_stretch){t.mean, t.inverse, t.weight, t.bias, own, wide, -INFINITY, INFINITY};
    return t;
}

static void free_stretch(stretch *t)
{
    void *all[] = {t->x, t->dy, t->y, t->weight, t->bias, t->mean, t->inverse, t->offset, t->slope, t->sums, t->dots};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* (x - mean), weight * dy of element i */
static double centered(const check *c, const stretch *t, int64_t i)
{
    return check_get(c, t->x, i) - t->mean[i * t->s.own_statistics];
}

static double gradient(const check *c, const stretch *t, int64_t i)
{
    return check_get(c, t->weight, i * t->s.own_weights) * check_get(c, t->dy, i);
}

/* Every length and, of the four ways to share statistics and weights, the first `sharings`. */
static void each_stretch(check *c, int sharings, void (*one)(check *c, stretch *t))
{
    for (int i = 0; i < LENGTHS; i++)
        for (int sharing = 0; sharing < sharings; sharing++) {
            stretch t = new_stretch(c, length(c, i), sharing);
            one(c, &t);
            free_stretch(&t);
        }
}

static double *copy_of(const stretch *t, const double *values)
{
    double *copy = malloc((size_t)t->n * sizeof *copy);
    memcpy(copy, values, (size_t)t->n * sizeof *copy);
    return copy;
}

static void centered_squares(check *c, stretch *t)
{
    double total = 3, expected = 3;
    c->kn->centered_squares(t->n, t->x, t->mean[0], &total);
    for (int64_t i = 0; i < t->n; i++) expected += centered(c, t, i) * centered(c, t, i);
    check_close(c, total, expected, 0);
}

void check_centered_squares(check *c) { each_stretch(c, 1, centered_squares); }

static void column_sums(check *c, stretch *t)
{
    double *before = copy_of(t, t->sums);
    c->kn->column_sums(t->n, t->x, t->sums);
    for (int64_t i = 0; i < t->n; i++) check_close(c, t->sums[i], before[i] + check_get(c, t->x, i), 0);
    free(before);
}

void check_column_sums(check *c) { each_stretch(c, 1, column_sums); }

static void column_squares(check *c, stretch *t)
{
    if (!t->s.own_statistics) return;
    double *before = copy_of(t, t->sums);
    c->kn->column_squares(t->n, t->x, t->mean, t->sums);
    for (int64_t i = 0; i < t->n; i++) check_close(c, t->sums[i], before[i] + centered(c, t, i) * centered(c, t, i), 0);
    free(before);
}

void check_column_squares(check *c) { each_stretch(c, 2, column_squares); }

static double normalised(const check *c, const stretch *t, int64_t i)
{
    int64_t w = i * t->s.own_weights;
    double scaled = centered(c, t, i) * t->inverse[i * t->s.own_statistics] * check_get(c, t->weight, w);
    return scaled + check_get(c, t->bias, w);
}

static void normalise(check *c, stretch *t)
{
    for (int clamped = 0; clamped < 2; clamped++)
        for (int with_z = 0; with_z < 2; with_z++) {
            if (clamped) t->s.low = -1, t->s.high = 6;
            c->kn->normalise(t->n, &t->s, t->x, with_z ? t->dy : NULL, t->y);
            for (int64_t i = 0; i < t->n; i++) {
                double y = normalised(c, t, i) + (with_z ? check_get(c, t->dy, i) : 0);
                check_close(c, check_get(c, t->y, i), fmax(t->s.low, fmin(y, t->s.high)), 0);
            }
        }
}

static void norm_gate(check *c, stretch *t)
{
    t->s.low = -1;
    t->s.high = 6;
    c->kn->norm_gate(t->n, &t->s, t->x, t->dy, t->y);
    for (int64_t i = 0; i < t->n; i++) {
        double y = normalised(c, t, i);
        check_close(c, check_get(c, t->y, i), -1 < y && y < 6 ? check_get(c, t->dy, i) : 0, 0);
    }
}

void check_norm_gate(check *c) { each_stretch(c, 4, norm_gate); }

void check_normalise(check *c) { each_stretch(c, 4, normalise); }

static void norm_sums(check *c, stretch *t)
{
    if (t->s.own_statistics) return;
    double sum = 1, dot = 2, sum_expected = 1, dot_expected = 2;
    c->kn->norm_sums(t->n, &t->s, t->x, t->dy, &sum, &dot);
    for (int64_t i = 0; i < t->n; i++) {
        sum_expected += gradient(c, t, i);
        dot_expected += gradient(c, t, i) * centered(c, t, i);
    }
    check_close(c, sum, sum_expected, 0);
    check_close(c, dot, dot_expected, 0);
}

void check_norm_sums(check *c) { each_stretch(c, 4, norm_sums); }

static void column_dots(check *c, stretch *t)
{
    double *sums = copy_of(t, t->sums), *dots = copy_of(t, t->dots);
    c->kn->column_dots(t->n, &t->s, t->x, t->dy, t->sums, t->dots);
    for (int64_t i = 0; i < t->n; i++) {
        double dy = check_get(c, t->dy, i), inverse = t->inverse[i * t->s.own_statistics];
        check_close(c, t->sums[i], sums[i] + dy, 0);
        check_close(c, t->dots[i], dots[i] + dy * centered(c, t, i) * inverse, 0);
    }
    free(sums);
    free(dots);
}

void check_column_dots(check *c) { each_stretch(c, 2, column_dots); }

static void norm_backward(check *c, stretch *t)
{
    c->kn->norm_backward(t->n, &t->s, t->offset, t->slope, t->x, t->dy, t->y);
    for (int64_t i = 0; i < t->n; i++) {
        int64_t u = i * t->s.own_statistics;
        double expected = t->inverse[u] * (gradient(c, t, i) - t->offset[u] - t->slope[u] * centered(c, t, i));
        check_close(c, check_get(c, t->y, i), expected, 0);
    }
}

void check_norm_backward(check *c) { each_stretch(c, 4, norm_backward); }

/* Three channels, ld apart, of which a window may see one to three. */
typedef struct {
    int64_t n, ld, count;
    void *x, *z, *s, *y;
} channels;

static channels new_channels(check *c, int64_t n, int64_t count)
{
    channels w = {
        n, n + 3, count, check_array(c, 2 * (n + 3) + n), check_array(c, n), check_array(c, n), check_array(c, n)};
    for (int64_t i = 0; i < n; i++) check_put(c, w.s, i, (double)check_random(c, 1, 9));
    return w;
}

static void free_channels(channels *w)
{
    free(w->x);
    free(w->z);
    free(w->s);
    free(w->y);
}

static double window_sum(const check *c, const channels *w, int64_t i, int squares)
{
    double sum = 0;
    for (int64_t j = 0; j < w->count; j++) {
        double v = check_get(c, w->x, j * w->ld + i);
        sum += squares ? v * v : v;
    }
    return sum;
}

static void each_window(check *c, void (*one)(check *c, channels *w))
{
    for (int64_t n = 1; n < 700; n = 3 * n + 2)
        for (int64_t count = 1; count <= 3; count++) {
            channels w = new_channels(c, n, count);
            one(c, &w);
            free_channels(&w);
        }
}

static void lrn_scale(check *c, channels *w)
{
    c->kn->lrn_scale(w->n, w->count, w->ld, 2, 0.5, w->x, w->y);
    for (int64_t i = 0; i < w->n; i++) check_close(c, check_get(c, w->y, i), 2 + 0.5 * window_sum(c, w, i, 1), 0);
}

static void lrn_power(check *c, channels *w)
{
    for (int with_z = 0; with_z < 2; with_z++) {
        c->kn->lrn_power(w->n, 0.75, w->x, with_z ? w->z : NULL, w->s, w->y);
        for (int64_t i = 0; i < w->n; i++) {
            double factor = check_get(c, w->x, i) * (with_z ? check_get(c, w->z, i) : 1);
            check_close(c, check_get(c, w->y, i), factor * pow(check_get(c, w->s, i), -0.75), 16);
        }
    }
}

static void lrn_backward(check *c, channels *w)
{
    void *dy = check_array(c, w->n);
    c->kn->lrn_backward(w->n, w->count, w->ld, 0.75, 0.5, w->z, w->x, w->s, dy, w->y);
    for (int64_t i = 0; i < w->n; i++) {
        double expected = check_get(c, dy, i) * pow(check_get(c, w->s, i), -0.75);
        expected -= 0.5 * check_get(c, w->z, i) * window_sum(c, w, i, 0);
        check_close(c, check_get(c, w->y, i), expected, 16);
    }
    free(dy);
}

void check_lrn_scale(check *c) { each_window(c, lrn_scale); }
void check_lrn_power(check *c) { each_window(c, lrn_power); }
void check_lrn_backward(check *c) { each_window(c, lrn_backward); }
