/* SPDX-License-Identifier: BSD-3-Clause */
/* x86-64-v3 (Haswell 2013, Zen 2015). */
#if !(defined(__AVX2__) && defined(__FMA__))
#error "compile csrc/isa/avx2.c with its flags (see setup.py)"
#endif
#define CF_ISA avx2
#define CF_ISA_ID CF_AVX2
#define CF_VBYTES 32 /* bytes of a vector register; 0 = no vectors */
#define CF_REGISTERS 16
#include "../kernels/table.inc.c"
