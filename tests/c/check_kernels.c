/* SPDX-License-Identifier: BSD-3-Clause */
/* Every kernel of every table that this machine runs, against naive C.
 * check_kernels [seed]   prints "kernel isa dtype ok". */
#include "check.h"

int64_t check_random(check *c, int64_t low, int64_t high)
{
    c->random ^= c->random << 13; /* xorshift64, Marsaglia 2003 */
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return low + (int64_t)(c->random % (uint64_t)(high - low + 1));
}

void *check_array(check *c, int64_t n)
{
    void *a = malloc((size_t)(n * c->kn->size));
    for (int64_t i = 0; i < n; i++) check_put(c, a, i, (double)check_random(c, -8, 8));
    return a;
}

void *check_zeros(check *c, int64_t n) { return calloc((size_t)n, (size_t)c->kn->size); }

void *check_copy(check *c, const void *array, int64_t n)
{
    void *a = malloc((size_t)(n * c->kn->size));
    if (n) memcpy(a, array, (size_t)(n * c->kn->size));
    return a;
}

double check_get(const check *c, const void *array, int64_t i)
{
    return c->kn->dtype == CF_F64 ? ((const double *)array)[i] : (double)((const float *)array)[i];
}

void check_put(const check *c, void *array, int64_t i, double value)
{
    if (c->kn->dtype == CF_F64) ((double *)array)[i] = value;
    else ((float *)array)[i] = (float)value;
}

void check_equal(check *c, const void *got, const void *expected, int64_t n, const char *what)
{
    int shown = 0;
    c->cases++;
    for (int64_t i = 0; i < n; i++) {
        double g = check_get(c, got, i), e = check_get(c, expected, i);
        if (g == e || (isnan(g) && isnan(e))) continue;
        c->failures += shown == 0;
        if (shown++ < 4) printf("  %s %s: element %lld is %g, expected %g\n", c->name, what, (long long)i, g, e);
    }
}

void check_close(check *c, double got, double expected, double tolerance)
{
    double epsilon = c->kn->dtype == CF_F64 ? 0x1p-52 : 0x1p-23;
    c->cases++;
    if (fabs(got - expected) <= tolerance * epsilon * (1 + fabs(expected))) return;
    if (c->failures++ < 4) printf("  %s: %.9g, expected %.9g\n", c->name, got, expected);
}

typedef struct {
    const char *name;
    void (*run)(check *c);
} entry;

#define ENTRY(name, params) {#name, check_##name},
static const entry entries[] = {CF_KERNEL_LIST(ENTRY){"tile", check_tile},
                                {"dot", check_dot},
                                {"strip", check_strip},
                                {"sums", check_sums},
                                {"transform", check_transform}};

static int64_t finish(const check *c)
{
    printf("%-24s %-7s %s %s (%lld cases)\n", c->name, cf_isa_name(c->kn->isa), c->kn->dtype == CF_F64 ? "f64" : "f32",
           c->failures ? "FAILED"
           : c->cases  ? "ok"
                       : "NOT RUN",
           (long long)c->cases);
    return c->failures + !c->cases;
}

static int64_t check_table(const cf_kernels *kn, uint64_t seed)
{
    int64_t failures = 0;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        check c = {.kn = kn, .random = seed, .name = entries[i].name};
        entries[i].run(&c);
        failures += finish(&c);
    }
    check c = {.kn = kn, .random = seed, .name = "convolution"};
    check_convolutions(&c, kn->isa, kn->dtype);
    return failures + finish(&c);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20260101;
    int64_t failures = 0;
    printf("seed %llu\n", (unsigned long long)seed);
    for (cf_isa isa = CF_SCALAR; isa < CF_ISAS; isa++)
        for (cf_dtype dtype = CF_F32; dtype < CF_DTYPES; dtype++)
            if (cf_kernels_for(isa, dtype)) failures += check_table(cf_kernels_for(isa, dtype), seed | 1);
    printf("%s\n", failures ? "FAILED" : "all ok");
    return failures != 0;
}
