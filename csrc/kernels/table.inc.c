/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel table of one instruction set and dtype; included by the stubs in isa/, each compiled once per dtype. */
#include "vec.h"
#include "../core/kernels.h"

#include "math.inc.c"

#include "activation.inc.c"
#include "dropout.inc.c"
#include "lrn.inc.c"
#include "norm.inc.c"
#include "optim.inc.c"
#include "pack.inc.c"
#include "peak.inc.c"
#include "pool.inc.c"
#include "power.inc.c"
#include "pool_place.inc.c"
#include "rows.inc.c"
#include "columns.inc.c"
#include "softmax.inc.c"
#include "tile.inc.c"
#include "dot.inc.c"
#include "depthwise.inc.c"
#include "winograd.inc.c"

/* Wide tiles take so long for a step that what it loads streams from L2, and 1152 = 128 channels of 3x3 keeps the
 * read-add-write of results under 2 % (Zen 4).  Narrow ones want the lanes of all steps in L1: with 144 steps dense layers
 * took 0.65 to 0.95 of the time that they took with 1152 (Zen 3, AVX2); 152 holds 3 channels of 7x7, 6 of 5x5 and 16 of
 * 3x3.  There a slab of a quarter of L2 leaves room for weights and results, and lanes that lie planes apart, thus on as many
 * pages, take longer than a slab's, more so where they begin anywhere in a line: fitted to which of both won on 20 layers of 1x1
 * (Zen 3). */
#define CF_NARROW (CF_REGISTERS < 32)
#define CF_L2 (CF_VBYTES < 64 ? 512 << 10 : 1 << 20)
#define CF_CORE                           \
    {.kc = CF_NARROW ? 152 : 1152,        \
     .l2 = CF_L2,                         \
     .slab = CF_L2 / (CF_NARROW ? 4 : 2), \
     .fma = CF_VBYTES < 64 ? 0.5 : 1,     \
     .in_place = {CF_NARROW ? 1.05 : 1, CF_NARROW ? 1.14 : 1}}

#define CF_KERNEL_ENTRY(name, params) .name = CF_NAME(name),

extern const cf_kernels CF_NAME(kernels);
const cf_kernels CF_NAME(kernels) = {.isa = CF_ISA_ID,
                                     .dtype = CF_DTYPE_ID,
                                     .size = CF_REAL_BYTES,
                                     .lanes = VL,
                                     .core = CF_CORE,
                                     .tile = CF_TILE_TABLE,
                                     .tile_apart = CF_APART_TABLE,
                                     .dot = CF_DOT_TABLE,
                                     .strip = CF_STRIP_TABLE,
                                     .sums = CF_SUMS_TABLE,
                                     .transform = CF_TRANSFORM_TABLE,
                                     CF_KERNEL_LIST(CF_KERNEL_ENTRY)};
