/* SPDX-License-Identifier: BSD-3-Clause */
/* Weights to the values of their points, and the gradients of these values to those of the weights. */
#include "winograd_internal.h"

/* Vectors of (channel, place of each axis). */
typedef struct {
    void *at;
    int64_t channel, stride[3], extent[3];
} filters;

static filters compact(void *at, int64_t lanes, int64_t d, int64_t h, int64_t w)
{
    return (filters){at, d * h * w * lanes, {h * w * lanes, w * lanes, lanes}, {d, h, w}};
}

/* Transform one axis of the filters of so many channels. */
static void pass(const cf_kernels *kn, cf_transform_fn *fn, int axis, int64_t channels, const filters *from,
                 const filters *to)
{
    int inner = axis == 2 ? 1 : 2, outer = 3 - axis - inner;
    const cf_steps s = {from->channel, from->stride[inner], from->stride[axis]};
    const cf_steps d = {to->channel, to->stride[inner], to->stride[axis]};
    for (int64_t i = 0; i < from->extent[outer]; i++)
        fn(channels, from->extent[inner], cf_at(from->at, i * from->stride[outer], kn->size), &s,
           cf_at(to->at, i * to->stride[outer], kn->size), &d);
}

/* Reals a channel: its taps, those of a piece with its zeros, and what is between the passes. */
static int64_t taps_of(const cf_winograd_plan *p) { return p->axis[0].r * p->axis[1].r * p->axis[2].r; }
static int64_t between_of(const cf_winograd_plan *p) { return p->axis[0].n * p->axis[1].n * p->axis[2].r; }

int64_t cf_filter_size(const cf_winograd_plan *p, int64_t channels, int64_t lanes)
{
    return (channels * (p->vol + taps_of(p) + 2 * between_of(p)) + 1) * lanes;
}

typedef struct {
    const cf_winograd_job *j;
    int64_t channels;
    const cf_subkernel *piece[3];
    int64_t tap_stride[3]; /* of the packed taps */
    void *packed, *dense, *between[2];
} piece_job;

/* The taps of a piece where they lie, if none is missing. */
static int lies_in_packed(const piece_job *t, filters *g)
{
    const cf_pieces *axis = t->j->p->axis;
    int64_t lanes = t->j->kn->lanes, at = 0;
    *g = (filters){.channel = t->j->p->vol * lanes};
    for (int i = 0; i < 3; i++) {
        if (t->piece[i]->taps < axis[i].r) return 0;
        at += t->piece[i]->tap0 * t->tap_stride[i];
        g->stride[i] = t->piece[i]->tap_step * t->tap_stride[i];
        g->extent[i] = axis[i].r;
    }
    g->at = cf_at(t->packed, at, t->j->kn->size);
    return 1;
}

static int64_t tap_of(const cf_subkernel *piece, int64_t place)
{
    return piece->tap0 + (place - piece->first) * piece->tap_step;
}

/* Taps of a piece from the packed ones to their places, or back. */
static void copy_taps(const piece_job *t, const filters *places, int back)
{
    int64_t bytes = t->j->kn->lanes * t->j->kn->size, size = t->j->kn->size;
    const cf_subkernel *d = t->piece[0], *h = t->piece[1], *w = t->piece[2];
    for (int64_t c = 0; c < t->channels; c++)
        for (int64_t z = d->first; z < d->first + d->taps; z++)
            for (int64_t y = h->first; y < h->first + h->taps; y++)
                for (int64_t x = w->first; x < w->first + w->taps; x++) {
                    int64_t tap = tap_of(d, z) * t->tap_stride[0] + tap_of(h, y) * t->tap_stride[1] +
                                  tap_of(w, x) * t->tap_stride[2];
                    int64_t place = z * places->stride[0] + y * places->stride[1] + x * places->stride[2];
                    void *packed = cf_at(t->packed, c * t->j->p->vol * t->j->kn->lanes + tap, size);
                    void *dense = cf_at(places->at, c * places->channel + place, size);
                    memcpy(back ? packed : dense, back ? dense : packed, (size_t)bytes);
                }
}

/* Else they are copied, and zeros put where they are missing. */
static filters with_zeros(const piece_job *t)
{
    const cf_pieces *axis = t->j->p->axis;
    filters g = compact(t->dense, t->j->kn->lanes, axis[0].r, axis[1].r, axis[2].r);
    t->j->kn->set(t->channels * g.channel, g.at, 0);
    copy_taps(t, &g, 0);
    return g;
}

static void transform_piece(const piece_job *t, filters to)
{
    const cf_pieces *axis = t->j->p->axis;
    const cf_kernels *kn = t->j->kn;
    filters from;
    if (!lies_in_packed(t, &from)) from = with_zeros(t);
    for (int i = 0; i < 2; i++) {
        if (axis[i].n == 1) continue;
        filters next = compact(t->between[i], kn->lanes, axis[0].n, i == 0 ? axis[1].r : axis[1].n, axis[2].r);
        pass(kn, kn->transform[CF_FILTER][axis[i].n][axis[i].r], i, t->channels, &from, &next);
        from = next;
    }
    pass(kn, kn->transform[CF_FILTER][axis[2].n][axis[2].r], 2, t->channels, &from, &to);
}

/* The adjoint of transform_piece: the axes from the last. */
static void gather_piece(const piece_job *t, filters from)
{
    const cf_pieces *axis = t->j->p->axis;
    const cf_kernels *kn = t->j->kn;
    filters to;
    int lies = lies_in_packed(t, &to), last = axis[0].n > 1 ? 0 : axis[1].n > 1 ? 1 : 2;
    if (!lies) to = compact(t->dense, kn->lanes, axis[0].r, axis[1].r, axis[2].r);
    for (int i = 2; i >= last; i--) {
        if (axis[i].n == 1 && i < 2) continue;
        filters next = compact(t->between[i % 2], kn->lanes, axis[0].n, i == 2 ? axis[1].n : axis[1].r, axis[2].r);
        if (i == last) next = to;
        pass(kn, kn->transform[CF_FILTER_ADJOINT][axis[i].n][axis[i].r], i, t->channels, &from, &next);
        from = next;
    }
    if (!lies) copy_taps(t, &to, 1);
}

/* Taps of so many channels, rows as lanes: packed[channel][tap][VL]. */
static void pack_taps(const cf_winograd_job *j, int64_t group, int64_t row0, int64_t rows, int64_t c0, int64_t channels,
                      void *packed)
{
    const cf_winograd_plan *p = j->p;
    int64_t together = p->w_red == p->vol ? channels : 1, size = j->kn->size, lanes = j->kn->lanes;
    const void *w = cf_at_const(j->w, group * p->w_group + row0 * p->w_row + c0 * p->w_red, size);
    const void *end = cf_at_const(j->w, j->plan->desc.groups * p->w_group, size);
    for (int64_t c = 0; c < channels; c += together)
        j->kn->pack(rows, together * p->vol, cf_at_const(w, c * p->w_red, size), p->w_row, 1, end,
                    cf_at(packed, c * p->vol * lanes, size), lanes);
}

/* Every piece of every phase, of one vector of rows, to U or from its gradient. */
static void each_piece(piece_job *t, void (*with)(const piece_job *t, filters in_u), int64_t c0, void *u)
{
    const cf_winograd_plan *p = t->j->p;
    const cf_pieces *d = &p->axis[0], *h = &p->axis[1], *w = &p->axis[2];
    int64_t size = t->j->kn->size;
    filters in_u = {NULL, p->ld, {h->n * w->n * p->u_plane, w->n * p->u_plane, p->u_plane}, {d->n, h->n, w->n}};
    for (int64_t f = 0; f < p->phases; f++) {
        int64_t fd = f / w->phases / h->phases, fh = f / w->phases % h->phases, fw = f % w->phases;
        for (int64_t a = 0; a < d->pieces[fd]; a++)
            for (int64_t b = 0; b < h->pieces[fh]; b++)
                for (int64_t c = 0; c < w->pieces[fw]; c++) {
                    int64_t piece = (a * h->most + b) * w->most + c;
                    t->piece[0] = &d->piece[fd][a], t->piece[1] = &h->piece[fh][b], t->piece[2] = &w->piece[fw][c];
                    in_u.at = cf_at(u, f * p->points * p->u_plane + (piece * p->u_piece + c0) * p->ld, size);
                    with(t, in_u);
                }
    }
}

static piece_job piece_job_of(const cf_winograd_job *j, int64_t channels, void *scratch)
{
    const cf_winograd_plan *p = j->p;
    int64_t lanes = j->kn->lanes, size = j->kn->size;
    const int64_t *kernel = j->plan->desc.kernel;
    piece_job t = {j, channels, {0}, {kernel[1] * kernel[2] * lanes, kernel[2] * lanes, lanes}, scratch, 0, {0}};
    t.dense = cf_at(t.packed, (channels * p->vol + 1) * lanes, size);
    t.between[0] = cf_at(t.dense, channels * taps_of(p) * lanes, size);
    t.between[1] = cf_at(t.between[0], channels * between_of(p) * lanes, size);
    return t;
}

void cf_winograd_filter(const cf_winograd_job *j, int64_t group, int64_t panel, int64_t c0, int64_t channels, void *u,
                        void *scratch)
{
    const cf_winograd_plan *p = j->p;
    int64_t vectors = cf_ceil_div(p->rows, j->kn->lanes), lanes = j->kn->lanes;
    int64_t v0 = cf_part(vectors, p->panels, panel), v1 = cf_part(vectors, p->panels, panel + 1);
    piece_job t = piece_job_of(j, channels, scratch);
    for (int64_t v = v0; v < v1; v++) {
        pack_taps(j, group, v * lanes, cf_min(lanes, p->rows - v * lanes), c0, channels, t.packed);
        each_piece(&t, transform_piece, c0, cf_at(u, (v - v0) * lanes, j->kn->size));
    }
}

void cf_winograd_filter_adjoint(const cf_winograd_job *j, int64_t group, int64_t panel, int64_t c0, int64_t channels,
                                void *u, void *scratch)
{
    const cf_winograd_plan *p = j->p;
    int64_t vectors = cf_ceil_div(p->rows, j->kn->lanes), lanes = j->kn->lanes, size = j->kn->size;
    int64_t v0 = cf_part(vectors, p->panels, panel), v1 = cf_part(vectors, p->panels, panel + 1);
    for (int64_t v = v0; v < v1; v++)
        for (int64_t c = 0; c < channels; c += p->channels) {
            piece_job t = piece_job_of(j, cf_min(p->channels, channels - c), scratch);
            each_piece(&t, gather_piece, c, cf_at(u, (v - v0) * lanes, size));
            int64_t at = group * p->w_group + v * lanes * p->w_row + (c0 + c) * p->vol;
            j->kn->unpack(cf_min(lanes, p->rows - v * lanes), t.channels * p->vol, t.packed, lanes, NULL,
                          cf_at(j->to.dst, at, size), p->w_row);
        }
}
