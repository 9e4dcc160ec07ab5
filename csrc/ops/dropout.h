/* SPDX-License-Identifier: BSD-3-Clause */
/* Dropout (N. Srivastava et al., JMLR 15, 2014), inverted: kept elements are scaled by 1 / (1 - p).  Its gradient is
 * the same call on dy.
 *
 *   y[i] = word(i / run) >= threshold ? scale * x[i] : 0,  i < n * run;  word: see kernels/dropout.h
 *
 * run > 1 keeps or drops whole planes.  With run == 1, `kept` receives or gives a bit an element: (ceil(n / 32),) words,
 * bit i % 32 of word i / 32. */
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

/* kept may be NULL. */
cf_status cf_dropout(const cf_dropout_desc *d, const cf_options *options, const void *x, void *y, uint32_t *kept);
/* The same with the choice of another call; seed and threshold do not matter. */
cf_status cf_dropout_again(const cf_dropout_desc *d, const cf_options *options, const uint32_t *kept, const void *x,
                           void *y);

#endif
