/* SPDX-License-Identifier: BSD-3-Clause */
/* The dot tile and the sums of its lanes, every shape around a vector's length. */
#include "check.h"

typedef struct {
    int64_t mr, nv, runs, len, lda, a_run, b_run, ldy;
    void *a, *b, *y;
    int32_t koff[CF_DOT_MAX];
} dot_case;

static void run_dot_case(check *c, const dot_case *t)
{
    int64_t vl = c->kn->lanes, n = t->mr * t->ldy * vl;
    void *expected = check_copy(c, t->y, n);
    for (int64_t i = 0; i < t->mr; i++)
        for (int64_t j = 0; j < t->nv; j++)
            for (int64_t r = 0; r < t->runs; r++)
                for (int64_t q = 0; q < t->len; q++) {
                    int64_t at = (i * t->ldy + j) * vl + q % vl;
                    double product = check_get(c, t->a, i * t->lda + r * t->a_run + q) *
                                     check_get(c, t->b, t->koff[j] + r * t->b_run + q);
                    check_put(c, expected, at, check_get(c, expected, at) + product);
                }
    c->kn->dot[t->nv][t->mr](t->runs, t->len, t->a, t->lda, t->a_run, t->b, t->koff, t->b_run, t->y, t->ldy);
    check_equal(c, t->y, expected, n, "dot");
    free(expected);
}

static void one_dot(check *c, int64_t mr, int64_t nv, int64_t len)
{
    int64_t runs = check_random(c, 1, 3), last = 0;
    dot_case t = {.mr = mr, .nv = nv, .runs = runs, .len = len, .lda = len + check_random(c, 0, 2)};
    t.a_run = mr * t.lda + check_random(c, 0, 2);
    t.b_run = len + check_random(c, 0, 5);
    t.ldy = nv + check_random(c, 0, 1);
    for (int64_t j = 0; j < nv; j++) {
        t.koff[j] = (int32_t)check_random(c, 0, 7);
        last = t.koff[j] > last ? t.koff[j] : last;
    }
    t.a = check_array(c, (runs - 1) * t.a_run + (mr - 1) * t.lda + len);
    t.b = check_array(c, (runs - 1) * t.b_run + last + len);
    t.y = check_array(c, mr * t.ldy * c->kn->lanes);
    run_dot_case(c, &t);
    free(t.a);
    free(t.b);
    free(t.y);
}

void check_dot(check *c)
{
    for (int64_t nv = 1; nv <= CF_DOT_MAX; nv++)
        for (int64_t mr = 1; mr <= CF_DOT_MAX && c->kn->dot[nv][mr]; mr++)
            for (int64_t len = 1; len <= 2 * c->kn->lanes + 1; len++) one_dot(c, mr, nv, len);
}

void check_lane_sums(check *c)
{
    int64_t vl = c->kn->lanes;
    for (int64_t n = 1; n <= 2 * vl + 1; n++) {
        int64_t parts = check_random(c, 1, 3), stride = n * vl + check_random(c, 0, 2),
                size = (parts - 1) * stride + n * vl;
        void *src = check_array(c, size), *dst = check_array(c, n), *expected = check_copy(c, dst, n);
        for (int64_t i = 0; i < n; i++) {
            double sum = 0;
            for (int64_t p = 0; p < parts; p++)
                for (int64_t l = 0; l < vl; l++) sum += check_get(c, src, p * stride + i * vl + l);
            check_put(c, expected, i, sum);
        }
        c->kn->lane_sums(n, parts, stride, src, dst);
        check_equal(c, dst, expected, n, "lane_sums");
        free(src);
        free(dst);
        free(expected);
    }
}
