/* SPDX-License-Identifier: BSD-3-Clause */
/* Winograd's transforms together are a correlation, and their adjoints its gradient; and rows are unpacked. */
#include "check.h"

enum { OUTER = 2, INNER = 3 };

/* Lines of `len` vectors that lie apart: [outer][element][inner], with a gap after each vector. */
static cf_steps steps_of(const check *c, int64_t len)
{
    int64_t vector = c->kn->lanes + 1;
    return (cf_steps){len * INNER * vector, vector, INNER * vector};
}

static int64_t size_of(const check *c, int64_t len) { return OUTER * len * INNER * (c->kn->lanes + 1); }

static void *transformed(check *c, cf_transform kind, int64_t n, int64_t len, const void *src, int64_t before,
                         int64_t after)
{
    cf_steps from = steps_of(c, before), to = steps_of(c, after);
    void *dst = check_array(c, size_of(c, after));
    c->kn->transform[kind][n][kind == CF_INPUT ? 0 : len](OUTER, INNER, src, &from, dst, &to);
    return dst;
}

static double element(check *c, const void *lines, int64_t len, int64_t o, int64_t i, int64_t p, int64_t l)
{
    cf_steps s = steps_of(c, len);
    return check_get(c, lines, o * s.outer + i * s.inner + p * s.element + l);
}

/* Of b[i], i < count, the sum over j < terms of a[j] * x[i + j]. */
static void check_correlation(check *c, const void *got, int64_t count, const void *a, int64_t terms, const void *x)
{
    for (int64_t o = 0; o < OUTER; o++)
        for (int64_t i = 0; i < INNER; i++)
            for (int64_t l = 0; l < c->kn->lanes; l++)
                for (int64_t q = 0; q < count; q++) {
                    double sum = 0;
                    for (int64_t j = 0; j < terms; j++)
                        sum += element(c, a, terms, o, i, j, l) * element(c, x, count + terms - 1, o, i, q + j, l);
                    /* the largest sum of products of integers up to 8, and what the points amplify */
                    double scale = 64 * 4 * 64;
                    check_close(c, element(c, got, count, o, i, q, l) / scale, sum / scale, 4);
                }
}

static void multiply(check *c, void *a, const void *b, int64_t n)
{
    for (int64_t i = 0; i < size_of(c, n); i++) check_put(c, a, i, check_get(c, a, i) * check_get(c, b, i));
}

static void one_piece(check *c, int64_t m, int64_t r)
{
    int64_t n = m + r - 1;
    void *x = check_array(c, size_of(c, n)), *w = check_array(c, size_of(c, r)), *dy = check_array(c, size_of(c, m));
    void *v = transformed(c, CF_INPUT, n, 0, x, n, n), *u = transformed(c, CF_FILTER, n, r, w, r, n);
    void *d = transformed(c, CF_OUTPUT_ADJOINT, n, m, dy, m, n);
    multiply(c, u, v, n);
    multiply(c, d, v, n);
    void *y = transformed(c, CF_OUTPUT, n, m, u, n, m), *dw = transformed(c, CF_FILTER_ADJOINT, n, r, d, n, r);
    check_correlation(c, y, m, w, r, x);
    check_correlation(c, dw, r, dy, m, x);
    void *all[] = {x, w, dy, v, u, d, y, dw};
    for (int i = 0; i < 8; i++) free(all[i]);
}

void check_transform(check *c)
{
    one_piece(c, 1, 1);
    for (int64_t r = 2; r <= CF_TAPS_MAX; r++)
        for (int64_t n = r + 1 < 4 ? 4 : r + 1; n <= CF_POINTS_MAX; n++) one_piece(c, n + 1 - r, r);
}

void check_unpack(check *c)
{
    int64_t vl = c->kn->lanes;
    for (int64_t m = 1; m <= vl; m++)
        for (int64_t len = 1; len <= 2 * vl + 1; len++) {
            int64_t lds = vl + check_random(c, 0, 2), ldd = len + check_random(c, 0, 2), size = (m - 1) * ldd + len;
            void *src = check_array(c, (len - 1) * lds + vl), *dst = check_array(c, size);
            void *expected = check_copy(c, dst, size);
            void *start = len % 2 ? check_array(c, m) : NULL;
            for (int64_t i = 0; i < m; i++)
                for (int64_t k = 0; k < len; k++)
                    check_put(c, expected, i * ldd + k,
                              check_get(c, src, k * lds + i) + (start ? check_get(c, start, i) : 0));
            c->kn->unpack(m, len, src, lds, start, dst, ldd);
            check_equal(c, dst, expected, size, "unpack");
            free(start);
            free(src);
            free(dst);
            free(expected);
        }
}
