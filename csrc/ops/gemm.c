/* SPDX-License-Identifier: BSD-3-Clause */
/* c = a b + bias: rows of a are broadcast, a lane block of b is packed by the task that uses it.  Where the few rows of
 * a do not repay that, and the rows of a and the columns of b are adjacent, their products are summed along k. */
#include <math.h>
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"
#include "gemm.h"

/* Lane blocks from which on packing a pays; us packed and not, m x n x k, 2 threads: 64x120x400 43 and 33, 256x256x256
 * 170 and 151, 512x512x512 1243 and 1187, but 64x1024x1024 779 and 941, 128x1000x2048 2717 and 3057 (Zen 4). */
enum { CF_REUSED = 16 };

/* Rows up to which the sums along k win: of 512 to 1000 features 8 rows took 57 us, not 75, 12 took 83, not 106, 16 took
 * 110 and 113; of 84 to 10 features they lose from 16 rows on (Zen 4). */
enum { CF_FEW_ROWS = 2 * CF_DOT_MAX };

/* Columns of a task that sums along k: enough to hide its start behind about 1 us of work (estimate). */
enum { CF_DOT_COLUMNS = 32 };

static const double zeros[CF_MR_MAX];

typedef struct {
    const cf_gemm_plan *plan;
    const cf_kernels *kn;
    const void *a, *b, *bias;
    void *c, *packed_a, *packed_b;
    int32_t *koff;
} job;

static int64_t pass_begin(const cf_gemm_plan *p, int64_t pass) { return cf_part(p->desc.k, p->passes, pass); }
static int64_t panel_begin(const cf_gemm_plan *p, int64_t panel) { return cf_part(p->desc.m, p->panels, panel); }

/* Packed a: [pass][panel][k][mr], each panel followed by a vector of slack for the packer. */
static int64_t panel_at(const cf_gemm_plan *p, int64_t pass, int64_t panel, int64_t lanes)
{
    int64_t k0 = pass_begin(p, pass), kc = pass_begin(p, pass + 1) - k0;
    return k0 * p->desc.m + panel_begin(p, panel) * kc + (pass * p->panels + panel) * lanes;
}

static void plan_tiles(cf_gemm_plan *p, const cf_kernels *kn, int64_t vectors, int64_t *used)
{
    const cf_gemm_desc *d = &p->desc;
    p->tiles = cf_ceil_div(vectors, p->nv);
    p->passes = cf_max(1, cf_ceil_div(d->k, kn->core.kc));
    p->splits = p->tiles >= 2 * p->options.threads ? 1 : cf_min(p->panels, p->options.threads);
    int64_t kc = cf_ceil_div(d->k, p->passes);
    p->pack_a = p->tiles >= CF_REUSED;
    if (p->pack_a) p->a_at = cf_take(used, (d->m * d->k + p->passes * p->panels * kn->lanes) * kn->size);
    p->koff_at = cf_take(used, kc * (int64_t)sizeof(int32_t));
    p->b_bytes = cf_round_up((kc * p->nv + 1) * kn->lanes * kn->size, CF_ALIGN);
    p->b_at = cf_take(used, p->b_bytes * p->options.threads);
}

/* The widest dot tile of a panel; b_bytes are its sums. */
static void plan_dots(cf_gemm_plan *p, const cf_kernels *kn, int64_t *used)
{
    p->panels = cf_ceil_div(p->desc.m, CF_DOT_MAX);
    int64_t mr = cf_ceil_div(p->desc.m, p->panels);
    for (p->dots = CF_DOT_MAX; !kn->dot[p->dots][mr];) p->dots--;
    p->tiles = cf_ceil_div(p->desc.n, CF_DOT_COLUMNS);
    p->koff_at = cf_take(used, p->dots * (int64_t)sizeof(int32_t));
    p->b_bytes = cf_round_up(mr * p->dots * (kn->lanes + 1) * kn->size, CF_ALIGN);
    p->b_at = cf_take(used, p->b_bytes * p->options.threads);
}

cf_status cf_gemm_plan_init(cf_gemm_plan *p, const cf_gemm_desc *d, const cf_options *options)
{
    const cf_kernels *kn = cf_kernels_for(options->isa, d->dtype);
    if (!kn) return CF_UNSUPPORTED;
    int64_t vectors = cf_ceil_div(d->n, kn->lanes), used = 0;
    int along_k = 0 < d->m && d->m <= CF_FEW_ROWS && d->a_cs == 1 && d->b_rs == 1 && d->k >= kn->lanes &&
                  d->b_cs <= INT32_MAX / CF_DOT_MAX;
    cf_tile_shape shape = cf_choose_tile(kn, d->m, vectors);
    *p = (cf_gemm_plan){.desc = *d, .options = *options, .nv = shape.nv, .panels = shape.panels};
    if ((double)d->m * (double)d->n * (double)d->k < CF_SERIAL_WORK) p->options.threads = 1;
    if (along_k) plan_dots(p, kn, &used);
    else plan_tiles(p, kn, vectors, &used);
    p->workspace_bytes = used;
    return CF_OK;
}

static void pack_a(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_gemm_plan *p = j->plan;
    const cf_gemm_desc *d = &p->desc;
    (void)thread;
    int64_t pass = task / p->panels, panel = task % p->panels, i0 = panel_begin(p, panel), k0 = pass_begin(p, pass);
    int64_t mr = panel_begin(p, panel + 1) - i0, size = j->kn->size;
    const void *end = cf_at_const(j->a, (d->m - 1) * d->a_rs + (d->k - 1) * d->a_cs + 1, size);
    j->kn->pack(mr, pass_begin(p, pass + 1) - k0, cf_at_const(j->a, i0 * d->a_rs + k0 * d->a_cs, size), d->a_rs,
                d->a_cs, end, cf_at(j->packed_a, panel_at(p, pass, panel, j->kn->lanes), size), mr);
}

static void clamp_results(const job *j, void *c, int64_t rows, int64_t len)
{
    const cf_gemm_desc *d = &j->plan->desc;
    const cf_finish f = {.low = d->low, .high = d->high};
    if (d->low > -INFINITY || d->high < INFINITY) j->kn->finish_rows(&f, c, NULL, d->n, rows, len);
}

static void run_panel(const job *j, int64_t pass, int64_t panel, int64_t nv, const void *b, int64_t j0, int64_t lanes)
{
    const cf_gemm_plan *p = j->plan;
    const cf_gemm_desc *d = &p->desc;
    int64_t size = j->kn->size, i0 = panel_begin(p, panel), mr = panel_begin(p, panel + 1) - i0;
    int64_t k0 = pass_begin(p, pass), kc = pass_begin(p, pass + 1) - k0, rs = p->pack_a ? 1 : d->a_rs;
    const void *a = p->pack_a ? cf_at(j->packed_a, panel_at(p, pass, panel, j->kn->lanes), size)
                              : cf_at_const(j->a, i0 * d->a_rs + k0 * d->a_cs, size);
    void *c = cf_at(j->c, i0 * d->n + j0, size);
    const void *init = pass == 0 && !j->bias ? zeros : NULL;
    const void *from = pass == 0 && j->bias ? cf_at_const(j->bias, j0, size) : c;
    cf_tile_fn *tile = rs == 1 ? j->kn->tile[nv][mr] : j->kn->tile_apart[nv][mr];
    tile(kc, a, rs, p->pack_a ? mr : d->a_cs, b, j->koff, c, d->n, init, from, pass ? d->n : 0, lanes, c);
    if (pass == p->passes - 1) clamp_results(j, c, mr, lanes);
}

/* One lane block against the panels of one split. */
static void run_tile(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_gemm_plan *p = j->plan;
    const cf_gemm_desc *d = &p->desc;
    const cf_kernels *kn = j->kn;
    int64_t t = task / p->splits, split = task % p->splits, vectors = cf_ceil_div(d->n, kn->lanes), size = kn->size;
    int64_t v0 = cf_part(vectors, p->tiles, t), nv = cf_part(vectors, p->tiles, t + 1) - v0, j0 = v0 * kn->lanes;
    int64_t lanes = cf_min(nv * kn->lanes, d->n - j0), ld = p->nv * kn->lanes;
    int64_t p0 = cf_part(p->panels, p->splits, split), p1 = cf_part(p->panels, p->splits, split + 1);
    void *b = cf_at(j->packed_b, thread, p->b_bytes);
    const void *end = cf_at_const(j->b, (d->k - 1) * d->b_rs + (d->n - 1) * d->b_cs + 1, size);
    for (int64_t pass = 0; pass < p->passes; pass++) {
        int64_t k0 = pass_begin(p, pass), kc = pass_begin(p, pass + 1) - k0;
        kn->pack(lanes, kc, cf_at_const(j->b, k0 * d->b_rs + j0 * d->b_cs, size), d->b_cs, d->b_rs, end, b, ld);
        for (int64_t panel = p0; panel < p1; panel++) run_panel(j, pass, panel, nv, b, j0, lanes);
    }
}

/* One panel against columns [j0, j0 + nv), nv <= dots: sums of lanes, then across them. */
static void run_dot(const job *j, int64_t panel, int64_t j0, int64_t nv, void *sums)
{
    const cf_gemm_desc *d = &j->plan->desc;
    const cf_kernels *kn = j->kn;
    int64_t i0 = panel_begin(j->plan, panel), mr = panel_begin(j->plan, panel + 1) - i0, size = kn->size;
    const void *a = cf_at_const(j->a, i0 * d->a_rs, size), *b = cf_at_const(j->b, j0 * d->b_cs, size);
    const void *bias = j->bias ? cf_at_const(j->bias, j0, size) : NULL;
    void *c = cf_at(j->c, i0 * d->n + j0, size), *totals = cf_at(sums, mr * nv * kn->lanes, size);
    memset(sums, 0, (size_t)(mr * nv * kn->lanes * size));
    kn->dot[nv][mr](1, d->k, a, d->a_rs, 0, b, j->koff, 0, sums, nv);
    kn->lane_sums(mr * nv, 1, 0, sums, totals);
    kn->gather_rows(c, d->n, bias, 0, mr, nv, 0, bias ? nv : 0, 1, 0);
    kn->add_rows(c, d->n, 1, totals, nv, mr, nv);
    clamp_results(j, c, mr, nv);
}

static void run_dots(void *ctx, int64_t task, int thread)
{
    const job *j = ctx;
    const cf_gemm_plan *p = j->plan;
    int64_t end = cf_part(p->desc.n, p->tiles, task + 1);
    for (int64_t j0 = cf_part(p->desc.n, p->tiles, task); j0 < end; j0 += p->dots)
        for (int64_t panel = 0; panel < p->panels; panel++)
            run_dot(j, panel, j0, cf_min(p->dots, end - j0), cf_at(j->packed_b, thread, p->b_bytes));
}

void cf_gemm(const cf_gemm_plan *p, const void *a, const void *b, const void *bias, void *c, void *workspace)
{
    const cf_kernels *kn = cf_kernels_for(p->options.isa, p->desc.dtype);
    job j = {p,
             kn,
             a,
             b,
             bias,
             c,
             cf_at(workspace, p->a_at, 1),
             cf_at(workspace, p->b_at, 1),
             cf_at(workspace, p->koff_at, 1)};
    int64_t steps = p->dots ? p->dots : cf_ceil_div(p->desc.k, p->passes);
    int64_t step = p->dots ? p->desc.b_cs : p->nv * kn->lanes;
    for (int64_t i = 0; i < steps; i++) j.koff[i] = (int32_t)(i * step);
    if (p->desc.m == 0 || p->desc.n == 0) return;
    if (p->pack_a && p->desc.k > 0) cf_parallel_for(p->passes * p->panels, p->options.threads, pack_a, &j);
    if (p->dots) cf_parallel_for(p->tiles, p->options.threads, run_dots, &j);
    else cf_parallel_for(p->tiles * p->splits, p->options.threads, run_tile, &j);
}
