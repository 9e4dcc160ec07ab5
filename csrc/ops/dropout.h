/* SPDX-License-Identifier: BSD-3-Clause */
/* Dropout (N. Srivastava et al., JMLR 15, 2014), inverted: kept elements are scaled by 1 / (1 - p).  Its gradient is
 * the same call on dy.
 *
 *   y[i] = word(i / run) >= threshold ? scale * x[i] : 0,  i < n * run;  word: see kernels/dropout.h
 *
 * run > 1 keeps or drops whole planes. */
#ifndef CF_DROPOUT_H
#define CF_DROPOUT_H
#include "../cnnfast.h"

typedef struct {
    cf_dtype dtype;
    int64_t n, run;
    uint64_t seed;
    uint32_t threshold; /* floor(p * 2^32), p < 1 */
    double scale;
} cf_dropout_desc;

cf_status cf_dropout(const cf_dropout_desc *d, const cf_options *options, const void *x, void *y);

#endif
