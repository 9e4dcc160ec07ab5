/* SPDX-License-Identifier: BSD-3-Clause */
/* Contracts of the steps of optimisers on n elements, in one pass over memory.  Formulas in ops/optim.h. */
#ifndef CF_KERNELS_OPTIM_H
#define CF_KERNELS_OPTIM_H
#include <stdint.h>

typedef struct {
    double rate, momentum, decay;
    int nesterov; /* 0 or 1 */
} cf_sgd;

typedef struct {
    double rate, root;  /* lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
    double beta1, beta2, eps;
    double decay, keep; /* decay of the gradient, factor of the data */
} cf_adam;

/* velocity is NULL where momentum is 0. */
#define CF_OPTIM_KERNELS(X)                                                            \
    X(sgd, (int64_t n, const cf_sgd *s, const void *grad, void *velocity, void *data)) \
    X(adam, (int64_t n, const cf_adam *s, const void *grad, void *mean, void *square, void *data))

#endif
