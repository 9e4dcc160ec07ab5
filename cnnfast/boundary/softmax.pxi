# Softmax and cross entropy: csrc/ops/softmax.h.  Arrays (outer, classes, inner).


cdef cf_softmax_desc softmax_desc(cnp.ndarray x):
    cdef cf_softmax_desc d
    d.dtype = dtype_of(x)
    d.outer, d.classes, d.inner = x.shape[0], x.shape[1], x.shape[2]
    return d


def softmax(tuple how, bint logarithm, cnp.ndarray x, cnp.ndarray dy, cnp.ndarray out):
    """out = softmax of x; with dy, out = gradient from the result x and dy."""
    cdef Call call = begin(how)
    cdef cf_softmax_desc d = softmax_desc(x)
    cdef void *px = data_of(x)
    cdef void *pdy = data_of(dy)
    cdef void *pout = data_of(out)
    cdef cf_status status
    with nogil:
        if pdy == NULL:
            status = cf_softmax_forward(&d, &call.options, logarithm, px, pout)
        else:
            status = cf_softmax_backward(&d, &call.options, logarithm, px, pdy, pout)
    check(status)
    if call.start >= 0:
        report(call, f"softmax {d.outer}x{d.classes}x{d.inner}", call.options.threads, 0)


def cross_entropy(tuple how, cnp.ndarray x, cnp.ndarray target, cnp.ndarray probabilities, cnp.ndarray weight,
                  int64_t ignore_index, double smoothing, cnp.ndarray losses, cnp.ndarray dx):
    """Without dx, losses (outer, inner) float64 of each line; with it, dx from losses = the gradient of each loss.

    False if a target is no class, and then nothing is written.
    """
    cdef Call call = begin(how)
    cdef cf_cross_entropy_desc d
    d.shape = softmax_desc(x)
    d.target = <int64_t *>data_of(target)
    d.probabilities = data_of(probabilities)
    d.weight = <double *>data_of(weight)
    d.ignore_index = ignore_index
    d.smoothing = smoothing
    cdef void *px = data_of(x)
    cdef double *pl = <double *>data_of(losses)
    cdef void *pdx = data_of(dx)
    cdef cf_status status
    with nogil:
        if pdx == NULL:
            status = cf_cross_entropy_forward(&d, &call.options, px, pl)
        else:
            status = cf_cross_entropy_backward(&d, &call.options, px, pl, pdx)
    if status == CF_INVALID:
        return False
    check(status)
    if call.start >= 0:
        report(call, f"cross_entropy {d.shape.outer}x{d.shape.classes}x{d.shape.inner}", call.options.threads, 0)
    return True
