/* SPDX-License-Identifier: BSD-3-Clause */
/* Convolution whose kernel covers its whole input, thus with one output point, is a product of matrices:
 *
 *   y (n, oc) = x (n, ic vol) w^T        dx = dy w        dw (oc, ic vol) = dy^T x */
#include <math.h>
#include "../core/parallel.h"
#include "conv_internal.h"

static int covers(const cf_conv_desc *d, int axis)
{
    int adjoin = d->dil[axis] == 1 || d->kernel[axis] == 1;
    return d->kernel[axis] == d->in[axis] && d->out[axis] == 1 && d->pad[axis] == 0 && adjoin;
}

int cf_is_product(const cf_conv_desc *d)
{
    int ordered = !d->channels_last || d->ic == 1 || cf_volume(d->in) == 1;
    return d->groups == 1 && ordered && covers(d, 0) && covers(d, 1) && covers(d, 2);
}

static cf_gemm_desc product_of(const cf_conv_desc *d, cf_conv_pass pass)
{
    int64_t n = d->n, oc = d->oc, features = d->ic * cf_volume(d->kernel);
    const cf_gemm_desc of[] = {
        [CF_FORWARD] = {d->dtype, n, oc, features, features, 1, 1, features, -INFINITY, INFINITY},
        [CF_BACKWARD_DATA] = {d->dtype, n, features, oc, oc, 1, features, 1, -INFINITY, INFINITY},
        [CF_BACKWARD_WEIGHTS] = {d->dtype, oc, features, n, 1, oc, features, 1, -INFINITY, INFINITY},
    };
    return of[pass];
}

cf_status cf_product_plan_init(cf_conv_plan *plan, const cf_kernels *kn)
{
    cf_product_plan *p = &plan->product;
    cf_gemm_desc desc = product_of(&plan->desc, plan->pass);
    cf_status status = cf_gemm_plan_init(&p->gemm, &desc, &plan->options);
    int64_t used = p->gemm.workspace_bytes;
    p->bias_at = cf_take(&used, plan->pass == CF_BACKWARD_DATA ? desc.n * kn->size : 0);
    plan->prepared_bytes = plan->desc.oc * plan->desc.ic * cf_volume(plan->desc.kernel) * kn->size;
    plan->workspace_bytes = used;
    return status;
}

typedef struct {
    const cf_kernels *kn;
    const cf_target *to;
    int64_t points; /* of a channel */
} finish_job;

static void finish_images(void *ctx, int64_t begin, int64_t end)
{
    const finish_job *j = ctx;
    int64_t channels = j->to->channels, image = channels * j->points;
    void *y = cf_at(j->to->dst, begin * image, j->kn->size);
    if (!j->to->epilogue->norm) cf_apply_epilogue(j->kn, j->to, y, 0, 0, 0, 1, (end - begin) * image);
    else
        for (int64_t n = begin; n < end; n++, y = cf_at(y, image, j->kn->size))
            cf_apply_epilogue(j->kn, j->to, y, 0, 1, j->points, channels, j->points);
}

/* The bias of each column of the product. */
static const void *spread(const cf_kernels *kn, const void *bias, int64_t channels, int64_t points, void *room)
{
    if (!bias || points == 1) return bias;
    for (int64_t c = 0; c < channels; c++) kn->set(points, cf_at(room, c * points, kn->size), cf_get(kn, bias, c));
    return room;
}

void cf_product_run(const cf_conv_plan *plan, const cf_kernels *kn, const void *src, const void *w, const void *bias,
                    const cf_target *to, void *workspace)
{
    const cf_product_plan *p = &plan->product;
    if (!src) {
        memcpy(to->dst, w, (size_t)plan->prepared_bytes);
        return;
    }
    int64_t points = p->gemm.desc.n / to->channels;
    bias = spread(kn, bias, to->channels, points, cf_at(workspace, p->bias_at, 1));
    cf_gemm(&p->gemm, src, w, bias, to->dst, workspace);
    if (!to->epilogue) return;
    finish_job job = {kn, to, points};
    cf_parallel_range(plan->desc.n, CF_SERIAL_WORK / 2 / p->gemm.desc.n, plan->options.threads, finish_images, &job);
}
