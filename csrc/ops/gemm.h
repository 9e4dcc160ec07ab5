/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix product on the register tile; fully connected layers and their gradients are this. */
#ifndef CF_GEMM_H
#define CF_GEMM_H
#include "../cnnfast.h"

/* c[i][j] = clamp(sum_l a[i*a_rs + l*a_cs] * b[l*b_rs + j*b_cs] + (bias ? bias[j] : 0), low, high),
 *   i < m,  j < n,  l < k;  c (m, n) is packed. */
typedef struct {
    cf_dtype dtype;
    int64_t m, n, k, a_rs, a_cs, b_rs, b_cs;
    double low, high;
} cf_gemm_desc;

typedef struct {
    cf_gemm_desc desc;
    cf_options options;
    int64_t nv, panels, tiles, passes, splits; /* balanced parts of rows, vectors, k; splits of the panels */
    int64_t dots;                              /* columns of a dot tile; 0: products go through the register tile */
    int pack_a;                                /* else it is read where it lies */
    int64_t a_at, koff_at, b_at, b_bytes, workspace_bytes; /* offsets in the workspace; b_bytes a thread */
} cf_gemm_plan;

cf_status cf_gemm_plan_init(cf_gemm_plan *plan, const cf_gemm_desc *desc, const cf_options *options);
void cf_gemm(const cf_gemm_plan *plan, const void *a, const void *b, const void *bias, void *c, void *workspace);

#endif
