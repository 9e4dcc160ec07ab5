/* SPDX-License-Identifier: BSD-3-Clause */
/* All passes of random convolutions against naive loops with 1, 2 and 3 threads: plain sums bit for bit, Winograd's within its
 * promise. */
#include "check.h"

/* One output point of a kernel as large as the input. */
static void cover(check *c, cf_conv_desc *d)
{
    d->n = check_random(c, 1, 20);
    d->ic /= d->groups;
    d->oc /= d->groups;
    d->groups = 1;
    for (int i = 0; i < 3; i++) {
        d->in[i] = d->kernel[i];
        d->pad[i] = 0;
        d->dil[i] = d->out[i] = 1;
    }
}

static cf_conv_desc random_problem(check *c, cf_dtype dtype)
{
    cf_conv_desc d = {.dtype = dtype, .n = check_random(c, 1, 4), .groups = check_random(c, 1, 3)};
    int64_t rank = check_random(c, 1, 3), extent[] = {0, 70, 14, 6};
    int few = (int)check_random(c, 0, 1); /* depthwise, or nearly so */
    d.ic = d.groups * check_random(c, 1, few ? 2 : 9);
    d.oc = d.groups * check_random(c, 1, few ? 2 : 17);
    for (int i = 0; i < 3; i++) {
        int used = i >= 3 - rank;
        d.kernel[i] = used ? check_random(c, 1, few ? 7 : 4) : 1;
        d.stride[i] = used ? check_random(c, 1, 3) : 1;
        d.dil[i] = used ? check_random(c, 1, 2) : 1;
        d.pad[i] = used ? check_random(c, 0, 2) : 0;
        int64_t window = (d.kernel[i] - 1) * d.dil[i] + 1, high = used ? check_random(c, 0, 2) : 0;
        d.in[i] = used ? check_random(c, 1, extent[rank]) : 1;
        if (d.in[i] + d.pad[i] + high < window) d.in[i] = window;
        d.out[i] = (d.in[i] + d.pad[i] + high - window) / d.stride[i] + 1;
    }
    if (check_random(c, 0, 7) == 0) cover(c, &d);
    return d;
}

typedef struct {
    const cf_conv_desc *d;
    void *x, *w, *y, *dx, *dw; /* y: bias + x * w;  dx, dw: the adjoints of dy */
    const void *dy;
} arrays;

static int64_t point(const int64_t size[3], const int64_t at[3]) { return (at[0] * size[1] + at[1]) * size[2] + at[2]; }

static void add(check *c, void *array, int64_t i, double value)
{
    check_put(c, array, i, check_get(c, array, i) + value);
}

/* One (image, output channel, input channel of the group, output point, tap). */
static void naive_term(check *c, const arrays *a, int64_t n, int64_t k, int64_t r, const int64_t o[3],
                       const int64_t t[3])
{
    const cf_conv_desc *d = a->d;
    int64_t red = d->ic / d->groups, channel = k / (d->oc / d->groups) * red + r, i[3];
    for (int axis = 0; axis < 3; axis++) {
        i[axis] = o[axis] * d->stride[axis] + t[axis] * d->dil[axis] - d->pad[axis];
        if (i[axis] < 0 || i[axis] >= d->in[axis]) return;
    }
    int64_t x = (n * d->ic + channel) * cf_volume(d->in) + point(d->in, i);
    int64_t w = (k * red + r) * cf_volume(d->kernel) + point(d->kernel, t);
    int64_t y = (n * d->oc + k) * cf_volume(d->out) + point(d->out, o);
    add(c, a->y, y, check_get(c, a->x, x) * check_get(c, a->w, w));
    add(c, a->dx, x, check_get(c, a->dy, y) * check_get(c, a->w, w));
    add(c, a->dw, w, check_get(c, a->dy, y) * check_get(c, a->x, x));
}

static void each_index(const int64_t size[3], int64_t i, int64_t at[3])
{
    at[2] = i % size[2];
    at[1] = i / size[2] % size[1];
    at[0] = i / size[2] / size[1];
}

static void naive(check *c, const arrays *a)
{
    const cf_conv_desc *d = a->d;
    int64_t o[3], t[3];
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t k = 0; k < d->oc; k++)
            for (int64_t r = 0; r < d->ic / d->groups; r++)
                for (int64_t p = 0; p < cf_volume(d->out); p++)
                    for (int64_t q = 0; q < cf_volume(d->kernel); q++) {
                        each_index(d->out, p, o);
                        each_index(d->kernel, q, t);
                        naive_term(c, a, n, k, r, o, t);
                    }
}

/* Elements may differ by 1e-5, in double 1e-12, of the largest. */
static void check_near(check *c, const void *got, const void *expected, int64_t n)
{
    double largest = 1, epsilons = c->kn->dtype == CF_F64 ? 4500 : 84;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(check_get(c, expected, i)));
    for (int64_t i = 0; i < n; i++)
        check_close(c, check_get(c, got, i) / largest, check_get(c, expected, i) / largest, epsilons);
}

static void run_pass(check *c, cf_conv_pass pass, const cf_conv_desc *d, cf_algorithm algorithm,
                     const cf_options *options, const void *first, const void *second, const void *bias,
                     const void *expected, int64_t size)
{
    static const char *const names[] = {"forward", "backward-data", "backward-weights"};
    cf_conv_plan plan;
    if (cf_conv_plan_init(&plan, pass, d, algorithm, 0, options) != CF_OK) {
        c->failures++;
        return;
    }
    /* the workspace is poisoned: what is read before it is written becomes visible */
    void *workspace = aligned_alloc(CF_ALIGN, (size_t)plan.workspace_bytes), *out = check_array(c, size);
    memset(workspace, 0xff, (size_t)plan.workspace_bytes);
    if (pass == CF_FORWARD) cf_conv_forward(&plan, first, second, bias, NULL, out, workspace);
    else if (pass == CF_BACKWARD_DATA) cf_conv_backward_data(&plan, first, second, NULL, NULL, out, workspace);
    else cf_conv_backward_weights(&plan, first, second, out, workspace);
    if (plan.by_winograd) check_near(c, out, expected, size);
    else check_equal(c, out, expected, size, names[pass]);
    free(workspace);
    free(out);
}

static void *zeros(check *c, int64_t n) { return calloc((size_t)n, (size_t)c->kn->size); }

static void one_problem(check *c, cf_isa isa, cf_dtype dtype)
{
    cf_conv_desc d = random_problem(c, dtype);
    int64_t x_size = d.n * d.ic * cf_volume(d.in), w_size = d.oc * (d.ic / d.groups) * cf_volume(d.kernel);
    int64_t plane = cf_volume(d.out), y_size = d.n * d.oc * plane;
    void *x = check_array(c, x_size), *w = check_array(c, w_size), *dy = check_array(c, y_size),
         *bias = check_array(c, d.oc);
    arrays a = {&d, x, w, zeros(c, y_size), zeros(c, x_size), zeros(c, w_size), dy};
    for (int64_t i = 0; i < y_size; i++) check_put(c, a.y, i, check_get(c, bias, i / plane % d.oc));
    naive(c, &a);
    for (int i = 0; i < 6; i++) {
        cf_algorithm algorithm = i < 3 ? CF_DIRECT : CF_WINOGRAD;
        cf_options options = {isa, i % 3 + 1, 0};
        run_pass(c, CF_FORWARD, &d, algorithm, &options, x, w, bias, a.y, y_size);
        run_pass(c, CF_BACKWARD_DATA, &d, algorithm, &options, dy, w, NULL, a.dx, x_size);
        run_pass(c, CF_BACKWARD_WEIGHTS, &d, algorithm, &options, x, dy, NULL, a.dw, w_size);
    }
    void *all[] = {x, w, dy, bias, a.y, a.dx, a.dw};
    for (int i = 0; i < 7; i++) free(all[i]);
}

void check_convolutions(check *c, cf_isa isa, cf_dtype dtype)
{
    for (int i = 0; i < 120; i++) one_problem(c, isa, dtype);
}
