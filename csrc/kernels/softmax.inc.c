/* SPDX-License-Identifier: BSD-3-Clause */
/* Softmax and cross entropy on lines; contracts in softmax.h.
 *
 * All loops run over lanes, CF_SOFTMAX_LINES of them at most.  Where lines are neighbours, a lane is a line and a step
 * is a class.  Where classes are neighbours, one line is dealt out to all lanes, CF_SOFTMAX_LINES classes a step, and
 * sums are folded over the lanes. */

typedef struct {
    int64_t at, steps, stride, width, last; /* of `width` lanes a step, `last` in the last one */
    int64_t line;                           /* of lane 0 */
    int by_step;                            /* a step is a class, and a lane a line */
} sweep;

CF_INLINE sweep sweep_of(const cf_lines *s, int64_t line)
{
    if (s->ls == 1) return (sweep){0, s->n, s->cs, s->lines, s->lines, 0, 1};
    int64_t steps = cf_ceil_div(s->n, CF_SOFTMAX_LINES);
    return (sweep){
        line * s->ls, steps, CF_SOFTMAX_LINES, cf_min(CF_SOFTMAX_LINES, s->n), s->n - (steps - 1) * CF_SOFTMAX_LINES,
        line,         0};
}

CF_INLINE int64_t sweeps(const cf_lines *s) { return s->ls == 1 ? 1 : s->lines; }

/* Statement for each element i = at + step * stride + lane. */
#define CF_SWEEP(w, statement)                                                 \
    for (int64_t step = 0; step < (w)->steps; step++) {                        \
        const int64_t lanes = step == (w)->steps - 1 ? (w)->last : (w)->width; \
        const int64_t first = (w)->at + step * (w)->stride;                    \
        CF_INDEPENDENT for (int64_t l = 0; l < lanes; l++)                     \
        {                                                                      \
            const int64_t i = first + l;                                       \
            statement;                                                         \
        }                                                                      \
    }

/* A number for each line as one for each lane. */
CF_INLINE void lanes_of(const sweep *w, const double *values, real *lanes)
{
    for (int64_t l = 0; l < w->width; l++) lanes[l] = (real)values[w->line + (w->by_step ? l : 0)];
}

/* Sums over lanes as sums over lines. */
CF_INLINE void fold(const sweep *w, const double *lanes, double *values)
{
    if (!w->by_step) values[w->line] = 0;
    for (int64_t l = 0; l < w->width; l++) {
        if (w->by_step) values[l] = lanes[l];
        else values[w->line] += lanes[l];
    }
}

static void CF_NAME(line_sums)(const cf_lines *s, const void *x_, double *most, double *sum)
{
    const real *x = x_;
    for (int64_t line = 0; line < sweeps(s); line++) {
        const sweep w = sweep_of(s, line);
        real largest[CF_SOFTMAX_LINES];
        double sums[CF_SOFTMAX_LINES] = {0};
        for (int l = 0; l < CF_SOFTMAX_LINES; l++) largest[l] = -(real)INFINITY;
        CF_SWEEP(&w, largest[l] = larger(largest[l], x[i]))
        if (!w.by_step) {
            for (int64_t l = 1; l < w.width; l++) largest[0] = larger(largest[0], largest[l]);
            for (int64_t l = 1; l < w.width; l++) largest[l] = largest[0];
        }
        for (int64_t l = 0; l < (w.by_step ? w.width : 1); l++) most[w.line + l] = (double)largest[l];
        CF_SWEEP(&w, sums[l] += (double)exponential(x[i] - largest[l]))
        fold(&w, sums, sum);
    }
}

static void CF_NAME(softmax)(const cf_lines *s, const void *x_, const double *most, const double *factor, void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t line = 0; line < sweeps(s); line++) {
        const sweep w = sweep_of(s, line);
        real m[CF_SOFTMAX_LINES], f[CF_SOFTMAX_LINES];
        lanes_of(&w, most, m);
        lanes_of(&w, factor, f);
        CF_SWEEP(&w, y[i] = exponential(x[i] - m[l]) * f[l])
    }
}

static void CF_NAME(log_softmax)(const cf_lines *s, const void *x_, const double *most, const double *shift, void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t line = 0; line < sweeps(s); line++) {
        const sweep w = sweep_of(s, line);
        real m[CF_SOFTMAX_LINES], f[CF_SOFTMAX_LINES];
        lanes_of(&w, most, m);
        lanes_of(&w, shift, f);
        CF_SWEEP(&w, y[i] = x[i] - m[l] - f[l])
    }
}

static void CF_NAME(softmax_backward)(const cf_lines *s, int logarithm, const void *y_, const void *dy_, void *dx_)
{
    const real *y = y_, *dy = dy_;
    real *dx = dx_;
    for (int64_t line = 0; line < sweeps(s); line++) {
        const sweep w = sweep_of(s, line);
        double sums[CF_SOFTMAX_LINES] = {0}, dot[CF_SOFTMAX_LINES];
        real d[CF_SOFTMAX_LINES];
        if (logarithm) CF_SWEEP(&w, sums[l] += (double)dy[i])
        else CF_SWEEP(&w, sums[l] += (double)dy[i] * (double)y[i])
        fold(&w, sums, dot);
        lanes_of(&w, dot, d);
        if (logarithm) CF_SWEEP(&w, dx[i] = dy[i] - exponential(y[i]) * d[l])
        else CF_SWEEP(&w, dx[i] = y[i] * (dy[i] - d[l]))
    }
}

/* q of element i */
CF_INLINE double soft_target(const cf_soft_target *q, int64_t class, int64_t i)
{
    const real *t = q->t;
    return (q->weight ? q->weight[class] : 1) * (q->keep * (t ? (double)t[i] : 0) + q->spread);
}

static void CF_NAME(target_sums)(const cf_lines *s, const cf_soft_target *q, const void *x_, const double *level,
                                 double *total, double *loss)
{
    const real *x = x_;
    for (int64_t line = 0; line < sweeps(s); line++) {
        const sweep w = sweep_of(s, line);
        double all[CF_SOFTMAX_LINES] = {0}, losses[CF_SOFTMAX_LINES] = {0};
        CF_SWEEP(&w, const double t = soft_target(q, w.by_step ? step : i - w.at, i); all[l] += t;
                 losses[l] += t * (level[w.line + (w.by_step ? l : 0)] - (double)x[i]))
        fold(&w, all, total);
        fold(&w, losses, loss);
    }
}

static void CF_NAME(subtract_targets)(const cf_lines *s, const cf_soft_target *q, const double *grad, void *dx_)
{
    real *dx = dx_;
    for (int64_t line = 0; line < sweeps(s); line++) {
        const sweep w = sweep_of(s, line);
        CF_SWEEP(&w, const double g = grad[w.line + (w.by_step ? l : 0)];
                 dx[i] -= (real)(g * soft_target(q, w.by_step ? step : i - w.at, i)))
    }
}
