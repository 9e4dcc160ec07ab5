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

/* Taps of one channel, packed together into scratch, go to the phases that they belong to. */
static void deal_taps(const panel_source *s, int64_t c, const void *taps_of_channel)
{
    const cf_correlate_plan *p = s->j->p;
    int64_t size = s->j->kn->size, before = 0, kh = p->slab.axis[1].taps, kw = p->slab.axis[2].taps;
    for (int64_t i = 0; i < p->phases; i++) {
        cf_phase ph[3];
        int64_t taps = cf_phases_of(p, i, ph);
        char *to = cf_at(packed_panel(s, i, before, taps), c * taps * s->mr, size);
        for (int64_t d = 0; d < ph[0].taps; d++)
            for (int64_t h = 0; h < ph[1].taps; h++)
                for (int64_t w = 0; w < ph[2].taps; w++, to += s->mr * size) {
                    int64_t td = ph[0].tap0 + d * ph[0].tap_step, th = ph[1].tap0 + h * ph[1].tap_step;
                    int64_t tap = (td * kh + th) * kw + ph[2].tap0 + w * ph[2].tap_step;
                    memcpy(to, cf_at_const(taps_of_channel, tap * s->mr, size), (size_t)(s->mr * size));
                }
        before += taps;
    }
}

void cf_pack_weights_task(void *ctx, int64_t task, int thread)
{
    const cf_correlate_job *j = ctx;
    const cf_correlate_plan *p = j->p;
    const cf_kernels *kn = j->kn;
    panel_source s = {.j = j, .panel = task % p->panels, .pass = task / p->panels % p->passes};
    s.group = task / p->panels / p->passes;
    s.c0 = cf_red_begin(p, s.pass);
    s.channels = cf_red_begin(p, s.pass + 1) - s.c0;
    int64_t r0 = cf_row_begin(p, s.panel), count = j->plan->desc.groups * p->w_group;
    s.mr = cf_row_begin(p, s.panel + 1) - r0;
    s.from = cf_at_const(j->w, s.group * p->w_group + s.c0 * p->w_red + r0 * p->w_row, kn->size);
    s.end = cf_at_const(j->w, count, kn->size);
    if (p->phases == 1 && p->vol == 1) {
        kn->pack(s.mr, s.channels, s.from, p->w_row, p->w_red, s.end, packed_panel(&s, 0, 0, 1), s.mr);
    } else if (p->phases == 1 && p->w_red == p->vol) {
        kn->pack(s.mr, s.channels * p->vol, s.from, p->w_row, 1, s.end, packed_panel(&s, 0, 0, p->vol), s.mr);
    } else {
        void *scratch = cf_at(j->thread_base, thread, j->plan->thread_bytes);
        for (int64_t c = 0; c < s.channels; c++) {
            const void *channel = cf_at_const(s.from, c * p->w_red, kn->size);
            kn->pack(s.mr, p->vol, channel, p->w_row, 1, s.end, scratch, s.mr);
            deal_taps(&s, c, scratch);
        }
    }
}

/* koff: [phase][channel of a pass][tap], in the order of the packed weights. */
void cf_fill_offsets(const cf_correlate_job *j)
{
    const cf_correlate_plan *p = j->p;
    int32_t *koff = j->koff;
    for (int64_t i = 0; i < p->phases; i++) {
        cf_phase ph[3];
        int64_t taps = cf_phases_of(p, i, ph);
        cf_slab_offsets(&p->slab, ph, p->red_block, koff);
        koff += p->red_block * taps;
    }
    for (int64_t c = 0; p->straight && c < p->red_block; c++)
        j->straight_koff[c] = (int32_t)(c * cf_slab_src_plane(&p->slab));
}
