/* SPDX-License-Identifier: BSD-3-Clause */
/* Plan of convolution in groups of very few channels: which problems those are, and how they are cut into tasks. */
#include "depthwise_internal.h"

/* Groups of more channels share vectors of the source between them in the register tile. */
enum { CHANNELS_MAX = 2 };

/* Bytes of slab that stay in L1 beside the rows that are written, and that a block may have at all. */
enum { SLAB_IN_L1 = 20 * 1024, SLAB_BYTES_MAX = 192 * 1024 };

/* Parts of all groups in backward-weights, where there are fewer groups: enough for any number of threads. */
enum { PARTS = 64, CUTS_TRIED = 64 };

int cf_is_depthwise(const cf_conv_desc *d)
{
    return d->ic / d->groups <= CHANNELS_MAX && d->oc / d->groups <= CHANNELS_MAX;
}

/* Whether no tap of any point reads outside the source, nor between the points of others. */
static int axis_is_inside(const cf_depthwise_plan *p, int i)
{
    const cf_axis *a = &p->slab.axis[i];
    cf_copies c = cf_axis_copies(a, 0);
    return a->step == 1 && c.off0 >= 0 && c.off0 + p->slab.points[i] + c.halo <= a->src;
}

static int is_inside(const cf_depthwise_plan *p, int64_t lanes)
{
    for (int i = 0; i < 3; i++)
        if (!axis_is_inside(p, i)) return 0;
    return p->folded ? p->slab.points[2] % lanes == 0 : p->slab.points[2] >= lanes;
}

/* Rows of the slab are whole vectors, so that packing writes nothing else. */
static void lay_out(cf_depthwise_plan *p, const cf_kernels *kn, int64_t width)
{
    cf_slab *s = &p->slab;
    const cf_axis *a = s->axis;
    s->copies[0] = cf_slab_copies(&a[0], s->block[0]);
    s->copies[1] = cf_slab_copies(
        &a[1], s->points[1]); /* not of the block: rows that share decide in which order terms are added */
    s->copies[2] = cf_axis_copies(&a[2], 0);
    int64_t halo = s->copies[2].halo;
    s->block[2] = p->in_place ? width : cf_round_up(width + halo, kn->lanes) - halo;
    cf_slab_layout(s, kn);
    if (!p->in_place) return;
    for (int i = 0; i < 2; i++) s->copies[i] = cf_axis_copies(&a[i], 0);
    s->row_stride = a[1].step * a[2].src;
    s->slice_stride = a[0].step * a[1].src * a[2].src;
    s->channel_size = cf_slab_src_plane(s);
}

/* Columns of taps that a vector of all rows of a strip meets where it is read in place and tells what is inside. */
static double columns_at_edges(const cf_depthwise_plan *p, int64_t lanes)
{
    const cf_slab *s = &p->slab;
    const cf_axis *a = s->axis;
    int64_t classes = cf_min(a[1].taps, a[1].step * a[1].dstep);
    int64_t pieces = classes * cf_ceil_div(cf_ceil_div(a[1].taps, classes), CF_HEIGHT_MAX);
    double within = 1;
    for (int i = 1; i < 3; i++) {
        int64_t parts = cf_ceil_div(s->points[i], i == 1 ? p->strip_rows : lanes);
        if (!axis_is_inside(p, i)) within *= (double)cf_max(0, parts - 2) / (double)parts;
    }
    return (double)(p->red * a[0].taps * pieces * a[2].taps) * (1 - within);
}

/* Estimated cycles of a block: 0.7 a product of vectors, 2.5 a vector that is packed, twice that where it leaves L1, 4 a column at
 * the edges, and 300 a block. */
static double block_cost(const cf_depthwise_plan *p, const cf_kernels *kn)
{
    const cf_slab *s = &p->slab;
    double lanes = (double)kn->lanes, vectors = (double)cf_ceil_div(cf_min(s->block[2], s->points[2]), kn->lanes);
    double products = (double)(s->block[0] * s->block[1] * p->rows * p->red * p->vol) * vectors;
    double packed = p->in_place ? 0 : (double)(p->red * s->channel_size) / lanes;
    double pack = p->red * s->channel_size * kn->size > SLAB_IN_L1 ? 5 : 2.5;
    double strips = (double)(s->block[0] * cf_ceil_div(s->block[1], p->strip_rows) * p->rows) * vectors;
    double edges = p->edges ? columns_at_edges(p, kn->lanes) * strips : 0;
    return 300 + 0.7 * products + pack * packed + 4 * edges;
}

/* The cheapest block of whole rows, `width` points each; with more threads than tasks, smaller ones. */
static double choose_rows(cf_depthwise_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int64_t width, int threads)
{
    cf_depthwise_plan best = *p;
    double least = 1e300;
    for (int64_t i = 1; i <= cf_min(CUTS_TRIED, p->slab.points[0]); i++)
        for (int64_t j = 1; j <= cf_min(CUTS_TRIED, p->slab.points[1]); j++) {
            p->slab.block[0] = cf_ceil_div(p->slab.points[0], i);
            p->slab.block[1] = cf_ceil_div(p->slab.points[1], j);
            lay_out(p, kn, width);
            p->blocks = cf_slab_all_blocks(&p->slab);
            p->units = d->n * d->groups * p->blocks;
            double cost = block_cost(p, kn) * (double)cf_ceil_div(p->units, threads);
            if (p->red * p->slab.channel_size * kn->size > SLAB_BYTES_MAX && !p->in_place) cost *= 8;
            if (cost < least) {
                least = cost;
                best = *p;
            }
        }
    *p = best;
    return least;
}

/* Whole rows, or fewer columns where a slab of them is too large or threads would have nothing to do. */
static double choose_block(cf_depthwise_plan *p, const cf_conv_desc *d, const cf_kernels *kn, int threads)
{
    cf_depthwise_plan best = *p;
    double least = 1e300;
    for (int64_t n = 1; n <= CUTS_TRIED; n *= 2) {
        int64_t width = cf_round_up(cf_ceil_div(p->slab.points[2], n), kn->lanes);
        if (n > 1 && width < 8 * kn->lanes) break;
        int64_t rest = p->slab.points[2] % width; /* of the last block, which is read in whole vectors */
        if (n > 1 && p->in_place && !p->edges && 0 < rest && rest < kn->lanes) continue;
        double cost = choose_rows(p, d, kn, n == 1 ? p->slab.points[2] : width, threads);
        if (cost < least) {
            least = cost;
            best = *p;
        }
    }
    *p = best;
    return least;
}

/* In place with its edges, or from where no tap reads outside: the source itself, or a slab.  The same for any number of threads,
 * since slabs that hold several copies of a row have other rows that share, and terms in another order. */
static void choose_source(cf_depthwise_plan *p, const cf_conv_desc *d, const cf_kernels *kn)
{
    p->in_place = is_inside(p, kn->lanes);
    if (p->in_place || p->folded || p->slab.axis[2].step > CF_LANE_STEP_MAX) return;
    cf_depthwise_plan slab = *p, place = *p;
    place.edges = place.in_place = 1;
    p->edges = p->in_place = choose_block(&place, d, kn, 1) < choose_block(&slab, d, kn, 1);
}

/* Slabs of whole planes differ only in what lies inside the source. */
static void choose_spans(cf_depthwise_plan *p, int64_t lanes)
{
    const cf_slab *s = &p->slab;
    const cf_copies *c = s->copies;
    if (p->in_place || p->blocks > 1) return;
    p->spans = c[0].copies * c[1].copies * c[2].copies * (s->block[0] + c[0].halo);
    p->lead = cf_round_up(cf_max(0, -c[2].off0), lanes) + c[2].off0;
    if (s->axis[2].step > 1 || c[2].off0 > 0) p->lead = 0;
}

static void choose_kernels(cf_depthwise_plan *p, const cf_kernels *kn)
{
    for (int64_t mr = 1; mr <= CF_STRIP_MAX && kn->strip[1][mr]; mr++) p->strip_rows = mr;
    for (int64_t height = 1; height <= CF_HEIGHT_MAX; height++)
        for (int64_t columns = 1; columns <= CF_COLUMNS_MAX && kn->sums[height][columns]; columns++)
            p->sum_columns[height] = columns;
}

static void take_workspace(cf_conv_plan *plan, const cf_kernels *kn)
{
    cf_depthwise_plan *p = &plan->depthwise;
    int weights = plan->pass == CF_BACKWARD_WEIGHTS;
    int64_t size = kn->size, taps = p->red * p->vol, used = 0, channels = plan->desc.groups * p->rows;
    p->phases_at = cf_take(&used, p->phases * (int64_t)sizeof(cf_depthwise_phase));
    p->pieces_at = cf_take(&used, taps * (int64_t)sizeof(cf_piece));
    p->columns_at = cf_take(&used, taps * (int64_t)sizeof(cf_column));
    plan->prepared_bytes = weights ? 0 : channels * taps * size;
    plan->acc_at = cf_take(&used, weights ? channels * p->parts * taps * kn->lanes * size : 0);
    p->spans_at = cf_take(&used, p->spans * (int64_t)sizeof(cf_span));
    int64_t buffer = p->slab.axis[2].dstep * p->slab.block[1] * p->buffer_ld;
    plan->thread_bytes = cf_depthwise_slab_bytes(p, kn);
    p->buffer_at = cf_take(&plan->thread_bytes, buffer * size);
    p->inside_at = cf_take(&plan->thread_bytes, weights ? 0 : taps * (int64_t)sizeof(uint32_t));
    plan->thread_at = cf_take(&used, plan->thread_bytes * plan->options.threads);
    plan->workspace_bytes = used;
}

cf_status cf_depthwise_plan_init(cf_conv_plan *plan, const cf_kernels *kn)
{
    const cf_conv_desc *d = &plan->desc;
    int adjoint = plan->pass == CF_BACKWARD_DATA, weights = plan->pass == CF_BACKWARD_WEIGHTS;
    int64_t ic = d->ic / d->groups, oc = d->oc / d->groups, vol = cf_volume(d->kernel);
    cf_depthwise_plan *p = &plan->depthwise;
    *p = (cf_depthwise_plan){.rows = adjoint ? ic : oc, .red = adjoint ? oc : ic, .vol = vol, .phases = 1};
    p->w_group = ic * oc * vol;
    p->w_row = adjoint ? vol : ic * vol;
    p->w_red = adjoint ? ic * vol : vol;
    p->slab.images = 1;
    cf_slab_axes(&p->slab, adjoint, d->in, d->out, d->kernel, d->stride, d->dil, d->pad);
    for (int i = 0; i < 3; i++) p->phases *= p->slab.axis[i].dstep;
    p->folded = p->slab.points[1] == 1 && p->slab.axis[1].taps == 1;
    choose_kernels(p, kn);
    if (weights) p->in_place = is_inside(p, kn->lanes);
    else choose_source(p, d, kn);
    choose_block(p, d, kn, weights ? 1 : plan->options.threads);
    p->lane_step = p->edges ? p->slab.axis[2].step : 1;
    if (p->w_group >= INT32_MAX) return CF_TOO_LARGE;
    p->parts = cf_min(p->units / d->groups, cf_ceil_div(PARTS, d->groups));
    if (p->slab.axis[2].dstep > 1) p->buffer_ld = cf_round_up(p->slab.block[2], kn->lanes);
    choose_spans(p, kn->lanes);
    take_workspace(plan, kn);
    return CF_OK;
}
