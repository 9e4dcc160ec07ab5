/* SPDX-License-Identifier: BSD-3-Clause */
/* The choice of the register tile. */
#include "blocking.h"

/* Most rows a tile of nv vectors has in this table. */
static int64_t rows_of(const cf_kernels *kn, int64_t nv)
{
    int64_t mr = CF_MR_MAX;
    while (mr > 0 && !kn->tile[nv][mr]) mr--;
    return mr;
}

/* Cost of a multiply-add of vectors, 1 at the peak: a step of k costs mr * nv FMAs beside mr broadcasts and nv loads that cross lines half of the
 * time; the other terms are the prologue and the stores, fitted on Zen 4. */
static double cost_of(double mr, double nv)
{
    double fma = mr * nv, loads = mr + 1.5 * nv;
    return ((fma > loads ? fma : loads) + 1 + 8 / fma + 0.4 * nv) / fma;
}

cf_tile_shape cf_choose_tile(const cf_kernels *kn, int64_t rows, int64_t vectors)
{
    cf_tile_shape best = {1, 1, 0};
    double least = 1e300;
    for (int64_t nv = 1; nv <= CF_NV_MAX; nv++) {
        int64_t mr = rows_of(kn, nv);
        if (mr == 0) break;
        int64_t panels = cf_ceil_div(rows, mr), tiles = cf_ceil_div(vectors, nv);
        double cost = cost_of((double)rows / (double)panels, (double)vectors / (double)tiles);
        if (cost < least - 1e-3) {
            least = cost;
            best = (cf_tile_shape){nv, panels, cost};
        }
    }
    return best;
}
