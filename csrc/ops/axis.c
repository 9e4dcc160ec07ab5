/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic of one axis; contract in axis.h. */
#include "axis.h"
#include "../core/base.h"

cf_axis cf_axis_of(int adjoint, int64_t in, int64_t out, int64_t taps, int64_t stride, int64_t dil, int64_t pad)
{
    if (adjoint) return (cf_axis){1, out, in, 1, stride, taps, dil, pad};
    return (cf_axis){0, in, out, stride, 1, taps, dil, pad};
}

int64_t cf_axis_points(const cf_axis *a) { return cf_ceil_div(a->dst, a->dstep); }

int cf_axis_is_plain(const cf_axis *a)
{
    return a->step == 1 && a->dstep == 1 && a->taps == 1 && a->pad == 0 && a->src == a->dst;
}

void cf_merge_plain_axes(cf_axis axis[3])
{
    for (int i = 1; i >= 0 && cf_axis_is_plain(&axis[i]) && cf_axis_is_plain(&axis[2]); i--) {
        axis[2].src = axis[2].dst = axis[2].src * axis[i].src;
        axis[i].src = axis[i].dst = 1;
    }
}

cf_phase cf_axis_phase(const cf_axis *a, int64_t f)
{
    if (!a->adjoint) return (cf_phase){0, a->dst, a->taps, 0, 1, -a->pad, a->dil};
    int64_t s = a->dstep, tap_step = s / cf_gcd(s, a->dil), count = cf_ceil_div(cf_max(a->dst - f, 0), s), t = 0;
    while (t < a->taps && (f + a->pad - t * a->dil) % s != 0) t++;
    if (t == a->taps) return (cf_phase){f, count, 0, 0, 1, 0, 0};
    return (cf_phase){f,
                      count,
                      cf_ceil_div(a->taps - t, tap_step),
                      t,
                      tap_step,
                      (f + a->pad - t * a->dil) / s,
                      -tap_step * a->dil / s};
}

/* The progression off0 + t*unit, t <= last, that holds every offset of every phase. */
static void offsets_of(const cf_axis *a, int64_t *off0, int64_t *unit, int64_t *last)
{
    if (a->adjoint) {
        int64_t s = a->dstep, most = -cf_floor_div(-a->pad, s);
        *off0 = -cf_floor_div((a->taps - 1) * a->dil - a->pad, s);
        *unit = a->dil % s == 0 ? a->dil / s : 1;
        *last = (most - *off0) / *unit;
    } else {
        *off0 = -a->pad;
        *unit = a->dil;
        *last = a->taps - 1;
    }
}

cf_phase cf_phase_ascending(cf_phase ph)
{
    if (ph.off_step >= 0) return ph;
    ph.tap0 += (ph.taps - 1) * ph.tap_step;
    ph.off0 += (ph.taps - 1) * ph.off_step;
    ph.tap_step = -ph.tap_step;
    ph.off_step = -ph.off_step;
    return ph;
}

cf_copies cf_axis_copies(const cf_axis *a, int expanded)
{
    int64_t off0, unit, last;
    offsets_of(a, &off0, &unit, &last);
    int64_t period = expanded ? last + 1 : a->step / cf_gcd(a->step, unit);
    return (cf_copies){off0, unit, period, cf_min(period, last + 1), last / period * period * unit / a->step};
}

void cf_valid_range(int64_t len, int64_t start, int64_t step, int64_t src, int64_t *first, int64_t *last)
{
    *first = cf_min(len, start >= 0 ? 0 : cf_ceil_div(-start, step));
    *last = cf_max(*first, start >= src ? 0 : cf_min(len, cf_ceil_div(src - start, step)));
}

void cf_axis_taps(const cf_axis *a, const cf_phase *ph, int64_t q, int64_t *first, int64_t *last)
{
    *first = *last = 0;
    if (ph->taps == 0) return;
    int64_t from = a->step * q + ph->off0;
    if (ph->off_step > 0) {
        cf_valid_range(ph->taps, from, ph->off_step, a->src, first, last);
    } else {
        int64_t low, high;
        cf_valid_range(ph->taps, from + (ph->taps - 1) * ph->off_step, -ph->off_step, a->src, &low, &high);
        *first = ph->taps - high;
        *last = ph->taps - low;
    }
}

double cf_axis_inside(const cf_axis *a)
{
    int64_t inside = 0, first, last;
    for (int64_t f = 0; f < a->dstep; f++) {
        cf_phase ph = cf_axis_phase(a, f);
        for (int64_t t = 0; t < ph.taps; t++) {
            cf_valid_range(cf_axis_points(a), ph.off0 + t * ph.off_step, a->step, a->src, &first, &last);
            inside += last - first;
        }
    }
    return (double)inside / (double)(a->taps * cf_axis_points(a));
}
