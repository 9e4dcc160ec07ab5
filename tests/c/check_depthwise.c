/* SPDX-License-Identifier: BSD-3-Clause */
/* Strips of depthwise convolution and the sums of their weight gradients, every shape around a vector's length. */
#include "check.h"

enum { PIECES_MAX = 3, WIDTH_MAX = 3 };

/* Rows of the source, of dy or y, and pieces that read them. */
typedef struct {
    int64_t rows, lanes, last, ldx, ldy, pieces, columns, taps;
    cf_piece piece[PIECES_MAX];
    int32_t koff[PIECES_MAX * WIDTH_MAX];
    void *x, *y;
} rows_case;

static rows_case random_rows(check *c, int64_t rows, int64_t lanes)
{
    rows_case t = {
        .rows = rows, .lanes = lanes, .last = check_random(c, 1, lanes), .pieces = check_random(c, 1, PIECES_MAX)};
    for (int64_t i = 0; i < t.pieces; i++) {
        cf_piece *p = &t.piece[i];
        *p = (cf_piece){.height = (int32_t)check_random(c, 1, CF_HEIGHT_MAX),
                        .columns = (int32_t)check_random(c, 1, WIDTH_MAX)};
        for (int64_t k = 0; k < p->columns; k++) t.koff[t.columns++] = (int32_t)check_random(c, 0, 7);
        t.taps += p->height * p->columns;
    }
    t.ldx = lanes + check_random(c, 0, 3);
    t.ldy = lanes + check_random(c, 0, 3);
    int64_t width = lanes > c->kn->lanes ? lanes : c->kn->lanes;
    t.x = check_array(c, (rows + CF_HEIGHT_MAX - 2) * t.ldx + 7 + width);
    t.y = check_array(c, (rows - 1) * t.ldy + lanes);
    return t;
}

static double strip_point(check *c, const rows_case *t, const void *w, int64_t r, int64_t q)
{
    const int32_t *koff = t->koff;
    int64_t i = 0;
    double sum = 0;
    for (const cf_piece *p = t->piece; p < t->piece + t->pieces; p++)
        for (int64_t k = 0; k < p->columns; k++, koff++)
            for (int64_t h = 0; h < p->height; h++, i++)
                sum += check_get(c, w, i) * check_get(c, t->x, *koff + (r + h) * t->ldx + q);
    return sum;
}

static void one_strip(check *c, int64_t mr, int64_t lanes)
{
    rows_case t = random_rows(c, mr, lanes);
    int64_t size = (mr - 1) * t.ldy + lanes;
    void *w = check_array(c, t.taps), *bias = check_array(c, 1), *expected = check_copy(c, t.y, size);
    int has_bias = (int)check_random(c, 0, 1);
    for (int64_t r = 0; r < mr; r++)
        for (int64_t q = 0; q < (r < mr - 1 ? lanes : t.last); q++)
            check_put(c, expected, r * t.ldy + q, strip_point(c, &t, w, r, q) + (has_bias ? check_get(c, bias, 0) : 0));
    c->kn->strip[mr](t.pieces, t.piece, t.koff, w, t.x, t.ldx, t.y, t.ldy, mr * t.ldy, has_bias ? bias : NULL, lanes,
                     t.last);
    check_equal(c, t.y, expected, size, "strip");
    void *all[] = {w, bias, expected, t.x, t.y};
    for (int i = 0; i < 5; i++) free(all[i]);
}

void check_strip(check *c)
{
    for (int64_t mr = 1; mr <= CF_STRIP_MAX && c->kn->strip[mr]; mr++)
        for (int64_t lanes = 1; lanes <= 2 * c->kn->lanes + 1; lanes++) one_strip(c, mr, lanes);
}

/* Sums over lanes: in which of them a product lies is the kernel's to choose. */
static void one_sums(check *c, int64_t height, int64_t columns, int64_t rows, int64_t lanes)
{
    rows_case t = random_rows(c, rows, lanes);
    int32_t koff[CF_COLUMNS_MAX];
    int64_t y_row = columns + check_random(c, 0, 1), vl = c->kn->lanes, terms = (height - 1) * y_row + columns;
    for (int64_t k = 0; k < columns; k++) koff[k] = (int32_t)check_random(c, 0, 7);
    void *sums = check_array(c, terms * vl), *expected = check_array(c, terms), *got = check_array(c, terms);
    c->kn->lane_sums(terms, 1, 0, sums, expected);
    for (int64_t h = 0; h < height; h++)
        for (int64_t k = 0; k < columns; k++) {
            double total = check_get(c, expected, h * y_row + k);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t q = 0; q < lanes; q++)
                    total += check_get(c, t.y, r * t.ldy + q) * check_get(c, t.x, koff[k] + (r + h) * t.ldx + q);
            check_put(c, expected, h * y_row + k, total);
        }
    c->kn->sums[height][columns](rows, lanes, t.y, t.ldy, t.x, koff, t.ldx, sums, y_row, 1);
    c->kn->lane_sums(terms, 1, 0, sums, got);
    check_equal(c, got, expected, terms, "sums");
    void *all[] = {sums, expected, got, t.x, t.y};
    for (int i = 0; i < 5; i++) free(all[i]);
}

void check_sums(check *c)
{
    for (int64_t height = 1; height <= CF_HEIGHT_MAX; height++)
        for (int64_t columns = 1; columns <= CF_COLUMNS_MAX && c->kn->sums[height][columns]; columns++)
            for (int64_t lanes = 1; lanes <= 2 * c->kn->lanes + 1; lanes++)
                one_sums(c, height, columns, check_random(c, 1, 2 * CF_SUM_ROWS + 1), lanes);
}
