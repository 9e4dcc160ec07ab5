/* SPDX-License-Identifier: BSD-3-Clause */
/* Layout and packing of slabs; contract in slab.h. */
#include "slab.h"
#include "blocking.h"
#include "../core/kernels.h"
#include "slice.h"

void cf_slab_axes(cf_slab *s, int adjoint, const int64_t in[3], const int64_t out[3], const int64_t kernel[3],
                  const int64_t stride[3], const int64_t dil[3], const int64_t pad[3])
{
    for (int i = 0; i < 3; i++) s->axis[i] = cf_axis_of(adjoint, in[i], out[i], kernel[i], stride[i], dil[i], pad[i]);
    cf_merge_plain_axes(s->axis);
    for (int i = 0; i < 3; i++) s->points[i] = cf_axis_points(&s->axis[i]);
}

int64_t cf_slab_phases(const cf_slab *s, int64_t index, cf_phase ph[3])
{
    int64_t taps = 1;
    for (int i = 2; i >= 0; i--) {
        ph[i] = cf_axis_phase(&s->axis[i], index % s->axis[i].dstep);
        taps *= ph[i].taps;
        index /= s->axis[i].dstep;
    }
    return taps;
}

cf_copies cf_slab_copies(const cf_axis *a, int64_t block)
{
    cf_copies shared = cf_axis_copies(a, 0), expanded = cf_axis_copies(a, 1);
    return expanded.copies * block <= shared.copies * (block + shared.halo) ? expanded : shared;
}

void cf_slab_layout(cf_slab *s, const cf_kernels *kn)
{
    const cf_copies *c = s->copies;
    s->pitch = s->block[2] + c[2].halo;
    s->row_stride = s->images * s->pitch;
    s->slice_stride = (s->block[1] + c[1].halo) * s->row_stride;
    s->copy_size = (s->block[0] + c[0].halo) * s->slice_stride;
    s->channel_size = cf_odd_lines(c[0].copies * c[1].copies * c[2].copies * s->copy_size, kn->size);
}

int64_t cf_slab_blocks(const cf_slab *s, int axis) { return cf_ceil_div(s->points[axis], s->block[axis]); }

int64_t cf_slab_all_blocks(const cf_slab *s)
{
    return cf_slab_blocks(s, 0) * cf_slab_blocks(s, 1) * cf_slab_blocks(s, 2);
}

void cf_slab_block(const cf_slab *s, int64_t index, cf_region *r)
{
    for (int i = 2; i >= 0; i--) {
        r->at[i] = index % cf_slab_blocks(s, i) * s->block[i];
        r->len[i] = cf_min(s->block[i], s->points[i] - r->at[i]);
        index /= cf_slab_blocks(s, i);
    }
}

int64_t cf_slab_lanes(const cf_slab *s, int64_t rows, int64_t width)
{
    return (rows * s->images - 1) * s->pitch + width;
}

int cf_slab_rows_adjoin(const cf_slab *s)
{
    return s->block[1] == 1 || (s->copies[2].halo == 0 && s->block[2] == s->points[2]);
}

typedef struct {
    const cf_slab *s;
    const cf_kernels *kn;
    const cf_region *r;
    const cf_layout *layout;
} packing;

static cf_slice slice_of(const packing *p, int64_t copy_h, int64_t copy_w)
{
    const cf_copies *h = &p->s->copies[1], *w = &p->s->copies[2];
    int64_t len[2] = {p->r->len[1] + h->halo, p->r->len[2] + w->halo};
    int64_t off[2] = {h->off0 + copy_h * h->unit, w->off0 + copy_w * w->unit};
    return cf_slice_of(&p->s->axis[1], p->r->at + 1, len, off, p->s->row_stride);
}

/* The slices of all channels, whose points hold them side by side. */
static void transpose_slice(const packing *p, const cf_slice *s, const void *plane, void *to)
{
    int64_t size = p->kn->size, point = p->layout->point, channels = p->r->channels;
    int whole = s->h0 == 0 && s->h1 == s->height && s->w0 == 0 && s->w1 == s->width;
    for (int64_t c = 0; c < channels && !whole; c++)
        p->kn->gather_rows(cf_at(to, c * p->s->channel_size, size), s->ld, NULL, 0, s->height, s->width, 0, 0, 1, 0);
    for (int64_t y = s->h0; y < s->h1; y++)
        p->kn->transpose(s->w1 - s->w0, channels,
                         cf_at_const(plane, (s->from + (y - s->h0) * s->row_step) * point, size),
                         s->column_step * point, cf_at(to, y * s->ld + s->w0, size), p->s->channel_size);
}

static void copy_slices(const packing *p, const cf_slice *s, int64_t copy_d, const void *channel, void *to)
{
    const cf_axis *d = &p->s->axis[0];
    const cf_copies *copies = &p->s->copies[0];
    int64_t src_slice = p->s->axis[1].src * p->s->axis[2].src * p->layout->point, size = p->kn->size;
    for (int64_t z = 0; z < p->r->len[0] + copies->halo; z++) {
        int64_t at = (p->r->at[0] + z) * d->step + copies->off0 + copy_d * copies->unit;
        cf_slice slice = *s;
        if (at < 0 || at >= d->src) slice.h1 = slice.h0;
        for (int64_t n = 0; n < p->r->images; n++) {
            int64_t from = n * p->layout->image + (slice.h1 > slice.h0 ? at * src_slice : 0);
            const void *plane = cf_at_const(channel, from, size);
            void *place = cf_at(to, z * p->s->slice_stride + n * p->s->pitch, size);
            if (p->layout->point == 1) cf_copy_slice(p->kn, &slice, plane, place);
            else transpose_slice(p, &slice, plane, place);
        }
    }
}

void cf_slab_pack(const cf_slab *s, const cf_kernels *kn, const void *src, const cf_layout *layout, const cf_region *r,
                  void *slab)
{
    const cf_copies *copies = s->copies;
    int64_t size = kn->size, first = r->image * layout->image + r->channel * layout->channel;
    int64_t channels = layout->point == 1 ? r->channels : cf_min(1, r->channels); /* that are not copied together */
    packing p = {s, kn, r, layout};
    for (int64_t h = 0; h < copies[1].copies; h++)
        for (int64_t w = 0; w < copies[2].copies; w++) {
            cf_slice slice = slice_of(&p, h, w);
            for (int64_t c = 0; c < channels; c++)
                for (int64_t d = 0; d < copies[0].copies; d++) {
                    int64_t copy = (d * copies[1].copies + h) * copies[2].copies + w;
                    copy_slices(&p, &slice, d, cf_at_const(src, first + c * layout->channel, size),
                                cf_at(slab, c * s->channel_size + copy * s->copy_size, size));
                }
        }
}

static int64_t offset_of(const cf_slab *s, const cf_phase ph[3], const int64_t tap[3])
{
    const cf_copies *c = s->copies;
    int64_t copy[3], shift[3];
    for (int i = 0; i < 3; i++)
        copy[i] = cf_copy_of(&c[i], ph[i].off0 + tap[i] * ph[i].off_step, s->axis[i].step, &shift[i]);
    int64_t which = (copy[0] * c[1].copies + copy[1]) * c[2].copies + copy[2];
    return which * s->copy_size + shift[0] * s->slice_stride + shift[1] * s->row_stride + shift[2];
}

void cf_slab_offsets(const cf_slab *s, const cf_phase ph[3], int64_t channels, int64_t inner, int32_t *koff)
{
    int64_t tap[3], t = 0;
    for (tap[0] = 0; tap[0] < ph[0].taps; tap[0]++)
        for (tap[1] = 0; tap[1] < ph[1].taps; tap[1]++)
            for (tap[2] = 0; tap[2] < ph[2].taps; tap[2]++, t++) {
                int64_t at = t / inner * channels * inner + t % inner, offset = offset_of(s, ph, tap);
                for (int64_t c = 0; c < channels; c++) koff[at + c * inner] = (int32_t)(offset + c * s->channel_size);
            }
}
