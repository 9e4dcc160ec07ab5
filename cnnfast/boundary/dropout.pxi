# Dropout: csrc/ops/dropout.h.


def dropout(tuple how, double p, uint64_t seed, int64_t run, cnp.ndarray x, cnp.ndarray y, cnp.ndarray kept=None,
            bint again=False):
    """Keep or drop each run of x; kept ones are scaled by 1 / (1 - p), p < 1.

    With run 1, `kept`, uint32, receives a bit an element; if `again`, it says instead which ones to keep.
    """
    cdef Call call = begin(how)
    cdef cf_dropout_desc d
    d.dtype = dtype_of(x)
    d.run = run
    d.n = cnp.PyArray_SIZE(x) // run if run else 0
    d.seed = seed
    d.threshold = <uint32_t>(p * 4294967296.0)
    d.scale = 1 / (1 - p)
    cdef void *px = data_of(x)
    cdef void *py = data_of(y)
    cdef uint32_t *bits = <uint32_t *>data_of(kept)
    cdef cf_status status
    with nogil:
        if again:
            status = cf_dropout_again(&d, &call.options, bits, px, py)
        else:
            status = cf_dropout(&d, &call.options, px, py, bits)
    check(status)
    if call.start >= 0:
        report(call, f"dropout n{d.n}x{d.run}", call.options.threads, 0)
