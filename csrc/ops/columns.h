/* SPDX-License-Identifier: BSD-3-Clause */
/* Columns of images in any order of their axes, and back.
 *
 *   cols[n*at[0] + c*at[1] + t*at[2] + o*at[3]] = x[n, c, o*stride + t*dil - pad], `fill` where that is outside of x
 *
 * with t over the kernel and o over the output, both flat.  The axes are packed in some order: at is a permutation of
 * the strides of a packed array, so one of them is 1. */
#ifndef CF_COLUMNS_H
#define CF_COLUMNS_H
#include "../cnnfast.h"

typedef struct {
    cf_dtype dtype;
    int64_t n, c, in[3], out[3], kernel[3], stride[3], dil[3], pad[3];
    int64_t at[4]; /* strides of image, channel, tap, point */
    double fill;
} cf_columns_desc;

int64_t cf_columns_workspace(const cf_columns_desc *d, const cf_options *options); /* bytes */

cf_status cf_im2col(const cf_columns_desc *d, const cf_options *options, const void *x, void *cols, void *workspace);

/* The adjoint: x[...] += cols[...] on zeros, in ascending t; `fill` is not used. */
cf_status cf_col2im(const cf_columns_desc *d, const cf_options *options, const void *cols, void *x, void *workspace);

#endif
