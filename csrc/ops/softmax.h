/* SPDX-License-Identifier: BSD-3-Clause */
/* Softmax along an axis and cross entropy, on arrays (outer, classes, inner); a line is the classes of one (outer,
 * inner). Formulas in kernels/softmax.h. */
#ifndef CF_SOFTMAX_H
#define CF_SOFTMAX_H
#include "../cnnfast.h"

typedef struct {
    cf_dtype dtype;
    int64_t outer, classes, inner;
} cf_softmax_desc;

cf_status cf_softmax_forward(const cf_softmax_desc *d, const cf_options *options, int logarithm, const void *x,
                             void *y);
cf_status cf_softmax_backward(const cf_softmax_desc *d, const cf_options *options, int logarithm, const void *y,
                              const void *dy, void *dx);

/* Either target (outer, inner), where ignore_index gives loss 0, or probabilities (outer, classes, inner); weight
 * (classes,) or NULL. */
typedef struct {
    cf_softmax_desc shape;
    const int64_t *target;
    const void *probabilities;
    const double *weight;
    int64_t ignore_index;
    double smoothing;
} cf_cross_entropy_desc;

/* loss (outer, inner), not written if there are no classes.  CF_INVALID, and nothing written, if a target is neither a
 * class nor ignore_index. */
cf_status cf_cross_entropy_forward(const cf_cross_entropy_desc *d, const cf_options *options, const void *x,
                                   double *loss);
/* grad (outer, inner): the gradient of each loss. */
cf_status cf_cross_entropy_backward(const cf_cross_entropy_desc *d, const cf_options *options, const void *x,
                                    const double *grad, void *dx);

#endif
