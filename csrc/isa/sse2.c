/* SPDX-License-Identifier: BSD-3-Clause */
/* x86-64 baseline (2003).  Multiply and add are separate and need one more register than a fused one. */
#if !(defined(__SSE2__))
#error "compile csrc/isa/sse2.c with its flags (see setup.py)"
#endif
#define CF_ISA sse2
#define CF_ISA_ID CF_SSE2
#define CF_VBYTES 16 /* bytes of a vector register; 0 = no vectors */
#define CF_REGISTERS 15
#include "../kernels/table.inc.c"
