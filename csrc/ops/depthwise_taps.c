/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces: the taps of a phase, ordered so that those share a vector of the source which lie whole rows apart.  Contract in
 * depthwise_internal.h. */
#include "depthwise_internal.h"

typedef struct {
    const cf_depthwise_plan *p;
    int64_t lanes;
    cf_depthwise_phase *phase;
    cf_piece *pieces;
    cf_column *columns;
    int64_t piece, column, channel;
} tables;

/* Which place of an axis of the source a tap reads for the first point. */
static int64_t place_of(const tables *t, int axis, int64_t tap)
{
    return t->phase->axis[axis].off0 + tap * t->phase->axis[axis].off_step;
}

/* Where that is: reals from the place of the point in the source itself, or from the slab's first. */
static int64_t offset_of(const tables *t, int axis, int64_t tap)
{
    const cf_slab *s = &t->p->slab;
    const cf_copies *c = &s->copies[axis];
    const int64_t stride[] = {s->slice_stride, s->row_stride, 1};
    const int64_t apart[] = {s->axis[1].src * s->axis[2].src, s->axis[2].src, 1};
    if (t->p->in_place) return place_of(t, axis, tap) * apart[axis];
    int64_t copy_size = s->copy_size, shift;
    for (int i = axis + 1; i < 3; i++) copy_size *= s->copies[i].copies;
    int64_t copy = cf_copy_of(c, place_of(t, axis, tap), s->axis[axis].step, &shift);
    return copy * copy_size + shift * stride[axis];
}

/* `height` taps from tap[] on, row_step apart along `axis`, at `columns` places, column_step apart along w. */
static void put_piece(tables *t, const int64_t tap[3], int axis, int64_t height, int64_t row_step, int64_t columns,
                      int64_t column_step)
{
    const cf_phase *ph = t->phase->axis;
    const cf_axis *a = t->p->slab.axis;
    const int64_t stride[] = {a[1].taps * a[2].taps, a[2].taps, 1};
    int64_t w = t->channel * t->p->w_red, at = t->channel * t->p->slab.channel_size;
    for (int i = 0; i < 3; i++) w += (ph[i].tap0 + tap[i] * ph[i].tap_step) * stride[i];
    for (int i = 0; i < 2; i++) at += offset_of(t, i, tap[i]);
    for (int64_t k = 0; k < columns; k++) {
        int64_t column = tap[2] + k * column_step;
        t->columns[t->column++] = (cf_column){at + offset_of(t, 2, column), t->p->edges ? place_of(t, 2, column) : 0};
    }
    t->pieces[t->piece++] = (cf_piece){.height = (int32_t)height,
                                       .columns = (int32_t)columns,
                                       .w = (int32_t)w,
                                       .w_row = (int32_t)(row_step * ph[axis].tap_step * stride[axis]),
                                       .w_column = (int32_t)(column_step * ph[2].tap_step),
                                       .front = place_of(t, 0, tap[0]),
                                       .top = place_of(t, 1, tap[1])};
}

/* `taps` taps row_step apart: pieces of at most CF_HEIGHT_MAX. */
static void put_pieces(tables *t, const int64_t first[3], int axis, int64_t taps, int64_t row_step, int64_t columns,
                       int64_t column_step)
{
    int64_t parts = cf_ceil_div(taps, CF_HEIGHT_MAX), tap[] = {first[0], first[1], first[2]};
    for (int64_t i = 0; i < parts; i++) {
        int64_t begin = cf_part(taps, parts, i);
        tap[axis] = first[axis] + begin * row_step;
        put_piece(t, tap, axis, cf_part(taps, parts, i + 1) - begin, row_step, columns, column_step);
    }
}

/* How taps share vectors along an axis: those `period` taps apart lie in one copy, those period * together whole rows apart. */
typedef struct {
    int64_t period, together, apart;
} sharing;

/* Sharing makes rows of a strip lie `apart`: not where few are left of them, nor where no tap has a partner. */
enum { STRIP_LEAST = 4 };

static sharing sharing_of(const tables *t, int axis)
{
    const cf_slab *s = &t->p->slab;
    const cf_phase *ph = &t->phase->axis[axis];
    int64_t period = s->copies[axis].period, shift = period * ph->off_step / s->axis[axis].step;
    int64_t together = axis == 2 ? t->lanes / cf_gcd(t->lanes, shift) : 1;
    int64_t apart = axis == 2 ? shift * together / t->lanes : shift;
    int64_t rows = axis == 2 ? cf_ceil_div(s->points[2], t->lanes) : s->points[1];
    if (ph->taps <= period * together || rows < STRIP_LEAST * apart) return (sharing){period, ph->taps, 1};
    return (sharing){period, together, apart};
}

/* Taps of one depth: rows of taps share, all columns at once. */
static void put_rows(tables *t, const sharing *s, int64_t depth)
{
    const cf_phase *ph = t->phase->axis;
    int64_t step = s->together > 1 ? ph[1].taps : s->period;
    for (int64_t e = 0; e < cf_min(step, ph[1].taps); e++)
        put_pieces(t, (int64_t[]){depth, e, 0}, 1, cf_ceil_div(ph[1].taps - e, step), step, ph[2].taps, 1);
}

/* Taps of one depth of folded rows: taps of a row share. */
static void put_folded(tables *t, const sharing *s, int64_t depth)
{
    const cf_phase *ph = t->phase->axis;
    for (int64_t e = 0; e < cf_min(s->period, ph[2].taps); e++) {
        int64_t taps = cf_ceil_div(ph[2].taps - e, s->period), columns = cf_min(taps, s->together);
        int64_t more = taps % columns, step = columns * s->period;
        if (more) put_pieces(t, (int64_t[]){depth, 0, e}, 2, taps / columns + 1, step, more, s->period);
        put_pieces(t, (int64_t[]){depth, 0, e + more * s->period}, 2, taps / columns, step, columns - more, s->period);
    }
}

static void put_phase(tables *t)
{
    const cf_phase *ph = t->phase->axis;
    int axis = t->p->folded ? 2 : 1;
    t->phase->apart = 1;
    if (ph[0].taps * ph[1].taps * ph[2].taps == 0) return;
    sharing s = sharing_of(t, axis);
    t->phase->apart = s.apart;
    for (t->channel = 0; t->channel < t->p->red; t->channel++)
        for (int64_t depth = 0; depth < ph[0].taps; depth++) {
            if (t->p->folded) put_folded(t, &s, depth);
            else put_rows(t, &s, depth);
        }
}

void cf_depthwise_tables(const cf_depthwise_plan *p, int64_t lanes, void *workspace)
{
    cf_depthwise_phase *phase = cf_depthwise_phases(p, workspace);
    tables t = {p, lanes, phase, cf_depthwise_pieces(p, workspace), cf_depthwise_columns(p, workspace), 0, 0, 0};
    for (int64_t i = 0; i < p->phases; i++) {
        t.phase = &phase[i];
        *t.phase = (cf_depthwise_phase){.piece = t.piece, .column = t.column};
        cf_slab_phases(&p->slab, i, t.phase->axis);
        for (int axis = 0; axis < 3; axis++) t.phase->axis[axis] = cf_phase_ascending(t.phase->axis[axis]);
        const cf_axis *w = &p->slab.axis[2];
        const cf_phase *ph = &t.phase->axis[2];
        t.phase->from = cf_ceil_div(cf_max(0, -ph->off0), w->step);
        t.phase->to = cf_max(0, w->src - ph->off0 - (ph->taps - 1) * ph->off_step) / w->step;
        put_phase(&t);
        t.phase->end = t.piece;
    }
}
