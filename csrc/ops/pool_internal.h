/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows of pooling, between plan and run. */
#ifndef CF_POOL_INTERNAL_H
#define CF_POOL_INTERNAL_H
#include "../core/kernels.h"
#include "pool.h"

/* Input points first, first + dil, ...: the part of a window that is not padding. */
typedef struct {
    int64_t first, count;
} cf_window;

cf_window cf_pool_window(const cf_pool_desc *d, int axis, int64_t o);

/* Output points from o on, up to `end`, whose windows are whole, or o alone. */
int64_t cf_pool_alike(const cf_pool_desc *d, int axis, int64_t o, int64_t end);

/* Whether an axis is taken as it is. */
int cf_pool_is_plain(const cf_pool_desc *d, int axis);

/* Points of the window of output point o that an average counts. */
int64_t cf_pool_points(const cf_pool_desc *d, int axis, int64_t o);

#endif
