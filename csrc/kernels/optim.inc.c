/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of optimisers; contracts in optim.h. */

static void CF_NAME(sgd)(int64_t n, const cf_sgd *s, const void *grad_, void *velocity_, void *data_)
{
    const real rate = (real)s->rate, momentum = (real)s->momentum, decay = (real)s->decay;
    const real kept = s->nesterov ? momentum : 1, own = (real)s->nesterov;
    const real *grad = grad_;
    real *v = velocity_, *data = data_;
    if (!v) {
        CF_EACH_ELEMENT data[i] -= rate * (grad[i] + decay * data[i]);
        return;
    }
    CF_EACH_ELEMENT
    {
        const real g = grad[i] + decay * data[i], fast = momentum * v[i] + g;
        v[i] = fast;
        data[i] -= rate * (own * g + kept * fast);
    }
}

static void CF_NAME(adam)(int64_t n, const cf_adam *s, const void *grad_, void *mean_, void *square_, void *data_)
{
    const real rate = (real)s->rate, root = (real)s->root, eps = (real)s->eps, decay = (real)s->decay;
    const real keep = (real)s->keep, new_mean = (real)(1 - s->beta1);
    const real beta2 = (real)s->beta2, new_square = (real)(1 - s->beta2);
    const real *grad = grad_;
    real *mean = mean_, *square = square_, *data = data_;
    CF_EACH_ELEMENT
    {
        const real w = keep * data[i], g = grad[i] + decay * w;
        const real m = mean[i] + new_mean * (g - mean[i]), q = beta2 * square[i] + new_square * g * g;
        mean[i] = m;
        square[i] = q;
        data[i] = w - rate * m / (CF_BUILTIN(sqrt)(q) * root + eps);
    }
}
