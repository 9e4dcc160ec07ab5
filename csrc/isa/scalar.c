/* SPDX-License-Identifier: BSD-3-Clause */
/* Portable C: one element a vector.  16 registers are assumed, the least of today's 64-bit machines. */
#define CF_ISA scalar
#define CF_ISA_ID CF_SCALAR
#define CF_VBYTES 0 /* bytes of a vector register; 0 = no vectors */
#define CF_REGISTERS 16
#include "../kernels/table.inc.c"
