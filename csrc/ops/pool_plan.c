/* SPDX-License-Identifier: BSD-3-Clause */
/* Plan of a pooling problem: its simplest form, and how it is cut into tasks. */
#include "blocking.h"
#include "pool.h"
#include "pool_internal.h"

/* Reals of the lines of a task: with their indices, half of a 32 KB L1 in float.  Windows too wide for that get a line
 * with at least CF_COLUMNS points, which keeps the loops along it long. */
enum { CF_LINES = 2048, CF_COLUMNS = 64 };

/* Planes side by side: as many as a vector has lanes at most. */
enum { CF_GROUP = 16 };

cf_window cf_pool_window(const cf_pool_desc *d, int axis, int64_t o)
{
    int64_t in = d->in[axis], out = d->out[axis], step = d->dil[axis];
    if (d->adaptive) return (cf_window){o * in / out, cf_ceil_div((o + 1) * in, out) - o * in / out};
    int64_t start = o * d->stride[axis] - d->pad[axis], end = cf_min(start + (d->kernel[axis] - 1) * step + 1, in);
    if (start < 0) start += cf_ceil_div(-start, step) * step;
    return (cf_window){start, cf_max(0, cf_ceil_div(end - start, step))};
}

int64_t cf_pool_alike(const cf_pool_desc *d, int axis, int64_t o, int64_t end)
{
    int64_t top = o * d->stride[axis] - d->pad[axis], bottom = d->in[axis] - (d->kernel[axis] - 1) * d->dil[axis] - 1;
    return d->adaptive || top < 0 || top > bottom ? 1 : cf_min(end - o, (bottom - top) / d->stride[axis] + 1);
}

int64_t cf_pool_points(const cf_pool_desc *d, int axis, int64_t o)
{
    if (d->adaptive || !d->count_pad) return cf_pool_window(d, axis, o).count;
    int64_t start = o * d->stride[axis] - d->pad[axis];
    return cf_min(start + d->kernel[axis], d->in[axis] + d->pad_hi[axis]) - start;
}

/* Adaptive windows of one size are plain ones. */
static void make_plain(cf_pool_desc *d)
{
    for (int i = 0; i < 3; i++)
        if (d->in[i] % d->out[i]) return;
    d->adaptive = 0;
    for (int i = 0; i < 3; i++) d->kernel[i] = d->stride[i] = d->in[i] / d->out[i];
}

static int is_whole(const cf_pool_desc *d, int i)
{
    return d->out[i] == 1 && d->kernel[i] == d->in[i] && d->dil[i] == 1 && d->pad[i] == 0 && d->pad_hi[i] == 0;
}

/* Axes that one window covers are one long row. */
static void merge_whole_axes(cf_pool_desc *d)
{
    for (int i = 1; i >= 0 && is_whole(d, i) && is_whole(d, 2); i--) {
        d->in[2] = d->kernel[2] = d->stride[2] = d->in[2] * d->in[i];
        d->in[i] = d->kernel[i] = d->stride[i] = 1;
    }
}

/* Planes whose windows do not cross their ends, nor each other's rows, are rows of one plane where no index tells
 * planes apart.  Whether that was so. */
static int join_planes(cf_pool_desc *d)
{
    int64_t span = (d->kernel[1] - 1) * d->dil[1] + 1;
    if (d->in[0] != 1 || d->out[0] != 1 || d->kernel[0] != 1 || d->pad[0] || d->pad_hi[0]) return 0;
    if (d->pad[1] || d->pad_hi[1] || span > d->stride[1] || d->in[1] != d->out[1] * d->stride[1]) return 0;
    d->in[1] *= d->planes;
    d->out[1] *= d->planes;
    d->planes = 1;
    return 1;
}

/* Whether all windows have as many points along the axis. */
static int is_uniform(const cf_pool_desc *d, int axis)
{
    int64_t first = cf_pool_points(d, axis, 0);
    for (int64_t o = 1; o < d->out[axis]; o++)
        if (cf_pool_points(d, axis, o) != first) return 0;
    return 1;
}

/* The gradient of an average whose windows overlap most is an average: of the windows of the output that a point is in.
 * Whether this is one. */
static int turn_round(cf_pool_desc *d)
{
    double points = 1;
    for (int i = 0; i < 3; i++) {
        if (d->adaptive || d->stride[i] > 1 || (d->divisor == 0 && !is_uniform(d, i))) return 0;
        points *= (double)cf_pool_points(d, i, 0);
    }
    if (d->divisor == 0) d->divisor = points;
    for (int i = 0; i < 3; i++) {
        int64_t reach = (d->kernel[i] - 1) * d->dil[i], in = d->in[i];
        d->in[i] = d->out[i];
        d->out[i] = in;
        d->pad[i] = reach - d->pad[i];
        d->pad_hi[i] = reach - d->pad_hi[i];
    }
    return 1;
}

/* Reals under the windows of n points of a row, at least n steps: lines whose windows do not overlap are then one. */
static int64_t line_of(const cf_pool_desc *d, int64_t n)
{
    int64_t step = d->stride[2], span = (d->kernel[2] - 1) * d->dil[2] + 1;
    return d->adaptive ? d->in[2] : cf_max(n * step, (n - 1) * step + span);
}

/* Windows of uneven length are slow along a row, and fast across planes side by side, which are copied for it. */
static void group_planes(cf_pool_plan *p, const cf_kernels *kn)
{
    cf_pool_desc *d = &p->desc;
    int64_t bytes = (cf_volume(d->in) + cf_volume(d->out)) * CF_GROUP * kn->size;
    if (!d->adaptive || d->lanes > 1 || bytes > kn->core.l2 / 2) return;
    p->grouped = d->planes;
    d->planes = 1;
    d->lanes = CF_GROUP;
}

/* Whether every window is one row, inside the source. */
static int is_in_place(const cf_pool_desc *d)
{
    int64_t end = (d->out[2] - 1) * d->stride[2] + (d->kernel[2] - 1) * d->dil[2] + 1;
    return !d->adaptive && d->kernel[0] * d->kernel[1] == 1 && d->pad[2] == 0 && end <= d->in[2];
}

static void cut(cf_pool_plan *p)
{
    const cf_pool_desc *d = &p->desc;
    int64_t whole = line_of(d, d->out[2]) * d->lanes, columns = d->out[2], rows = 1, window = line_of(d, 1) * d->lanes;
    if (whole <= CF_LINES || d->adaptive) rows = cf_max(1, cf_min(d->out[1], CF_LINES / whole));
    else
        columns =
            cf_min(columns, cf_max(cf_ceil_div(CF_COLUMNS, d->lanes), (CF_LINES - window) / (d->stride[2] * d->lanes)));
    p->row_blocks = cf_ceil_div(d->out[1], rows);
    p->column_blocks = cf_ceil_div(d->out[2], columns);
    p->ld = line_of(d, cf_ceil_div(d->out[2], p->column_blocks)) * d->lanes;
    p->scratch_bytes =
        cf_round_up(rows * (p->ld + cf_max(p->ld, columns * d->lanes)) * (d->dtype == CF_F64 ? 8 : 4), CF_ALIGN);
}

/* Elements of the slices that a window spans: their places fit an integer as wide as a real. */
static int is_indexable(const cf_pool_desc *d)
{
    int64_t slices = d->adaptive ? d->in[0] / d->out[0] + 2 : (d->kernel[0] - 1) * d->dil[0] + 1;
    return cf_min(slices, d->in[0]) * d->in[1] * d->in[2] * d->lanes < cf_nowhere(d->dtype == CF_F64 ? 8 : 4);
}

static void lay_out(cf_pool_plan *p)
{
    const cf_pool_desc *d = &p->desc;
    int64_t used = 0;
    p->start_at = cf_take(&used, d->out[2] * (int64_t)sizeof(int64_t));
    p->end_at = cf_take(&used, d->out[2] * (int64_t)sizeof(int64_t));
    p->count_at = cf_take(&used, d->out[2] * d->lanes * (int64_t)sizeof(int32_t));
    p->row_count_at = cf_take(&used, d->out[1] * (int64_t)sizeof(int32_t));
    p->scratch_at = used;
    p->group_at = p->scratch_bytes;
    if (p->grouped)
        p->scratch_bytes +=
            cf_round_up((cf_volume(d->in) + cf_volume(d->out)) * d->lanes * (d->dtype == CF_F64 ? 8 : 4), CF_ALIGN);
    p->workspace_bytes = used + p->scratch_bytes * p->options.threads;
}

cf_status cf_pool_plan_init(cf_pool_plan *p, cf_pool_pass pass, const cf_pool_desc *desc, const cf_options *options)
{
    const cf_kernels *kn = cf_kernels_for(options->isa, desc->dtype);
    if (!kn) return CF_UNSUPPORTED;
    *p = (cf_pool_plan){.desc = *desc, .pass = pass, .options = *options};
    cf_pool_desc *d = &p->desc;
    if (d->planes == 0 || d->lanes == 0 || cf_volume(d->out) == 0) return CF_OK;
    if (d->adaptive) make_plain(d);
    if (!d->adaptive && d->lanes == 1) merge_whole_axes(d);
    if (pass == CF_AVERAGE_POOL_BACKWARD && turn_round(d)) p->pass = pass = CF_AVERAGE_POOL;
    p->uniform = d->divisor != 0 || (is_uniform(d, 1) && is_uniform(d, 2)); /* joined planes are as their parts */
    if (!d->adaptive && pass != CF_MAX_POOL_INDEX) p->apart = join_planes(d);
    p->covers = p->apart && d->kernel[1] == d->stride[1] && d->in[2] == d->out[2] * d->stride[2] &&
                d->kernel[2] <= d->stride[2] && !d->pad[2];
    if (pass == CF_MAX_POOL_INDEX && !is_indexable(d)) return CF_TOO_LARGE;
    double work = (double)d->planes * (double)(cf_max(cf_volume(d->in), cf_volume(d->out)) * d->lanes);
    if (work < CF_SERIAL_WORK) p->options.threads = 1;
    p->in_place = pass != CF_MAX_POOL_INDEX && is_in_place(d);
    if (pass != CF_MAX_POOL_INDEX) group_planes(p, kn);
    cut(p);
    lay_out(p);
    return CF_OK;
}
