# What the machine can do at most: csrc/ops/peak.h.

cdef extern from *:
    """
    #if defined(__clang__)
    #define CF_COMPILER __VERSION__
    #else
    #define CF_COMPILER "gcc " __VERSION__
    #endif
    """
    const char *CF_COMPILER


def compiler():
    """Name and version of the C compiler that built the library."""
    return CF_COMPILER.decode()


def peak_fma(tuple how, bint double, int64_t rounds):
    """`rounds` multiply-adds in every chain of every thread; the number of floating-point operations done."""
    cdef Call call = begin(how)
    cdef cf_dtype dtype = CF_F64 if double else CF_F32
    cdef int64_t flops
    with nogil:
        flops = cf_peak_fma(dtype, &call.options, rounds)
    return flops


def peak_stream(tuple how, cnp.ndarray src, cnp.ndarray dst):
    """dst[...] = src."""
    cdef Call call = begin(how)
    cdef cf_dtype dtype = dtype_of(src)
    cdef int64_t n = src.size
    cdef void *from_ = data_of(src)
    cdef void *to = data_of(dst)
    cdef cf_status status
    with nogil:
        status = cf_peak_stream(dtype, &call.options, n, from_, to)
    check(status)


def tiles(int isa, bint double):
    """Every (rows, vectors) of the register tile that an instruction set has."""
    cdef cf_dtype dtype = CF_F64 if double else CF_F32
    return [(mr, nv) for nv in range(1, CF_NV_MAX + 1) for mr in range(1, CF_MR_MAX + 1)
            if cf_peak_has_tile(dtype, <cf_isa>isa, mr, nv)]


def peak_tile(int isa, int64_t rounds, cnp.ndarray a, cnp.ndarray b, cnp.ndarray offsets, cnp.ndarray y):
    """`rounds` times y (mr, lanes) += a (kc, mr) transposed times b (kc, lanes), by one tile; offsets (kc,) int32."""
    cdef cf_dtype dtype = dtype_of(a)
    cdef int64_t mr = a.shape[1], kc = a.shape[0]
    cdef int64_t nv = b.shape[1] // cf_isa_lanes(<cf_isa>isa, dtype)
    cdef void *pa = data_of(a)
    cdef void *pb = data_of(b)
    cdef int32_t *koff = <int32_t *>data_of(offsets)
    cdef void *py = data_of(y)
    cdef cf_status status
    with nogil:
        status = cf_peak_tile(dtype, <cf_isa>isa, mr, nv, kc, rounds, pa, pb, koff, py)
    check(status)
