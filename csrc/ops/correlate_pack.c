/* SPDX-License-Identifier: BSD-3-Clause */
/* Packing for forward and backward-data: weights into panels, source into slabs, and the table that ties them. */
#include "conv_internal.h"

/* Each panel of each phase is followed by a vector of slack, since the packer stores whole vectors. */
int64_t cf_packed_group_size(const cf_correlate_plan *p, int64_t lanes)
{
    return p->rows * p->red * p->vol + p->passes * p->phases * p->panels * lanes;
}

int64_t cf_packed_at(const cf_correlate_plan *p, int64_t lanes, int64_t group, int64_t pass, int64_t phase,
                     int64_t taps_before, int64_t taps, int64_t panel)
{
    int64_t c0 = cf_red_begin(p, pass), channels = cf_red_begin(p, pass + 1) - c0;
    int64_t before = p->rows * (c0 * p->vol + channels * taps_before) + cf_row_begin(p, panel) * channels * taps;
    return group * cf_packed_group_size(p, lanes) + before + ((pass * p->phases + phase) * p->panels + panel) * lanes;
}

typedef struct {
    const cf_correlate_job *j;
    int64_t group, pass, panel, c0, channels, mr;
    const void *from, *end;
} panel_source;

static void *packed_panel(const panel_source *s, int64_t phase, int64_t before, int64_t taps)
{
    const cf_correlate_job *j = s->j;
    int64_t at = cf_packed_at(j->p, j->kn->lanes, s->group, s->pass, phase, before, taps, s->panel);
    return cf_at(j->packed, at, j->kn->size);
}

/* Taps of channels [c, c + channels), packed together into scratch, go to their places in a phase; a row of taps at once where
 * they lie together. */
static void deal_phase(const panel_source *s, const cf_phase ph[3], int64_t c, int64_t channels, const void *scratch,
                       void *panel)
{
    const cf_correlate_plan *p = s->j->p;
    const cf_kernels *kn = s->j->kn;
    int64_t kh = p->slab.axis[1].taps, kw = p->slab.axis[2].taps, inner = cf_inner_taps(p, ph);
    int64_t together = ph[2].tap_step == 1 ? ph[2].taps : 1;
    for (int64_t d = 0; d < ph[0].taps; d++)
        for (int64_t h = 0; h < ph[1].taps; h++)
            for (int64_t w = 0; w < ph[2].taps; w += together) {
                int64_t td = ph[0].tap0 + d * ph[0].tap_step, th = ph[1].tap0 + h * ph[1].tap_step;
                int64_t tap = (td * kh + th) * kw + ph[2].tap0 + w * ph[2].tap_step;
                int64_t t = (d * ph[1].taps + h) * ph[2].taps + w;
                int64_t term = (t / inner * s->channels + c) * inner + t % inner;
                kn->scatter_rows(cf_at(panel, term * s->mr, kn->size), inner * s->mr, 1,
                                 cf_at_const(scratch, tap * s->mr, kn->size), p->vol * s->mr, channels,
                                 together * s->mr);
            }
}

static void deal_taps(const panel_source *s, int64_t c, int64_t channels, const void *scratch)
{
    int64_t before = 0;
    for (int64_t i = 0; i < s->j->p->phases; i++) {
        cf_phase ph[3];
        int64_t taps = cf_slab_phases(&s->j->p->slab, i, ph);
        deal_phase(s, ph, c, channels, scratch, packed_panel(s, i, before, taps));
        before += taps;
    }
}

/* dst (channel, tap, row of the panel), channels [c, c + channels) */
static void pack_channels(const panel_source *s, int64_t c, int64_t channels, void *dst)
{
    const cf_correlate_plan *p = s->j->p;
    const cf_kernels *kn = s->j->kn;
    const void *from = cf_at_const(s->from, c * p->w_red, kn->size);
    if (p->vol == 1 || p->w_red == p->vol)
        kn->pack(s->mr, channels * p->vol, from, p->w_row, p->vol == 1 ? p->w_red : 1, s->end, dst, s->mr);
    else
        for (int64_t i = 0; i < channels; i++)
            kn->pack(s->mr, p->vol, cf_at_const(from, i * p->w_red, kn->size), p->w_row, 1, s->end,
                     cf_at(dst, i * p->vol * s->mr, kn->size), s->mr);
}

static panel_source source_of(const cf_correlate_job *j, int64_t group, int64_t pass, int64_t panel)
{
    const cf_correlate_plan *p = j->p;
    panel_source s = {.j = j, .group = group, .pass = pass, .panel = panel, .c0 = cf_red_begin(p, pass)};
    int64_t r0 = cf_row_begin(p, panel), size = j->kn->size;
    s.channels = cf_red_begin(p, pass + 1) - s.c0;
    s.mr = cf_row_begin(p, panel + 1) - r0;
    s.from = cf_at_const(j->w, group * p->w_group + s.c0 * p->w_red + r0 * p->w_row, size);
    s.end = cf_at_const(j->w, j->plan->desc.groups * p->w_group, size);
    return s;
}

/* Rows that lie side by side: lines hold parts of several panels, and channels may lie a power of two apart, thus in few sets
 * of a cache.  So a few channels go to all panels. */
enum { CHANNELS = 8 };

static int rows_adjoin(const cf_correlate_plan *p) { return p->w_row == 1 && p->phases == 1; }

static int64_t chunks_of(const cf_correlate_plan *p)
{
    return rows_adjoin(p) ? cf_ceil_div(p->red_block, CHANNELS) : p->panels;
}

static void pack_chunk(const cf_correlate_job *j, int64_t group, int64_t pass, int64_t chunk)
{
    for (int64_t panel = 0; panel < j->p->panels; panel++) {
        panel_source s = source_of(j, group, pass, panel);
        int64_t c = chunk * CHANNELS, channels = cf_min(CHANNELS, s.channels - c);
        if (channels <= 0) return;
        void *to = cf_at(packed_panel(&s, 0, 0, 1), c * s.mr, j->kn->size);
        j->kn->pack(s.mr, channels, cf_at_const(s.from, c * j->p->w_red, j->kn->size), 1, j->p->w_red, s.end, to, s.mr);
    }
}

int64_t cf_pack_weights_tasks(const cf_conv_plan *plan)
{
    return plan->desc.groups * plan->correlate.passes * chunks_of(&plan->correlate);
}

void cf_pack_weights_task(void *ctx, int64_t task, int thread)
{
    const cf_correlate_job *j = ctx;
    const cf_correlate_plan *p = j->p;
    int64_t chunk = task % chunks_of(p), pass = task / chunks_of(p) % p->passes,
            group = task / chunks_of(p) / p->passes;
    if (rows_adjoin(p)) {
        pack_chunk(j, group, pass, chunk);
        return;
    }
    panel_source s = source_of(j, group, pass, chunk);
    int64_t outer = p->slab.axis[0].taps * (p->rows_apart ? p->slab.axis[1].taps : 1), together = cf_deal_channels(p);
    if (p->phases == 1 && (outer == 1 || s.channels == 1)) {
        pack_channels(&s, 0, s.channels, packed_panel(&s, 0, 0, p->vol));
        return;
    }
    void *scratch = cf_at(j->thread_base, thread, j->plan->thread_bytes);
    for (int64_t c = 0; c < s.channels; c += together) {
        int64_t channels = cf_min(together, s.channels - c);
        pack_channels(&s, c, channels, scratch);
        deal_taps(&s, c, channels, scratch);
    }
}

/* Offsets of all phases for passes of so many channels. */
static void fill_offsets(const cf_correlate_plan *p, const cf_slab *slab, int64_t channels, int32_t *koff)
{
    for (int64_t i = 0; i < p->phases; i++) {
        cf_phase ph[3];
        int64_t taps = cf_slab_phases(&p->slab, i, ph);
        cf_slab_offsets(slab, ph, channels, cf_inner_taps(p, ph), koff);
        koff += channels * taps;
    }
}

/* The source itself, as if it were a slab of all channels: no axis has copies, a depth tap is a shift by slices. */
static cf_slab source_as_slab(const cf_slab *s)
{
    cf_slab source = *s;
    source.copies[0] = (cf_copies){0, 1, 1, 1, 0};
    source.slice_stride = s->axis[1].src * s->axis[2].src;
    source.channel_size = cf_slab_src_plane(s);
    return source;
}

void cf_fill_offsets(const cf_correlate_job *j)
{
    const cf_correlate_plan *p = j->p;
    cf_slab source = source_as_slab(&p->slab);
    for (int64_t channels = p->red_block; channels >= p->red / p->passes; channels--) {
        fill_offsets(p, &p->slab, channels, j->koff + cf_koff_at(p, channels));
        if (p->straight) fill_offsets(p, &source, channels, j->straight_koff + cf_koff_at(p, channels));
    }
}
