/* SPDX-License-Identifier: BSD-3-Clause */
/* x86-64-v4 (Skylake-X 2017, Zen 4 2022). */
#if !(defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__))
#error "compile csrc/isa/avx512.c with its flags (see setup.py)"
#endif
#define CF_ISA avx512
#define CF_ISA_ID CF_AVX512
#define CF_VBYTES 64 /* bytes of a vector register; 0 = no vectors */
#define CF_REGISTERS 32
#include "../kernels/table.inc.c"
