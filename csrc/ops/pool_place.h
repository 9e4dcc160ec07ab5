/* SPDX-License-Identifier: BSD-3-Clause */
/* Max pooling that remembers where its maxima were in a byte each, and the gradient that goes there.
 *
 * A place is the number of a point in its window, in scan order, padding counted, CF_PLACE_NOWHERE if there is no other.
 * Maxima are taken along the columns, then down the rows, then over the slices, so that the first of equals comes first. */
#ifndef CF_POOL_PLACE_H
#define CF_POOL_PLACE_H
#include "pool.h"

enum { CF_PLACE_NOWHERE = 255 }; /* all of the window is padding; a window has no more points */

/* Points of windows a point apart up to which it is faster that each looks for its gradients: 3x3 of 192x28x28 took 0.34 ms, by
 * indices 0.84; 5x5 of 256x20x20 0.61 and 0.47 (Zen 3). */
enum { CF_PLACE_GATHERED = 9 };

/* A task makes a box of output points: its extents on each axis are those of `box` or what is left. */
typedef struct {
    cf_pool_desc desc; /* planes are slices, slices rows, where windows are one point of these */
    cf_options options;
    int64_t box[3], boxes[3];
    int64_t rows, slices; /* input rows and slices under a box */
    int64_t ld; /* reals of a row of results */
    int gaps; /* the windows of some columns are padding */
    int64_t off_at[2], scratch_at, scratch_bytes, workspace_bytes; /* scratch_bytes a thread */
} cf_place_plan;

/* CF_UNSUPPORTED for adaptive windows, and for those of more points than places. */
cf_status cf_place_plan_init(cf_place_plan *plan, const cf_pool_desc *desc, const cf_options *options);

/* y = maxima of x as of CF_MAX_POOL_INDEX, place = their places. */
void cf_place_max(const cf_place_plan *plan, const void *x, void *y, uint8_t *place, void *workspace);

/* dx = gradient of x from that of y. */
void cf_place_max_backward(const cf_pool_desc *desc, const cf_options *options, const void *dy, const uint8_t *place,
                           void *dx);

#endif
