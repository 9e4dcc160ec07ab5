/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of optimisers on arrays of n elements, in place, in one pass over memory.
 *
 * sgd   g = grad + decay * data;  v = momentum * v + g;  data -= rate * (nesterov ? g + momentum * v : v)
 * adam  data *= keep;  g = grad + decay * data;  mean += (1 - beta1) * (g - mean);
 *       square = beta2 * square + (1 - beta2) * g^2;  data -= rate * mean / (root * sqrt(square) + eps) */
#ifndef CF_OPTIM_H
#define CF_OPTIM_H
#include "../cnnfast.h"
#include "../kernels/optim.h"

/* velocity is NULL where momentum is 0. */
cf_status cf_sgd_step(cf_dtype dtype, const cf_options *options, int64_t n, const cf_sgd *s, const void *grad,
                      void *velocity, void *data);
cf_status cf_adam_step(cf_dtype dtype, const cf_options *options, int64_t n, const cf_adam *s, const void *grad,
                       void *mean, void *square, void *data);

#endif
