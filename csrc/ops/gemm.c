/* SPDX-License-Identifier: BSD-3-Clause */
/* c = a b + bias: rows of a are packed once and broadcast, a lane block of b is packed by the task that uses it. */
#include "gemm.h"
#include "../core/kernels.h"
#include "../core/parallel.h"
#include "blocking.h"

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

cf_status cf_gemm_plan_init(cf_gemm_plan *p, const cf_gemm_desc *d, const cf_options *options)
{
    const cf_kernels *kn = cf_kernels_for(options->isa, d->dtype);
    if (!kn) return CF_UNSUPPORTED;
    int64_t vectors = cf_ceil_div(d->n, kn->lanes), used = 0;
    cf_tile_shape shape = cf_choose_tile(kn, d->m, vectors);
    *p = (cf_gemm_plan){.desc = *d, .options = *options, .nv = shape.nv, .panels = shape.panels};
    if ((double)d->m * (double)d->n * (double)d->k < CF_SERIAL_WORK) p->options.threads = 1;
    p->tiles = cf_ceil_div(vectors, p->nv);
    p->passes = cf_max(1, cf_ceil_div(d->k, CF_KC));
    p->splits = p->tiles >= 2 * p->options.threads ? 1 : cf_min(p->panels, p->options.threads);
    int64_t kc = cf_ceil_div(d->k, p->passes);
    p->a_at = cf_take(&used, (d->m * d->k + p->passes * p->panels * kn->lanes) * kn->size);
    p->koff_at = cf_take(&used, kc * (int64_t)sizeof(int32_t));
    p->b_bytes = cf_round_up((kc * p->nv + 1) * kn->lanes * kn->size, CF_ALIGN);
    p->b_at = cf_take(&used, p->b_bytes * p->options.threads);
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

static void start_rows(const job *j, int64_t i0, int64_t i1, int64_t j0, int64_t lanes)
{
    int64_t n = j->plan->desc.n, size = j->kn->size;
    for (int64_t i = i0; i < i1; i++) {
        void *row = cf_at(j->c, i * n + j0, size);
        if (j->bias) memcpy(row, cf_at_const(j->bias, j0, size), (size_t)(lanes * size));
        else memset(row, 0, (size_t)(lanes * size));
    }
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
    start_rows(j, panel_begin(p, p0), panel_begin(p, p1), j0, lanes);
    for (int64_t pass = 0; pass < p->passes; pass++) {
        int64_t k0 = pass_begin(p, pass), kc = pass_begin(p, pass + 1) - k0;
        kn->pack(lanes, kc, cf_at_const(j->b, k0 * d->b_rs + j0 * d->b_cs, size), d->b_cs, d->b_rs, end, b, ld);
        for (int64_t panel = p0; panel < p1; panel++) {
            int64_t i0 = panel_begin(p, panel), mr = panel_begin(p, panel + 1) - i0;
            kn->tile[nv][mr](kc, cf_at(j->packed_a, panel_at(p, pass, panel, kn->lanes), size), b, j->koff,
                             cf_at(j->c, i0 * d->n + j0, size), d->n, NULL, lanes);
        }
    }
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
    int64_t kc = cf_ceil_div(p->desc.k, p->passes);
    for (int64_t k = 0; k < kc; k++) j.koff[k] = (int32_t)(k * p->nv * kn->lanes);
    if (p->desc.m == 0 || p->desc.n == 0) return;
    if (p->desc.k > 0) cf_parallel_for(p->passes * p->panels, p->options.threads, pack_a, &j);
    cf_parallel_for(p->tiles * p->splits, p->options.threads, run_tile, &j);
}
