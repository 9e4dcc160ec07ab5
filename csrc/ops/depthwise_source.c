/* SPDX-License-Identifier: BSD-3-Clause */
/* Slabs of depthwise convolution; contract in depthwise_internal.h. */
#include "depthwise_internal.h"
#include "slice.h"

static cf_span *spans_of(const cf_depthwise_plan *p, void *workspace) { return cf_at(workspace, p->spans_at, 1); }

/* Of one copy, whose first real lies at `to`: a span a slice. */
static cf_span *put_spans(const cf_slab *s, const int64_t copy[3], int64_t to, cf_span *span)
{
    const cf_copies *c = s->copies;
    const cf_axis *d = &s->axis[0];
    int64_t at[2] = {0, 0}, len[2] = {s->block[1] + c[1].halo, s->pitch}, off[2];
    for (int i = 0; i < 2; i++) off[i] = c[i + 1].off0 + copy[i + 1] * c[i + 1].unit;
    cf_slice slice = cf_slice_of(&s->axis[1], at, len, off, s->row_stride);
    for (int64_t z = 0; z < s->block[0] + c[0].halo; z++, to += s->slice_stride) {
        int64_t depth = z * d->step + c[0].off0 + copy[0] * c[0].unit;
        if (depth < 0 || depth >= d->src || slice.h1 == slice.h0) *span++ = (cf_span){0};
        else
            *span++ =
                (cf_span){to + slice.h0 * slice.ld + slice.w0, depth * s->axis[1].src * s->axis[2].src + slice.from,
                          slice.h1 - slice.h0, slice.w1 - slice.w0, slice.row_step};
    }
    return span;
}

void cf_depthwise_prepare(const cf_conv_plan *plan, const cf_kernels *kn, void *workspace)
{
    const cf_depthwise_plan *p = &plan->depthwise;
    const cf_copies *c = p->slab.copies;
    int64_t copy[3], to = 0, slab = cf_depthwise_slab_bytes(p, kn);
    cf_span *span = spans_of(p, workspace);
    cf_depthwise_tables(p, kn->lanes, workspace);
    if (!p->spans) return;
    for (copy[0] = 0; copy[0] < c[0].copies; copy[0]++)
        for (copy[1] = 0; copy[1] < c[1].copies; copy[1]++)
            for (copy[2] = 0; copy[2] < c[2].copies; copy[2]++, to += p->slab.copy_size)
                span = put_spans(&p->slab, copy, to, span);
    for (int64_t t = 0; t < cf_min(plan->options.threads, p->units); t++)
        memset(cf_at(workspace, plan->thread_at + t * plan->thread_bytes, 1), 0, (size_t)slab);
}

static void pack_spans(const cf_depthwise_plan *p, const cf_kernels *kn, const void *plane, void *slab, void *workspace)
{
    const cf_span *span = spans_of(p, workspace);
    for (const cf_span *end = span + p->spans; span < end; span++)
        kn->gather_rows(cf_at(slab, span->to, kn->size), p->slab.row_stride, cf_at_const(plane, span->from, kn->size),
                        span->ld, span->rows, span->len, 0, span->len, p->slab.axis[2].step, 0);
}

const void *cf_depthwise_source(const cf_conv_plan *plan, const cf_kernels *kn, const cf_region *r, const void *src,
                                void *workspace, int thread)
{
    const cf_depthwise_plan *p = &plan->depthwise;
    const cf_slab *s = &p->slab;
    int64_t channels = plan->desc.groups * p->red, size = kn->size, plane = cf_slab_src_plane(s);
    int64_t first = (r->image * channels + r->channel) * plane;
    void *slab = cf_at(workspace, plan->thread_at + thread * plan->thread_bytes + p->lead * size, 1);
    if (p->in_place) {
        const int64_t stride[] = {s->slice_stride, s->row_stride, s->axis[2].step};
        for (int i = 0; i < 3; i++) first += r->at[i] * stride[i];
        return cf_at_const(src, first, size);
    }
    if (p->spans) {
        for (int64_t c = 0; c < p->red; c++)
            pack_spans(p, kn, cf_at_const(src, first + c * plane, size), cf_at(slab, c * s->channel_size, size),
                       workspace);
        return slab;
    }
    cf_region whole = *r;
    whole.len[2] = s->block[2];
    cf_slab_pack(s, kn, src, &plan->src, &whole, slab);
    return slab;
}
