/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels of max pooling with places against naive loops, ties, infinities and NaN among the operands. */
#include "check.h"

enum { ROWS = 3 };

static void *ties(check *c, int64_t n)
{
    void *a = check_array(c, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t v = check_random(c, -3, 3);
        check_put(c, a, i, v == -3 ? -INFINITY : v == 3 && check_random(c, 0, 1) ? NAN : (double)v);
    }
    return a;
}

static uint8_t *bytes(check *c, int64_t n, int64_t most)
{
    uint8_t *a = malloc((size_t)n);
    for (int64_t i = 0; i < n; i++) a[i] = (uint8_t)check_random(c, 0, most);
    return a;
}

typedef struct {
    double value;
    int64_t at;
} maximum;

static void take(maximum *m, double v, int64_t at)
{
    if (v > m->value || isnan(v)) *m = (maximum){v, at};
}

static void one_max_columns(check *c, int64_t n, int64_t taps, int64_t step)
{
    int64_t dil = check_random(c, 1, 3), whole = (n - 1) * step + (taps - 1) * dil + 1, ldy = n + check_random(c, 0, 2);
    int64_t start = -check_random(c, 0, 4), width = cf_max(1, whole + start - check_random(c, 0, 3));
    int64_t ldx = width + check_random(c, 0, 2), size = (ROWS - 1) * ldy + n;
    void *x = ties(c, (ROWS - 1) * ldx + width), *y = check_array(c, size), *expected = check_copy(c, y, size);
    uint8_t *place = bytes(c, size, 9);
    c->kn->max_columns(ROWS, n, taps, dil, step, start, width, x, ldx, y, place, ldy);
    for (int64_t i = 0; i < ROWS * n; i++) {
        maximum m = {-INFINITY, -1};
        int inside = 0;
        for (int64_t t = 0; t < taps; t++) {
            int64_t at = start + i % n * step + t * dil;
            if (at < 0 || at >= width) continue;
            if (!inside) m.at = t;
            inside = 1;
            take(&m, check_get(c, x, i / n * ldx + at), t);
        }
        check_put(c, expected, i / n * ldy + i % n, m.value);
        c->cases++;
        c->failures += inside && place[i / n * ldy + i % n] != m.at;
    }
    check_equal(c, y, expected, size, "max_columns");
    free(x);
    free(y);
    free(expected);
    free(place);
}

void check_max_columns(check *c)
{
    for (int64_t n = 1; n <= 3 * c->kn->lanes + 2; n++)
        for (int64_t taps = 1; taps <= 5; taps++)
            for (int64_t step = 1; step <= 4; step++) one_max_columns(c, n, taps, step);
}

static void one_max_taps(check *c, int64_t n, int64_t taps)
{
    int64_t step = check_random(c, 1, 9), ldy = n + check_random(c, 0, 2), off[20], length = (ROWS - 1) * step + n;
    for (int64_t t = 0; t < taps; t++) off[t] = check_random(c, 0, 12);
    length += 12;
    void *x = ties(c, length), *y = check_array(c, (ROWS - 1) * ldy + n),
         *expected = check_copy(c, y, (ROWS - 1) * ldy + n);
    uint8_t *before = bytes(c, length, 3), *place = bytes(c, (ROWS - 1) * ldy + n, 9);
    uint8_t *found = malloc((size_t)((ROWS - 1) * ldy + n));
    memcpy(found, place, (size_t)((ROWS - 1) * ldy + n));
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t q = 0; q < n; q++) {
            maximum m = {-INFINITY, 5 + (taps ? before[r * step + off[0] + q] : 0)};
            for (int64_t t = 0; t < taps; t++) {
                int64_t i = r * step + off[t] + q;
                take(&m, check_get(c, x, i), 5 + 4 * t + before[i]);
            }
            check_put(c, expected, r * ldy + q, m.value);
            found[r * ldy + q] = (uint8_t)m.at;
        }
    c->kn->max_taps(ROWS, n, taps, off, 5, 4, before, x, step, y, place, ldy);
    check_equal(c, y, expected, (ROWS - 1) * ldy + n, "max_taps");
    c->cases++;
    c->failures += memcmp(place, found, (size_t)((ROWS - 1) * ldy + n)) != 0;
    free(x);
    free(y);
    free(expected);
    free(before);
    free(place);
    free(found);
}

void check_max_taps(check *c)
{
    static const int64_t some_taps[] = {0, 1, 2, 3, 5, 20};
    for (int64_t n = c->kn->lanes; n <= 3 * c->kn->lanes; n += c->kn->lanes)
        for (int i = 0; i < 6; i++) one_max_taps(c, n, some_taps[i]);
}

void check_add_places(check *c)
{
    enum { PLANES = 10, N = 11, POINTS = ROWS * N, SIZE = 100, ROW_STEP = 25, STEP = 2 };
    int64_t offset[CF_PLACE_NOWHERE];
    for (int64_t i = 0; i < CF_PLACE_NOWHERE; i++)
        offset[i] = check_random(c, 0, SIZE - 1 - (ROWS - 1) * ROW_STEP - N * STEP);
    void *x = check_array(c, PLANES * POINTS), *y = check_array(c, PLANES * SIZE),
         *expected = check_copy(c, y, PLANES * SIZE);
    uint8_t *place = bytes(c, PLANES * POINTS, CF_PLACE_NOWHERE);
    place[1] = place[PLANES * POINTS - 1] = CF_PLACE_NOWHERE;
    for (int64_t i = 0; i < PLANES * POINTS; i++) {
        if (place[i] == CF_PLACE_NOWHERE) continue;
        int64_t r = i % POINTS / N, q = i % N, to = i / POINTS * SIZE + r * ROW_STEP + q * STEP + offset[place[i]];
        check_put(c, expected, to, check_get(c, expected, to) + check_get(c, x, i));
    }
    c->kn->add_places(PLANES, ROWS, N, offset, place, x, POINTS, y, SIZE, ROW_STEP, STEP);
    check_equal(c, y, expected, PLANES * SIZE, "add_places");
    free(x);
    free(y);
    free(expected);
    free(place);
}

void check_gather_places(check *c)
{
    enum { TAPS = 6, TOTAL = 250 };
    static const int64_t offset[TAPS] = {-9, -8, -1, 0, 8, 17};
    void *x = check_array(c, TOTAL), *y = check_array(c, TOTAL), *expected = check_copy(c, y, TOTAL);
    uint8_t *place = bytes(c, TOTAL, TAPS);
    place[7] = place[TOTAL - 1] = CF_PLACE_NOWHERE;
    for (int64_t begin = 0, end; begin < TOTAL; begin = end) {
        end = cf_min(TOTAL, begin + check_random(c, 1, 150));
        for (int64_t i = begin; i < end; i++) {
            double sum = 0;
            for (int64_t o = 0; o < TOTAL; o++)
                if (place[o] < TAPS && o + offset[place[o]] == i) sum += check_get(c, x, o);
            check_put(c, expected, i, sum);
        }
        c->kn->gather_places(begin, end, TOTAL, TAPS, offset, place, x, y);
        check_equal(c, y, expected, TOTAL, "gather_places");
    }
    free(x);
    free(y);
    free(expected);
    free(place);
}

static void one_spread_places(check *c, int64_t n, int64_t taps)
{
    void *x = check_array(c, n), *y = check_array(c, n * taps), *expected = check_copy(c, y, n * taps);
    uint8_t *place = bytes(c, n, 6);
    for (int64_t i = 0; i < n * taps; i++)
        check_put(c, expected, i, place[i / taps] == 2 + i % taps ? check_get(c, x, i / taps) : 0);
    c->kn->spread_places(n, taps, 2, place, x, y);
    check_equal(c, y, expected, n * taps, "spread_places");
    free(x);
    free(y);
    free(expected);
    free(place);
}

void check_spread_places(check *c)
{
    for (int64_t n = 1; n <= 3 * c->kn->lanes + 2; n++)
        for (int64_t taps = 1; taps <= 5; taps++) one_spread_places(c, n, taps);
}
