/* SPDX-License-Identifier: BSD-3-Clause */
/* One axis of a correlation, the only code that knows stride, dilation, padding and transposition.
 *
 *   dst[first + dstep*q] = sum over the taps t of the phase of  w[t] * src[step*q + off(t)],   first = phase
 *
 * Convolution has one phase (dstep 1, step = stride, off = t*dil - pad).  Its adjoint, which is transposed convolution,
 * has `stride` phases, each a dense correlation (step 1) with its own taps: tap t belongs to phase f where
 * (f + pad - t*dil) is a multiple of the stride, and reads off = (f + pad - t*dil) / stride.  The taps of a phase and
 * their offsets are arithmetic progressions. */
#ifndef CF_AXIS_H
#define CF_AXIS_H
#include <stdint.h>

typedef struct {
    int adjoint;
    int64_t src, dst;    /* lengths */
    int64_t step, dstep; /* (stride, 1), or (1, stride) of the adjoint */
    int64_t taps, dil, pad;
} cf_axis;

typedef struct {
    int64_t first, count; /* destination points first, first + dstep, ... */
    int64_t taps, tap0, tap_step, off0, off_step;
} cf_phase;

/* How a slab holds an axis.  Offset off0 + t*unit is found in copy t % period, shifted by whole steps.
 * Shared: taps that differ by whole steps share a copy with a halo.  Expanded: every offset has a copy, no halo. */
typedef struct {
    int64_t off0, unit, period, copies, halo;
} cf_copies;

/* The axis of a convolution or of its adjoint; `in` and `out` are the lengths of the convolution's input and output. */
cf_axis cf_axis_of(int adjoint, int64_t in, int64_t out, int64_t taps, int64_t stride, int64_t dil, int64_t pad);
cf_phase cf_axis_phase(const cf_axis *a, int64_t phase);
cf_phase cf_phase_ascending(cf_phase ph); /* the same with its taps in the order of the source */
cf_copies cf_axis_copies(const cf_axis *a, int expanded);
int64_t cf_axis_points(const cf_axis *a); /* destination points of the longest phase */
int cf_axis_is_plain(const cf_axis *a);   /* copies its source: no window, stride or padding */

/* A plain axis joins the row if the row is plain too: a 1x1 kernel sees one long row. */
void cf_merge_plain_axes(cf_axis axis[3]);

/* The taps [*first, *last) of a phase with which destination point q reads inside the source. */
void cf_axis_taps(const cf_axis *a, const cf_phase *ph, int64_t q, int64_t *first, int64_t *last);

/* The share of all (point, tap) pairs that read inside the source. */
double cf_axis_inside(const cf_axis *a);

/* Where an offset lies: the copy, and the shift in it. */
static inline int64_t cf_copy_of(const cf_copies *c, int64_t off, int64_t step, int64_t *shift)
{
    int64_t t = (off - c->off0) / c->unit, copy = t % c->period;
    *shift = (t - copy) * c->unit / step;
    return copy;
}

/* The q of [0, len) whose source point start + q*step lies in [0, src): [*first, *last). */
void cf_valid_range(int64_t len, int64_t start, int64_t step, int64_t src, int64_t *first, int64_t *last);

#endif
