/* SPDX-License-Identifier: BSD-3-Clause */
/* The C contract of cnnfast.  Every op is a pure function of its arguments: the library allocates nothing,
 * keeps nothing and prints nothing.  Arrays are C-contiguous and hold the dtype named in the descriptor;
 * scratch memory is the caller's, sized by a function or plan of the op, aligned to CF_ALIGN. */
#ifndef CNNFAST_H
#define CNNFAST_H
#include <stddef.h>
#include <stdint.h>

enum { CF_ALIGN = 64 };

typedef enum { CF_OK, CF_INVALID, CF_UNSUPPORTED, CF_TOO_LARGE } cf_status;
typedef enum { CF_F32, CF_F64, CF_DTYPES } cf_dtype;
typedef enum { CF_SCALAR, CF_SSE2, CF_AVX2, CF_AVX512, CF_NEON, CF_ISAS } cf_isa;

/* How to run: which kernels, the most threads that may be used (at least 1), and whether sums of products may not be computed by
 * algorithms that round differently. */
typedef struct {
    cf_isa isa;
    int threads, exact;
} cf_options;

const char *cf_status_text(cf_status status);
const char *cf_isa_name(cf_isa isa);
int cf_isa_supported(cf_isa isa); /* built for this architecture, and this CPU has it */
cf_isa cf_isa_best(void);
int64_t cf_isa_lanes(cf_isa isa, cf_dtype dtype); /* elements of a vector register */

int cf_have_openmp(void);
int cf_max_threads(void); /* what OpenMP would use for the calling thread; 1 without OpenMP */

#include "ops/activation.h"
#include "ops/columns.h"
#include "ops/conv.h"
#include "ops/dropout.h"
#include "ops/gemm.h"
#include "ops/lrn.h"
#include "ops/norm.h"
#include "ops/optim.h"
#include "ops/peak.h"
#include "ops/pool.h"
#include "ops/softmax.h"

#endif
