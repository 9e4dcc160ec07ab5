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

static void one_max_taps(check *c, int64_t n, int64_t taps, int first_given, int before_given)
{
    int64_t step = check_random(c, 1, 9), ldy = n + check_random(c, 0, 2), off[20], length = (ROWS - 1) * step + n;
    for (int64_t t = 0; t < taps; t++) off[t] = check_random(c, 0, 12);
    length += 12;
    void *x = ties(c, length), *y = check_array(c, (ROWS - 1) * ldy + n),
         *expected = check_copy(c, y, (ROWS - 1) * ldy + n);
    uint8_t *first = bytes(c, n, 9), *before = bytes(c, length, 3), *place = bytes(c, (ROWS - 1) * ldy + n, 9);
    uint8_t *found = malloc((size_t)((ROWS - 1) * ldy + n));
    memcpy(found, place, (size_t)((ROWS - 1) * ldy + n));
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t q = 0; q < n; q++) {
            double most = -INFINITY;
            int64_t at = first_given ? first[q] : 5 + (before_given && taps ? before[r * step + off[0] + q] : 0);
            for (int64_t t = 0; t < taps; t++) {
                int64_t i = r * step + off[t] + q;
                double v = check_get(c, x, i);
                if (v > most || isnan(v)) at = 5 + 4 * t + (before_given ? before[i] : 0);
                if (v > most || isnan(v)) most = v;
            }
            check_put(c, expected, r * ldy + q, most);
            found[r * ldy + q] = (uint8_t)at;
        }
    c->kn->max_taps(ROWS, n, taps, off, 5, 4, first_given ? first : NULL, before_given ? before : NULL, x, step, y,
                    place, ldy);
    check_equal(c, y, expected, (ROWS - 1) * ldy + n, "max_taps");
    c->cases++;
    c->failures += memcmp(place, found, (size_t)((ROWS - 1) * ldy + n)) != 0;
    free(x);
    free(y);
    free(expected);
    free(first);
    free(before);
    free(place);
    free(found);
}

void check_max_taps(check *c)
{
    static const int64_t some_taps[] = {0, 1, 2, 3, 5, 20};
    for (int64_t n = c->kn->lanes; n <= 3 * c->kn->lanes; n += c->kn->lanes)
        for (int i = 0; i < 6; i++)
            for (int given = 0; given < 3; given++) one_max_taps(c, n, some_taps[i], given == 1, given == 2);
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
