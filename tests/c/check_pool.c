/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels of pooling against naive loops in double, ties and NaN among the operands. */
#include "check.h"

static int64_t get_lane(const check *c, const void *at, int64_t i)
{
    return c->kn->size == 8 ? ((const int64_t *)at)[i] : ((const int32_t *)at)[i];
}

static void put_lane(const check *c, void *at, int64_t i, int64_t value)
{
    if (c->kn->size == 8) ((int64_t *)at)[i] = value;
    else ((int32_t *)at)[i] = (int32_t)value;
}

/* Few values, so that ties abound, and some NaN. */
static void *ties(check *c, int64_t n)
{
    void *a = check_array(c, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t v = check_random(c, -3, 3);
        check_put(c, a, i, v == 3 && check_random(c, 0, 1) ? NAN : (double)v);
    }
    return a;
}

typedef struct {
    double value;
    int64_t at;
} maximum;

static void take(maximum *m, double v, int64_t at)
{
    int before = at < m->at;
    if (isnan(v) ? !isnan(m->value) || !before : v > m->value || (v == m->value && before)) *m = (maximum){v, at};
}

static double add(cf_pool_op op, double a, double b)
{
    if (op == CF_POOL_SUM) return a + b;
    return b > a || isnan(b) ? b : a;
}

static void one_reduce_rows(check *c, cf_pool_op op, int64_t n, int64_t slices, int64_t rows)
{
    enum { LINES = 3 };
    int64_t ldx = n + check_random(c, 0, 2), step = check_random(c, 1, 2 * ldx), ldy = n + check_random(c, 0, 2);
    int64_t lds = rows * ldx + check_random(c, 0, 2);
    void *x = ties(c, (LINES - 1) * step + (slices - 1) * lds + (rows - 1) * ldx + n);
    void *y = check_array(c, (LINES - 1) * ldy + n), *expected = check_copy(c, y, (LINES - 1) * ldy + n);
    for (int64_t l = 0; l < LINES; l++)
        for (int64_t q = 0; q < n; q++) {
            double v = check_get(c, x, l * step + q);
            for (int64_t i = 1; i < slices * rows; i++)
                v = add(op, v, check_get(c, x, l * step + i / rows * lds + i % rows * ldx + q));
            check_put(c, expected, l * ldy + q, v);
        }
    c->kn->reduce_rows(op, LINES, n, slices, lds, rows, ldx, x, step, y, ldy);
    check_equal(c, y, expected, (LINES - 1) * ldy + n, "reduce_rows");
    free(x);
    free(y);
    free(expected);
}

void check_reduce_rows(check *c)
{
    for (int64_t n = 1; n <= 6 * c->kn->lanes + 3; n++)
        for (int64_t rows = 1; rows <= 4; rows++)
            for (int64_t slices = 1; slices <= 3; slices++)
                for (int op = CF_POOL_MAX; op <= CF_POOL_SUM; op++) one_reduce_rows(c, (cf_pool_op)op, n, slices, rows);
}

static void one_reduce_rows_index(check *c, int start, int64_t n, int64_t rows)
{
    enum { LINES = 2 };
    int64_t ldx = n + check_random(c, 0, 2), step = check_random(c, 1, 2 * ldx), size = LINES * n;
    void *x = ties(c, step + (rows - 1) * ldx + n), *y = ties(c, size), *expected = check_copy(c, y, size);
    void *at = check_array(c, size);
    int64_t *places = malloc((size_t)size * sizeof *places);
    for (int64_t i = 0; i < size; i++) {
        int64_t from = i / n * step + i % n;
        maximum m = {check_get(c, y, i), i};
        put_lane(c, at, i, i);
        if (start) m = (maximum){check_get(c, x, from), 1000 + from};
        for (int64_t r = start; r < rows; r++) take(&m, check_get(c, x, from + r * ldx), 1000 + from + r * ldx);
        check_put(c, expected, i, m.value);
        places[i] = m.at;
    }
    c->kn->reduce_rows_index(start, LINES, n, rows, x, ldx, step, 1000, y, at, n);
    check_equal(c, y, expected, size, "reduce_rows_index");
    for (int64_t i = 0; i < size; i++) check_close(c, (double)get_lane(c, at, i), (double)places[i], 0);
    free(x);
    free(y);
    free(expected);
    free(at);
    free(places);
}

void check_reduce_rows_index(check *c)
{
    for (int64_t n = 1; n <= 2 * c->kn->lanes + 3; n++)
        for (int64_t rows = 1; rows <= 4; rows++)
            for (int start = 0; start < 2; start++) one_reduce_rows_index(c, start, n, rows);
}

/* Lines whose last element is the last of their allocation. */
typedef struct {
    int64_t rows, n, taps, dil, step, ldx, size;
} line_case;

static line_case line_of(check *c, int64_t n, int64_t taps)
{
    line_case l = {check_random(c, 1, 3), n, taps, check_random(c, 1, 3), check_random(c, 1, 4), 0, 0};
    int64_t used = (n - 1) * l.step + (taps - 1) * l.dil + 1;
    l.ldx = used + check_random(c, 0, 2);
    l.size = (l.rows - 1) * l.ldx + used;
    return l;
}

static void one_reduce_taps(check *c, cf_pool_op op, int64_t n, int64_t taps)
{
    line_case l = line_of(c, n, taps);
    void *x = ties(c, l.size), *y = check_array(c, l.rows * n), *expected = check_copy(c, y, l.rows * n);
    for (int64_t i = 0; i < l.rows * n; i++) {
        int64_t from = i / n * l.ldx + i % n * l.step;
        double v = check_get(c, x, from);
        for (int64_t t = 1; t < taps; t++) v = add(op, v, check_get(c, x, from + t * l.dil));
        check_put(c, expected, i, op == CF_POOL_SUM ? v / 4 : v);
    }
    c->kn->reduce_taps(op, l.rows, n, taps, l.dil, l.step, x, l.ldx, 4, y);
    check_equal(c, y, expected, l.rows * n, "reduce_taps");
    free(x);
    free(y);
    free(expected);
}

static const int64_t some_taps[] = {1, 2, 3, 4, 7, 16, 35};

void check_reduce_taps(check *c)
{
    for (int64_t n = 1; n <= 2 * c->kn->lanes + 3; n++)
        for (int i = 0; i < 7; i++)
            for (int op = CF_POOL_MAX; op <= CF_POOL_SUM; op++) one_reduce_taps(c, (cf_pool_op)op, n, some_taps[i]);
}

/* Places in any order, some of them nowhere. */
static void *places_of(check *c, void *x, int64_t n)
{
    void *at = check_array(c, n);
    for (int64_t i = 0; i < n; i++) {
        int nowhere = check_random(c, 0, 4) == 0;
        if (nowhere) check_put(c, x, i, -INFINITY);
        put_lane(c, at, i, nowhere ? cf_nowhere(c->kn->size) : i * 7919 % n);
    }
    return at;
}

static void compare_index(check *c, const maximum *m, const void *y, const int64_t *index, int64_t i)
{
    double v = check_get(c, y, i);
    int nowhere = m->at == cf_nowhere(c->kn->size);
    c->cases++;
    c->failures += !(v == m->value || (isnan(v) && isnan(m->value))) || index[i] != (nowhere ? -1 : 100 + m->at);
}

static void one_reduce_taps_index(check *c, int64_t n, int64_t taps)
{
    line_case l = line_of(c, n, taps);
    void *x = ties(c, l.size), *at = places_of(c, x, l.size), *y = check_array(c, l.rows * n);
    int64_t *index = malloc((size_t)(l.rows * n) * sizeof *index);
    c->kn->reduce_taps_index(l.rows, n, taps, l.dil, l.step, x, at, l.ldx, 100, y, index);
    for (int64_t i = 0; i < l.rows * n; i++) {
        int64_t from = i / n * l.ldx + i % n * l.step;
        maximum m = {check_get(c, x, from), get_lane(c, at, from)};
        for (int64_t t = 1; t < taps; t++) {
            int64_t place = from + t * l.dil;
            take(&m, check_get(c, x, place), get_lane(c, at, place));
        }
        compare_index(c, &m, y, index, i);
    }
    free(x);
    free(at);
    free(y);
    free(index);
}

void check_reduce_taps_index(check *c)
{
    for (int64_t n = 1; n <= 2 * c->kn->lanes + 3; n++)
        for (int i = 0; i < 5; i++) one_reduce_taps_index(c, n, some_taps[i]);
    one_reduce_taps_index(c, 131, 3);
}

enum { SPANS = 6, POINTS = 60 };
static const int64_t span_start[SPANS] = {0, 1, 3, 5, 8, 13}, span_end[SPANS] = {2, 4, 6, 9, 9, 60};

void check_reduce_spans(check *c)
{
    for (int op = CF_POOL_MAX; op <= CF_POOL_SUM; op++) {
        void *x = ties(c, POINTS), *y = check_array(c, SPANS), *expected = check_copy(c, y, SPANS);
        for (int q = 0; q < SPANS; q++) {
            double v = check_get(c, x, span_start[q]);
            for (int64_t i = span_start[q] + 1; i < span_end[q]; i++) v = add((cf_pool_op)op, v, check_get(c, x, i));
            check_put(c, expected, q, v);
        }
        c->kn->reduce_spans((cf_pool_op)op, SPANS, span_start, span_end, x, y);
        check_equal(c, y, expected, SPANS, "reduce_spans");
        free(x);
        free(y);
        free(expected);
    }
}

void check_reduce_spans_index(check *c)
{
    void *x = ties(c, POINTS), *at = places_of(c, x, POINTS), *y = check_array(c, SPANS);
    int64_t index[SPANS];
    c->kn->reduce_spans_index(SPANS, span_start, span_end, x, at, 100, y, index);
    for (int q = 0; q < SPANS; q++) {
        maximum m = {check_get(c, x, span_start[q]), get_lane(c, at, span_start[q])};
        for (int64_t i = span_start[q] + 1; i < span_end[q]; i++) take(&m, check_get(c, x, i), get_lane(c, at, i));
        compare_index(c, &m, y, index, q);
    }
    free(x);
    free(at);
    free(y);
}

void check_divide_rows(check *c)
{
    const int32_t row_count[] = {2, 3}, count[SPANS] = {1, 2, 4, 3, 5, 1};
    void *x = check_array(c, 2 * SPANS), *y = check_array(c, 2 * SPANS);
    c->kn->divide_rows(2, SPANS, -3, row_count, count, x, y);
    for (int q = 0; q < 2 * SPANS; q++)
        check_close(c, check_get(c, y, q), check_get(c, x, q) / (-3 * row_count[q / SPANS] * count[q % SPANS]), 1);
    c->kn->divide_rows(2, SPANS, 7, NULL, NULL, x, y);
    for (int q = 0; q < 2 * SPANS; q++) check_close(c, check_get(c, y, q), check_get(c, x, q) / 7, 1);
    free(x);
    free(y);
}

static void one_spread_taps(check *c, int64_t n, int64_t taps)
{
    line_case l = line_of(c, n, taps);
    int64_t size = check_random(c, 0, 1) + cf_max(n * l.step, (n - 1) * l.step + (taps - 1) * l.dil + 1);
    void *x = check_array(c, n), *y = check_array(c, size), *expected = check_zeros(c, size);
    for (int64_t q = 0; q < n; q++)
        for (int64_t t = 0; t < taps; t++) {
            int64_t i = q * l.step + t * l.dil;
            check_put(c, expected, i, check_get(c, expected, i) + check_get(c, x, q));
        }
    c->kn->spread_taps(n, taps, l.dil, l.step, x, size, y);
    check_equal(c, y, expected, size, "spread_taps");
    free(x);
    free(y);
    free(expected);
}

void check_spread_taps(check *c)
{
    for (int64_t n = 1; n <= 2 * c->kn->lanes + 3; n++)
        for (int i = 0; i < 7; i++) one_spread_taps(c, n, some_taps[i]);
}

void check_spread_spans(check *c)
{
    void *x = check_array(c, SPANS), *y = check_array(c, POINTS), *expected = check_zeros(c, POINTS);
    c->kn->spread_spans(SPANS, span_start, span_end, x, POINTS, y);
    for (int q = 0; q < SPANS; q++)
        for (int64_t i = span_start[q]; i < span_end[q]; i++)
            check_put(c, expected, i, check_get(c, expected, i) + check_get(c, x, q));
    check_equal(c, y, expected, POINTS, "spread_spans");
    free(x);
    free(y);
    free(expected);
}

void check_fill_columns(check *c)
{
    enum { ROWS = 3, WIDTH = 4, LD = 7 };
    void *y = check_array(c, ROWS * LD), *expected = check_copy(c, y, ROWS * LD);
    for (int64_t i = 0; i < ROWS * WIDTH; i++) check_put(c, expected, i / WIDTH * LD + i % WIDTH, -INFINITY);
    c->kn->fill_columns(ROWS, WIDTH, -INFINITY, y, LD);
    check_equal(c, y, expected, ROWS * LD, "fill_columns");
    free(y);
    free(expected);
}

static const int64_t scattered[SPANS] = {3, 0, 8, 3, 1, 59};

static void one_scatter_add(check *c, int64_t lanes)
{
    enum { PLANES = 6 };
    int64_t some[PLANES * SPANS];
    void *x = check_array(c, PLANES * SPANS), *y = check_array(c, PLANES * POINTS);
    void *expected = check_copy(c, y, PLANES * POINTS);
    for (int q = 0; q < PLANES * SPANS; q++) {
        some[q] = q % 5 == 2 ? -1 : (scattered[q % SPANS] + q / 3) % (POINTS / lanes);
        int64_t to = q / SPANS * POINTS + some[q] * lanes + q % SPANS % lanes;
        if (some[q] >= 0) check_put(c, expected, to, check_get(c, expected, to) + check_get(c, x, q));
    }
    c->kn->scatter_add(PLANES, SPANS / lanes, POINTS / lanes, lanes, some, x, y);
    check_equal(c, y, expected, PLANES * POINTS, "scatter_add");
    free(x);
    free(y);
    free(expected);
}

void check_scatter_add(check *c)
{
    for (int64_t lanes = 1; lanes <= 3; lanes++) one_scatter_add(c, lanes);
}

void check_scatter_set(check *c)
{
    void *x = check_array(c, SPANS), *y = check_array(c, POINTS), *expected = check_copy(c, y, POINTS);
    c->kn->scatter_set(SPANS, scattered, x, y);
    for (int q = 0; q < SPANS; q++) check_put(c, expected, scattered[q], check_get(c, x, q));
    check_equal(c, y, expected, POINTS, "scatter_set");
    free(x);
    free(y);
    free(expected);
}

void check_gather(check *c)
{
    void *x = check_array(c, POINTS), *y = check_array(c, SPANS);
    c->kn->gather(SPANS, scattered, x, y);
    for (int q = 0; q < SPANS; q++) check_close(c, check_get(c, y, q), check_get(c, x, scattered[q]), 0);
    free(x);
    free(y);
}

static const double exponents[] = {1, 2, 0.5, 3, -1, 0.25};

void check_power(check *c)
{
    int64_t n = 2 * c->kn->lanes + 3;
    void *x = check_array(c, n), *y = check_array(c, n);
    for (int i = 0; i < 6; i++) {
        c->kn->power(n, 2, exponents[i], x, y);
        for (int64_t q = 0; q < n; q++) {
            double expected = pow(2 * check_get(c, x, q), exponents[i]), got = check_get(c, y, q);
            if (isfinite(expected)) check_close(c, got, expected, 2);
            else c->failures += isnan(expected) ? !isnan(got) : !isinf(got);
        }
    }
    free(x);
    free(y);
}

void check_power_backward(check *c)
{
    int64_t n = 2 * c->kn->lanes + 3;
    void *x = check_array(c, n), *dy = check_array(c, n), *dx = check_array(c, n);
    check_put(c, x, 0, 0);
    for (int i = 0; i < 6; i++) {
        c->kn->power_backward(n, 2, exponents[i], 1, x, dy, dx);
        for (int64_t q = 0; q < n; q++) {
            double v = check_get(c, x, q), slope = v == 0 ? 0 : 2 * exponents[i] * pow(2 * v, exponents[i] - 1);
            if (isfinite(slope)) check_close(c, check_get(c, dx, q), check_get(c, dy, q) * slope, 8);
        }
    }
    free(x);
    free(dy);
    free(dx);
}
