/* SPDX-License-Identifier: BSD-3-Clause */
/* The register tile: where convolutions and matrix products multiply, but for the dot tile of narrow weight gradients.
 * Contract in dense.h.  All (mr, nv) come from one inlined body; table.inc.c lists them. */

/* Accumulators + the vectors of one step + one broadcast fit the registers. */
#define CF_TILE_FITS(mr, nv) ((mr) * (nv) + (nv) + 1 <= CF_REGISTERS)

/* A row that is not aligned ends in one line more. */
CF_INLINE void prefetch_row(int nv, const real *y)
{
    CF_UNROLL for (int j = 0; j < nv; j++) __builtin_prefetch(y + j * VL, 1);
    __builtin_prefetch(y + nv * VL - 1, 1);
}

/* What the next tile of the row loads; hardware does not see the stride between planes.  A step of a small tile has no slot
 * to spare for it: 5 by 2 vectors run at 96 % of the FMA peak, with this at 83 % (Zen 3, AVX2). */
CF_INLINE void prefetch_next(int mr, int nv, const real *bk)
{
    if (CF_REGISTERS < 32 || mr < 2 * nv) return;
    CF_UNROLL for (int j = 0; j < nv; j++) __builtin_prefetch(bk + (nv + j) * VL, 0, 2);
    __builtin_prefetch(bk + 2 * nv * VL - 1, 0, 2);
}

/* Rows of a that are not packed lie anywhere, and their products are so small that there is nothing to prefetch. */
CF_INLINE void tile(int mr, int nv, int packed, int64_t kc, const real *restrict a, int64_t a_rs, int64_t a_cs,
                    const real *restrict b, const int32_t *restrict koff, real *y, int64_t ldy, const real *init,
                    const real *from, int64_t ldf, int64_t lanes, const real *ahead)
{
    vec acc[CF_REGISTERS] = {0}; /* constant size: a variable one stays in memory */
    for (int64_t k = 0; k < kc; k++, a += a_cs) {
        const real *bk = b + koff[k];
        vec v[CF_NV_MAX];
        if (packed) prefetch_next(mr, nv, bk);
        if (packed && k < mr) {
            prefetch_row(nv, ahead);
            ahead += ldy;
        }
        CF_UNROLL for (int j = 0; j < nv; j++)
        {
            v[j] = load(bk + j * VL);
            CF_PIN(v[j]);
        }
        const real *ai = a;
        CF_UNROLL for (int i = 0; i < mr; i++, ai += packed ? 1 : a_rs)
        {
            if (!packed) CF_STEP(ai);
            CF_UNROLL for (int j = 0; j < nv; j++) acc[i * nv + j] += *ai * v[j];
        }
    }
    const int64_t rest = lanes - (nv - 1) * VL;
    CF_UNROLL for (int i = 0; i < mr; i++)
    {
        const real *start = from + i * ldf;
        real *row = y + i * ldy, *last = row + (nv - 1) * VL;
        CF_UNROLL for (int j = 0; j < nv - 1; j++)
            store(row + j * VL, acc[i * nv + j] + (init ? broadcast(init[i]) : load(start + j * VL)));
        vec tail = acc[i * nv + nv - 1];
        start += (nv - 1) * VL;
        if (rest == VL) store(last, tail + (init ? broadcast(init[i]) : load(start)));
        else store_part(last, tail + (init ? broadcast(init[i]) : load_part(start, rest)), rest);
    }
}

#define CF_EACH_MR(X, nv) \
    X(1, nv)              \
    X(2, nv)              \
    X(3, nv) X(4, nv) X(5, nv) X(6, nv) X(7, nv) X(8, nv) X(9, nv) X(10, nv) X(11, nv) X(12, nv) X(13, nv) X(14, nv)

#define CF_TILE_PARAMS                                                                                               \
    int64_t kc, const void *a, int64_t a_rs, int64_t a_cs, const void *b, const int32_t *koff, void *y, int64_t ldy, \
        const void *init, const void *from, int64_t ldf, int64_t lanes, const void *ahead

/* Rows that lie apart have a function of their own, so that registers are given out for each loop alone. */
#define CF_DEFINE_TILE(mr, nv)                                                                                        \
    static void tile_##mr##x##nv(CF_TILE_PARAMS)                                                                      \
    {                                                                                                                 \
        (void)a_rs;                                                                                                   \
        if (CF_TILE_FITS(mr, nv)) tile(mr, nv, 1, kc, a, 1, a_cs, b, koff, y, ldy, init, from, ldf, lanes, ahead);    \
    }                                                                                                                 \
    static void tile_apart_##mr##x##nv(CF_TILE_PARAMS)                                                                \
    {                                                                                                                 \
        if (CF_TILE_FITS(mr, nv)) tile(mr, nv, 0, kc, a, a_rs, a_cs, b, koff, y, ldy, init, from, ldf, lanes, ahead); \
    }
CF_EACH_MR(CF_DEFINE_TILE, 1)
CF_EACH_MR(CF_DEFINE_TILE, 2)
CF_EACH_MR(CF_DEFINE_TILE, 3)
CF_EACH_MR(CF_DEFINE_TILE, 4)
CF_EACH_MR(CF_DEFINE_TILE, 5)
CF_EACH_MR(CF_DEFINE_TILE, 6)

#define CF_TILE_ENTRY(mr, nv) CF_TILE_FITS(mr, nv) ? tile_##mr##x##nv : 0,
#define CF_APART_ENTRY(mr, nv) CF_TILE_FITS(mr, nv) ? tile_apart_##mr##x##nv : 0,
#define CF_TILE_ROWS(ENTRY)        \
    {                              \
        {0},                       \
        {0, CF_EACH_MR(ENTRY, 1)}, \
        {0, CF_EACH_MR(ENTRY, 2)}, \
        {0, CF_EACH_MR(ENTRY, 3)}, \
        {0, CF_EACH_MR(ENTRY, 4)}, \
        {0, CF_EACH_MR(ENTRY, 5)}, \
        {0, CF_EACH_MR(ENTRY, 6)}, \
    }
#define CF_TILE_TABLE CF_TILE_ROWS(CF_TILE_ENTRY)
#define CF_APART_TABLE CF_TILE_ROWS(CF_APART_ENTRY)
