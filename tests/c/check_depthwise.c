/* SPDX-License-Identifier: BSD-3-Clause */
/* Strips of depthwise convolution and the sums of their weight gradients, every shape around a vector's length. */
#include "check.h"

enum { PIECES_MAX = 3, WIDTH_MAX = 3 };

/* Rows of the source, of y, and pieces that read them.  Columns lie around the rows, as far as a vector outside of them. */
typedef struct {
    int64_t step, size_y, columns, taps;
    cf_strip s;
    cf_piece piece[PIECES_MAX];
    cf_column column[PIECES_MAX * WIDTH_MAX];
    uint32_t inside[PIECES_MAX];
    void *x, *y, *w, *bias;
} strip_case;

/* Lanes of which all columns are inside, and the next real too; none where a row is outside. */
static void find_whole(check *c, strip_case *t)
{
    t->s.rows.to = 2 * t->s.lanes;
    for (int64_t i = 0; i < t->s.pieces; i++)
        if (check_random(c, 0, 3) == 0) {
            t->inside[i] &= (uint32_t)check_random(c, 0, 0xffff);
            t->s.rows.to = 0;
        }
    for (int64_t k = 0; k < t->columns; k++) {
        int64_t first = t->s.rows.left + t->column[k].column;
        while (first + t->step * t->s.rows.from < 0) t->s.rows.from++;
        while (t->s.rows.to > 0 && first + t->step * t->s.rows.to > t->s.rows.width) t->s.rows.to--;
    }
}

static strip_case random_strip(check *c, int64_t step, int64_t mr, int64_t lanes)
{
    int64_t width = check_random(c, 1, step * lanes + 3), reach = step * c->kn->lanes, least = step * lanes + reach;
    strip_case t = {.step = step};
    t.s = (cf_strip){.pieces = check_random(c, 1, PIECES_MAX),
                     .lanes = lanes,
                     .last = check_random(c, 1, lanes),
                     .ldy = lanes + check_random(c, 0, 3),
                     .share = check_random(c, 0, 1),
                     .rows = {.ldx = width, .width = width, .left = check_random(c, 0, 3)}};
    for (int64_t i = 0; i < t.s.pieces; i++) {
        t.inside[i] = ~0u;
        t.piece[i] = (cf_piece){.height = (int32_t)check_random(c, 1, CF_HEIGHT_MAX),
                                .columns = (int32_t)check_random(c, 1, WIDTH_MAX),
                                .w = (int32_t)t.taps,
                                .w_column = 1};
        t.piece[i].w_row = t.piece[i].columns;
        for (int64_t k = 0; k < t.piece[i].columns; k++) {
            int64_t column = check_random(c, -reach - 1, reach + 1);
            t.column[t.columns++] = (cf_column){column, column};
        }
        t.taps += t.piece[i].height * t.piece[i].columns;
    }
    find_whole(c, &t);
    t.s.ahead = mr * t.s.ldy;
    t.size_y = (mr - 1) * t.s.ldy + lanes;
    t.x = check_array(c, least + (mr + CF_HEIGHT_MAX - 1) * width + least);
    t.y = check_array(c, t.size_y);
    t.w = check_array(c, t.taps);
    t.bias = check_array(c, 1);
    t.s.rows.x = cf_at(t.x, least + t.s.rows.left, c->kn->size);
    t.s.y = t.y;
    t.s.w = t.w;
    t.s.init = check_random(c, 0, 1) ? t.bias : NULL;
    return t;
}

static double strip_point(check *c, const strip_case *t, int64_t r, int64_t q)
{
    const cf_column *column = t->column;
    double sum = 0;
    for (int64_t i = 0; i < t->s.pieces; i++) {
        const cf_piece *p = &t->piece[i];
        for (int64_t k = 0; k < p->columns; k++, column++)
            for (int64_t h = 0; h < p->height; h++) {
                int64_t at = t->s.rows.left + column->column + t->step * q;
                if (at < 0 || at >= t->s.rows.width || !(t->inside[i] >> (r + h) & 1)) continue;
                sum += check_get(c, t->w, p->w + h * p->w_row + k) *
                       check_get(c, t->s.rows.x, column->at + (r + h) * t->s.rows.ldx + t->step * q);
            }
    }
    return sum;
}

static void one_strip(check *c, int64_t step, int64_t mr, int64_t lanes)
{
    strip_case t = random_strip(c, step, mr, lanes);
    void *expected = check_copy(c, t.y, t.size_y);
    t.s.piece = t.piece;
    t.s.column = t.column;
    t.s.inside = t.inside;
    for (int64_t r = 0; r < mr; r++)
        for (int64_t q = 0; q < (r < mr - 1 ? lanes : t.s.last); q++)
            check_put(c, expected, r * t.s.ldy + q,
                      strip_point(c, &t, r, q) + (t.s.init ? check_get(c, t.bias, 0) : 0));
    c->kn->strip[step][mr](&t.s);
    check_equal(c, t.y, expected, t.size_y, "strip");
    void *all[] = {t.w, t.bias, expected, t.x, t.y};
    for (int i = 0; i < 5; i++) free(all[i]);
}

void check_strip(check *c)
{
    for (int64_t step = 1; step <= CF_LANE_STEP_MAX; step++)
        for (int64_t mr = 1; mr <= CF_STRIP_MAX && c->kn->strip[step][mr]; mr++)
            for (int64_t lanes = 1; lanes <= 2 * c->kn->lanes + 1; lanes++) one_strip(c, step, mr, lanes);
}

/* Sums over lanes: in which of them a product lies is the kernel's to choose. */
static void one_sums(check *c, int64_t height, int64_t columns, int64_t rows, int64_t lanes)
{
    int64_t ldx = lanes + check_random(c, 0, 3), ldy = lanes + check_random(c, 0, 3);
    void *x = check_array(c, (rows + height - 2) * ldx + 7 + lanes), *dy = check_array(c, (rows - 1) * ldy + lanes);
    cf_column column[CF_COLUMNS_MAX];
    int64_t y_row = columns + check_random(c, 0, 1), vl = c->kn->lanes, terms = (height - 1) * y_row + columns;
    for (int64_t k = 0; k < columns; k++) column[k].at = check_random(c, 0, 7);
    void *sums = check_array(c, terms * vl), *expected = check_array(c, terms), *got = check_array(c, terms);
    c->kn->lane_sums(terms, 1, 0, sums, expected);
    for (int64_t h = 0; h < height; h++)
        for (int64_t k = 0; k < columns; k++) {
            double total = check_get(c, expected, h * y_row + k);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t q = 0; q < lanes; q++)
                    total += check_get(c, dy, r * ldy + q) * check_get(c, x, column[k].at + (r + h) * ldx + q);
            check_put(c, expected, h * y_row + k, total);
        }
    c->kn->sums[height][columns](rows, lanes, dy, ldy, x, column, ldx, sums, y_row, 1);
    c->kn->lane_sums(terms, 1, 0, sums, got);
    check_equal(c, got, expected, terms, "sums");
    void *all[] = {sums, expected, got, x, dy};
    for (int i = 0; i < 5; i++) free(all[i]);
}

void check_sums(check *c)
{
    for (int64_t height = 1; height <= CF_HEIGHT_MAX; height++)
        for (int64_t columns = 1; columns <= CF_COLUMNS_MAX && c->kn->sums[height][columns]; columns++)
            for (int64_t lanes = 1; lanes <= 2 * c->kn->lanes + 1; lanes++)
                one_sums(c, height, columns, check_random(c, 1, 2 * CF_SUM_ROWS + 1), lanes);
}
