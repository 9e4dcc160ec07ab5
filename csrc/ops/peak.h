/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads whose rate is what the machine can do at most, and the register tile alone: the caller takes the time. */
#ifndef CF_PEAK_H
#define CF_PEAK_H
#include "../cnnfast.h"

/* `rounds` multiply-adds in every chain of every thread; the floating-point operations done, 0 without such kernels. */
int64_t cf_peak_fma(cf_dtype dtype, const cf_options *options, int64_t rounds);

/* dst[i] = src[i],  i < n. */
cf_status cf_peak_stream(cf_dtype dtype, const cf_options *options, int64_t n, const void *src, void *dst);

/* Whether the table has a tile of mr rows and nv vectors. */
int cf_peak_has_tile(cf_dtype dtype, cf_isa isa, int64_t mr, int64_t nv);

/* `rounds` times y[i][j] += sum_k a[k][i] * b[k][j],  i < mr,  j < nv * VL,  k < kc, in the calling thread;
 * a (kc, mr), b (kc, nv * VL) and y (mr, nv * VL) packed, koff (kc) scratch. */
cf_status cf_peak_tile(cf_dtype dtype, cf_isa isa, int64_t mr, int64_t nv, int64_t kc, int64_t rounds, const void *a,
                       const void *b, int32_t *koff, void *y);

#endif
