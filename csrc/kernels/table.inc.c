/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel table of one instruction set and dtype; included by the stubs in isa/, each compiled once per dtype. */
#include "vec.h"
#include "../core/kernels.h"

#include "math.inc.c"

#include "activation.inc.c"
#include "dropout.inc.c"
#include "lrn.inc.c"
#include "norm.inc.c"
#include "pack.inc.c"
#include "peak.inc.c"
#include "pool.inc.c"
#include "rows.inc.c"
#include "columns.inc.c"
#include "softmax.inc.c"
#include "tile.inc.c"
#include "dot.inc.c"

#define CF_KERNEL_ENTRY(name, params) .name = CF_NAME(name),

extern const cf_kernels CF_NAME(kernels);
const cf_kernels CF_NAME(kernels) = {.isa = CF_ISA_ID,
                                     .dtype = CF_DTYPE_ID,
                                     .size = CF_REAL_BYTES,
                                     .lanes = VL,
                                     .tile = CF_TILE_TABLE,
                                     .dot = CF_DOT_TABLE,
                                     CF_KERNEL_LIST(CF_KERNEL_ENTRY)};
