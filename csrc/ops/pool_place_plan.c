/* SPDX-License-Identifier: BSD-3-Clause */
/* Plan of max pooling with places: boxes, and how scratch memory is cut up. */
#include "blocking.h"
#include "pool_internal.h"

/* Reals of the lines of a box in one slice, and of the results of all its slices: parts of L1 and of L2. */
enum { CF_LINES = 4096, CF_SLICES = 32768 };

int cf_pool_is_plain(const cf_pool_desc *d, int i)
{
    return d->kernel[i] == 1 && d->stride[i] == 1 && d->pad[i] == 0 && d->in[i] == d->out[i];
}

static void join_planes(cf_pool_desc *d)
{
    if (!cf_pool_is_plain(d, 0)) return;
    int64_t slices = d->planes * d->in[0];
    int rows = cf_pool_is_plain(d, 1);
    d->planes = 1;
    d->in[0] = d->out[0] = rows ? 1 : slices;
    if (rows) d->in[1] = d->out[1] = slices * d->in[1];
}

static int64_t span_of(const cf_pool_desc *d, int i) { return (d->kernel[i] - 1) * d->dil[i] + 1; }

/* Input points under the windows of n output points; output points with at most n under their windows, at least one. */
static int64_t under(const cf_pool_desc *d, int i, int64_t n)
{
    return cf_min(d->in[i], (n - 1) * d->stride[i] + span_of(d, i));
}
static int64_t above(const cf_pool_desc *d, int i, int64_t n)
{
    return cf_min(d->out[i], cf_max(0, n - span_of(d, i)) / d->stride[i] + 1);
}

static void cut(cf_place_plan *p, int64_t lanes)
{
    const cf_pool_desc *d = &p->desc;
    p->box[2] = cf_min(d->out[2], CF_LINES);
    p->ld = cf_round_up(p->box[2], lanes);
    p->box[1] = above(d, 1, CF_LINES / p->ld);
    p->rows = under(d, 1, p->box[1]);
    p->box[0] = above(d, 0, cf_pool_is_plain(d, 0) ? 1 : CF_SLICES / (p->box[1] * p->ld));
    p->slices = under(d, 0, p->box[0]);
    for (int i = 0; i < 3; i++) p->boxes[i] = cf_ceil_div(d->out[i], p->box[i]);
}

static void lay_out(cf_place_plan *p)
{
    const cf_pool_desc *d = &p->desc;
    int64_t used = 0, size = d->dtype == CF_F64 ? 8 : 4;
    for (int i = 0; i < 2; i++) p->off_at[i] = cf_take(&used, d->kernel[i] * (int64_t)sizeof(int64_t));
    p->scratch_at = used;
    int64_t results = (p->rows + (p->slices + p->box[0]) * p->box[1]) * p->ld;
    p->scratch_bytes = cf_round_up(results * (size + 1), CF_ALIGN);
    p->workspace_bytes = used + p->scratch_bytes * p->options.threads;
}

cf_status cf_place_plan_init(cf_place_plan *p, const cf_pool_desc *desc, const cf_options *options)
{
    const cf_kernels *kn = cf_kernels_for(options->isa, desc->dtype);
    if (!kn || desc->adaptive || cf_volume(desc->kernel) > CF_PLACE_NOWHERE) return CF_UNSUPPORTED;
    *p = (cf_place_plan){.desc = *desc, .options = *options};
    cf_pool_desc *d = &p->desc;
    if (d->planes == 0) return CF_OK;
    if ((double)d->planes * (double)cf_max(cf_volume(d->in), cf_volume(d->out)) < CF_SERIAL_WORK)
        p->options.threads = 1;
    join_planes(d);
    for (int64_t q = 0; q < d->out[2]; q++) p->gaps |= cf_pool_window(d, 2, q).count == 0;
    cut(p, kn->lanes);
    lay_out(p);
    return CF_OK;
}
