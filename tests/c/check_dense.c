/* SPDX-License-Identifier: BSD-3-Clause */
/* The tile and the packers, every shape around a vector's length. */
#include "check.h"

typedef struct {
    int64_t mr, nv, kc, lanes, ldy, ldf, a_rs, a_cs;
    void *a, *b, *y, *init, *from;
    int32_t *koff;
} tile_case;

static void run_tile_case(check *c, const tile_case *t)
{
    void *expected = check_copy(c, t->y, t->mr * t->ldy);
    for (int64_t i = 0; i < t->mr; i++)
        for (int64_t j = 0; j < t->lanes; j++) {
            double sum = t->init ? check_get(c, t->init, i) : check_get(c, t->from, i * t->ldf + j);
            for (int64_t k = 0; k < t->kc; k++)
                sum += check_get(c, t->a, i * t->a_rs + k * t->a_cs) * check_get(c, t->b, t->koff[k] + j);
            check_put(c, expected, i * t->ldy + j, sum);
        }
    cf_tile_fn *tile = t->a_rs == 1 ? c->kn->tile[t->nv][t->mr] : c->kn->tile_apart[t->nv][t->mr];
    tile(t->kc, t->a, t->a_rs, t->a_cs, t->b, t->koff, t->y, t->ldy, t->init, t->from, t->ldf, t->lanes, t->y);
    check_equal(c, t->y, expected, t->mr * t->ldy, "tile");
    free(expected);
}

static void one_tile(check *c, int64_t mr, int64_t nv, int64_t kc, int with_init, int rows_apart)
{
    int64_t vl = c->kn->lanes, whole = nv * vl, b_size = whole + 3 * kc + 1;
    int64_t gap = check_random(c, 0, 2), lanes = check_random(c, whole - vl + 1, whole);
    tile_case t = {.mr = mr, .nv = nv, .kc = kc, .lanes = lanes, .ldy = whole + check_random(c, 0, 3)};
    t.a_rs = rows_apart ? kc + gap : 1;
    t.a_cs = rows_apart ? 1 : mr + gap;
    t.a = check_array(c, kc ? (mr - 1) * t.a_rs + (kc - 1) * t.a_cs + 1 : 0);
    t.b = check_array(c, b_size);
    t.y = check_array(c, mr * t.ldy);
    t.init = with_init ? check_array(c, mr) : NULL;
    t.ldf = rows_apart ? t.ldy : 0;
    t.from = rows_apart ? t.y : check_array(c, lanes);
    t.koff = malloc((size_t)(kc + 1) * sizeof *t.koff);
    for (int64_t k = 0; k < kc; k++) t.koff[k] = (int32_t)check_random(c, 0, b_size - whole);
    run_tile_case(c, &t);
    free(t.a);
    free(t.b);
    free(t.y);
    free(t.init);
    if (!rows_apart) free(t.from);
    free(t.koff);
}

void check_tile(check *c)
{
    for (int64_t nv = 1; nv <= CF_NV_MAX; nv++)
        for (int64_t mr = 1; mr <= CF_MR_MAX; mr++)
            for (int64_t kc = 0; kc < 12 && c->kn->tile[nv][mr]; kc += 1 + 3 * (kc > 2))
                for (int form = 0; form < 4; form++) one_tile(c, mr, nv, kc, form % 2, form / 2);
}

/* A strided matrix whose last element is the last of its allocation. */
static void one_pack(check *c, int64_t m, int64_t kc, int unit_rows)
{
    int64_t gap = check_random(c, 0, 2), rs = unit_rows ? 1 : kc + gap, cs = unit_rows ? m + gap : 1 + (gap == 2);
    if (!unit_rows) rs = (kc - 1) * cs + 1 + gap;
    int64_t n = (m - 1) * rs + (kc - 1) * cs + 1, ldd = m + check_random(c, 0, 3), size = kc * ldd + c->kn->lanes;
    void *src = check_array(c, n), *dst = check_array(c, size);
    c->kn->pack(m, kc, src, rs, cs, cf_at(src, n, c->kn->size), dst, ldd);
    void *expected = check_copy(c, dst, size); /* what lies between the rows is free */
    for (int64_t k = 0; k < kc; k++)
        for (int64_t i = 0; i < m; i++) check_put(c, expected, k * ldd + i, check_get(c, src, i * rs + k * cs));
    check_equal(c, dst, expected, size, "pack");
    free(src);
    free(dst);
    free(expected);
}

void check_pack(check *c)
{
    int64_t vl = c->kn->lanes, sizes[] = {1, 2, 3, vl - 1, vl, vl + 1, 2 * vl + 1, 3 * vl};
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 8; k++)
            for (int unit_rows = 0; unit_rows < 2 && sizes[i] > 0 && sizes[k] > 0; unit_rows++)
                one_pack(c, sizes[i], sizes[k], unit_rows);
}

static void one_finish(check *c, int64_t rows, int64_t len, int with_norm, int with_z, int step)
{
    int64_t ld = len + check_random(c, 0, 3), size = (rows - 1) * ld + len, stride = rows + 1;
    void *y = check_array(c, size), *z = check_array(c, size), *norm = check_array(c, 3 * stride + rows);
    void *expected = check_copy(c, y, size);
    const cf_finish f = {with_norm ? norm : NULL, stride, step, -40, 50};
    for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < len; q++) {
            double v = check_get(c, y, r * ld + q), n[4];
            for (int i = 0; i < 4; i++) n[i] = check_get(c, norm, i * stride + r * step);
            if (with_norm) v = (v - n[0]) * n[1] * n[2] + n[3];
            if (with_z) v += check_get(c, z, r * ld + q);
            check_put(c, expected, r * ld + q, fmin(fmax(v, -40), 50));
        }
    c->kn->finish_rows(&f, y, with_z ? z : NULL, ld, rows, len);
    check_equal(c, y, expected, size, "finish_rows");
    free(y);
    free(z);
    free(norm);
    free(expected);
}

void check_finish_rows(check *c)
{
    for (int64_t rows = 1; rows <= 3; rows++)
        for (int64_t len = 1; len <= 2 * c->kn->lanes + 1; len++)
            for (int i = 0; i < 8; i++) one_finish(c, rows, len, i & 1, i >> 1 & 1, i >> 2);
}

static void one_gather(check *c, int64_t rows, int64_t len, int64_t step)
{
    int64_t first = check_random(c, 0, len), last = check_random(c, first, len), inside = last - first;
    int64_t lds = inside * step + check_random(c, 0, 2), ldd = len + check_random(c, 0, 2);
    int64_t n = inside ? (rows - 1) * lds + (inside - 1) * step + 1 : 0, size = (rows - 1) * ldd + len;
    void *src = check_array(c, n), *dst = check_array(c, size), *expected = check_copy(c, dst, size);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < len; q++) {
            int in = q >= first && q < last;
            check_put(c, expected, r * ldd + q, in ? check_get(c, src, r * lds + (q - first) * step) : -3);
        }
    c->kn->gather_rows(dst, ldd, src, lds, rows, len, first, last, step, -3);
    check_equal(c, dst, expected, size, "gather_rows");
    free(src);
    free(dst);
    free(expected);
}

void check_gather_rows(check *c)
{
    for (int64_t len = 1; len <= 3 * c->kn->lanes + 1; len++)
        for (int64_t step = 1; step <= 3; step++) one_gather(c, check_random(c, 1, 3), len, step);
}

static void one_scatter(check *c, int64_t rows, int64_t len, int64_t step, int add)
{
    int64_t lds = len + check_random(c, 0, 2), ldd = len * step + check_random(c, 0, 2);
    int64_t n = (rows - 1) * lds + len, size = (rows - 1) * ldd + (len - 1) * step + 1;
    void *src = check_array(c, n), *dst = check_array(c, size), *expected = check_copy(c, dst, size);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < len; q++) {
            int64_t at = r * ldd + q * step;
            check_put(c, expected, at, check_get(c, src, r * lds + q) + (add ? check_get(c, dst, at) : 0));
        }
    (add ? c->kn->add_rows : c->kn->scatter_rows)(dst, ldd, step, src, lds, rows, len);
    check_equal(c, dst, expected, size, add ? "add_rows" : "scatter_rows");
    free(src);
    free(dst);
    free(expected);
}

void check_scatter_rows(check *c)
{
    for (int64_t len = 1; len <= 3 * c->kn->lanes + 1; len++)
        for (int64_t step = 1; step <= 3; step++) one_scatter(c, check_random(c, 1, 3), len, step, 0);
}

void check_add_rows(check *c)
{
    for (int64_t len = 1; len <= 3 * c->kn->lanes + 1; len++)
        for (int64_t step = 1; step <= 3; step++) one_scatter(c, check_random(c, 1, 3), len, step, 1);
}

void check_interleave_rows(check *c)
{
    for (int64_t len = 1; len <= 4 * c->kn->lanes + 1; len++) {
        int64_t rows = check_random(c, 1, 3), lds = (len + 1) / 2 + check_random(c, 0, 2),
                ldd = len + check_random(c, 0, 2);
        int64_t size = (rows - 1) * ldd + len, n_even = (rows - 1) * lds + (len + 1) / 2,
                n_odd = (rows - 1) * lds + len / 2;
        void *even = check_array(c, n_even), *odd = check_array(c, n_odd), *dst = check_array(c, size);
        void *expected = check_copy(c, dst, size);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t q = 0; q < len; q++)
                check_put(c, expected, r * ldd + q, check_get(c, q % 2 ? odd : even, r * lds + q / 2));
        c->kn->interleave_rows(dst, ldd, even, odd, lds, rows, len);
        check_equal(c, dst, expected, size, "interleave_rows");
        free(even);
        free(odd);
        free(dst);
        free(expected);
    }
}

void check_set(check *c)
{
    for (int64_t n = 1; n <= 2 * c->kn->lanes + 1; n++) {
        void *dst = check_array(c, n), *expected = check_copy(c, dst, n);
        for (int64_t i = 0; i < n; i++) check_put(c, expected, i, 5);
        c->kn->set(n, dst, 5);
        check_equal(c, dst, expected, n, "set");
        free(dst);
        free(expected);
    }
}

void check_sum(check *c)
{
    for (int64_t n = 1; n <= 300 * c->kn->lanes; n += 37) {
        void *src = check_array(c, n);
        double expected = 2, total = 2;
        for (int64_t i = 0; i < n; i++) expected += check_get(c, src, i);
        c->kn->sum(n, src, &total);
        c->cases++;
        c->failures += total != expected;
        free(src);
    }
}
