/* SPDX-License-Identifier: BSD-3-Clause */
/* AArch64.  32 registers, but gcc 12 spills from 24 accumulators on: 10x2 is the largest clean tile. */
#if !(defined(__ARM_NEON))
#error "compile csrc/isa/neon.c with its flags (see setup.py)"
#endif
#define CF_ISA neon
#define CF_ISA_ID CF_NEON
#define CF_VBYTES 16 /* bytes of a vector register; 0 = no vectors */
#define CF_REGISTERS 23
#include "../kernels/table.inc.c"
