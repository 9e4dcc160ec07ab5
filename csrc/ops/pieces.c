/* SPDX-License-Identifier: BSD-3-Clause */
/* The only code that knows how stride, dilation and kernel length become short kernels; contract in pieces.h. */
#include "pieces.h"
#include "../core/base.h"

/* Distance of taps in the source, which is that of all phases; of single taps any would do. */
static int64_t distance(const cf_axis *a)
{
    for (int64_t f = 0; f < a->dstep; f++) {
        cf_phase ph = cf_phase_ascending(cf_axis_phase(a, f));
        if (ph.taps > 1) return ph.off_step;
    }
    return a->step;
}

/* Taps that lie whole steps apart are of one class. */
static int64_t classes_of(const cf_axis *a) { return a->step / cf_gcd(a->step, distance(a)); }

int64_t cf_pieces_taps(const cf_axis *a)
{
    int64_t most = 0;
    for (int64_t f = 0; f < a->dstep; f++) most = cf_max(most, cf_axis_phase(a, f).taps);
    return cf_ceil_div(most, classes_of(a));
}

/* The source from which a piece of so many taps at `at` can be read, and its first place there. */
static int64_t find_source(cf_pieces *p, int64_t at, int64_t taps, int32_t *first)
{
    int64_t spacing = p->step * p->lattices;
    for (int64_t s = 0; s < p->sources; s++) {
        int64_t places = (at - p->source[s]) / spacing;
        *first = (int32_t)places;
        if (at - p->source[s] == places * spacing && places >= 0 && places + taps <= p->r) return s;
    }
    *first = p->r - taps >= 2; /* with nothing at either end both of those points are left out */
    if (p->sources < CF_SOURCES_MAX) p->source[p->sources] = (int32_t)(at - *first * spacing);
    return p->sources++;
}

static int add_piece(cf_pieces *p, int64_t phase, int64_t at, cf_subkernel piece)
{
    int64_t source = find_source(p, at, piece.taps, &piece.first);
    if (source >= CF_SOURCES_MAX || p->pieces[phase] >= CF_SOURCES_MAX) return 0;
    piece.source = (int32_t)source;
    p->piece[phase][p->pieces[phase]++] = piece;
    return 1;
}

/* Each class in pieces of nearly equal length. */
static int cut_phase(cf_pieces *p, int64_t phase, const cf_phase *ph, int64_t classes)
{
    for (int64_t q = 0; q < cf_min(classes, ph->taps); q++) {
        int64_t taps = cf_ceil_div(ph->taps - q, classes), cuts = cf_ceil_div(taps, p->r);
        for (int64_t c = 0; c < cuts; c++) {
            int64_t from = cf_part(taps, cuts, c), tap = q + classes * from;
            cf_subkernel piece = {.taps = (int32_t)(cf_part(taps, cuts, c + 1) - from),
                                  .tap0 = (int32_t)(ph->tap0 + tap * ph->tap_step),
                                  .tap_step = (int32_t)(classes * ph->tap_step)};
            if (!add_piece(p, phase, ph->off0 + tap * ph->off_step, piece)) return 0;
        }
    }
    p->most = cf_max(p->most, p->pieces[phase]);
    return 1;
}

/* The sources in the order of the source array. */
static void sort_sources(cf_pieces *p)
{
    int32_t source[CF_SOURCES_MAX], rank[CF_SOURCES_MAX];
    for (int64_t s = 0; s < p->sources; s++) {
        rank[s] = 0;
        for (int64_t o = 0; o < p->sources; o++) rank[s] += p->source[o] < p->source[s];
        source[rank[s]] = p->source[s];
    }
    memcpy(p->source, source, sizeof source);
    for (int64_t f = 0; f < p->phases; f++)
        for (int32_t i = 0; i < p->pieces[f]; i++) p->piece[f][i].source = rank[p->piece[f][i].source];
}

int cf_pieces_of(cf_pieces *p, const cf_axis *a, int64_t m, int64_t r)
{
    int64_t step = a->step, classes = r == 1 ? a->taps : classes_of(a);
    *p =
        (cf_pieces){.m = m, .r = r, .n = m + r - 1, .step = step, .dstep = a->dstep, .dst = a->dst, .phases = a->dstep};
    p->lattices = r == 1 ? 1 : distance(a) / cf_gcd(step, distance(a));
    p->tiles = cf_ceil_div(cf_ceil_div(cf_axis_points(a), p->lattices), m);
    if (p->phases > CF_PHASES_MAX) return 0;
    for (int64_t f = 0; f < p->phases; f++) {
        cf_phase ph = cf_phase_ascending(cf_axis_phase(a, f));
        if (!cut_phase(p, f, &ph, classes)) return 0;
    }
    sort_sources(p);
    return p->sources > 0;
}

int cf_subkernel_uses(const cf_pieces *p, const cf_subkernel *piece, int64_t point)
{
    if (p->n == 1) return 1;
    return (point > 0 || piece->first == 0) && (point < p->n - 1 || piece->first + piece->taps == p->r);
}
