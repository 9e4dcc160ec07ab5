# Elementwise functions: csrc/ops/activation.h.

ACTIVATIONS = {
    "relu": CF_RELU,
    "leaky_relu": CF_LEAKY_RELU,
    "hardtanh": CF_HARDTANH,
    "sigmoid": CF_SIGMOID,
    "hardsigmoid": CF_HARDSIGMOID,
    "hardswish": CF_HARDSWISH,
    "tanh": CF_TANH,
    "gelu": CF_GELU,
    "gelu_tanh": CF_GELU_TANH,
    "silu": CF_SILU,
}


def activation(tuple how, int kind, double a, double b, cnp.ndarray x, cnp.ndarray dy, cnp.ndarray out):
    """out = f(x), or f'(x) * dy if dy is given."""
    cdef Call call = begin(how)
    cdef cf_activation_desc d
    d.dtype = dtype_of(x)
    d.kind = <cf_activation_kind>kind
    d.a = a
    d.b = b
    d.n = cnp.PyArray_SIZE(x)
    cdef void *px = data_of(x)
    cdef void *pdy = data_of(dy)
    cdef void *pout = data_of(out)
    cdef cf_status status
    with nogil:
        if pdy == NULL:
            status = cf_activation_forward(&d, &call.options, px, pout)
        else:
            status = cf_activation_backward(&d, &call.options, px, pdy, pout)
    check(status)
    if call.start >= 0:
        report(call, f"activation {kind} n{d.n}", call.options.threads, 0)


def add(tuple how, cnp.ndarray x, cnp.ndarray z, double low, double high, cnp.ndarray out):
    """out = clamp(x + z, low, high); out may be x or z."""
    cdef Call call = begin(how)
    cdef cf_dtype dtype = dtype_of(x)
    cdef int64_t n = cnp.PyArray_SIZE(x)
    cdef void *px = data_of(x)
    cdef void *pz = data_of(z)
    cdef void *pout = data_of(out)
    cdef cf_status status
    with nogil:
        status = cf_add(dtype, &call.options, n, low, high, px, pz, pout)
    check(status)
    if call.start >= 0:
        report(call, f"add n{n} in [{low:g}, {high:g}]", call.options.threads, 0)


cdef cf_prelu_desc prelu_desc(cnp.ndarray x, cnp.ndarray weight):
    cdef cf_prelu_desc d
    d.dtype = dtype_of(x)
    d.n, d.channels, d.points = x.shape[0], x.shape[1], x.shape[2]
    d.weights = weight.shape[0]
    return d


def prelu(tuple how, cnp.ndarray x, cnp.ndarray weight, cnp.ndarray out):
    """x (n, channels, points), weight (channels,) or (1,)."""
    cdef Call call = begin(how)
    cdef cf_prelu_desc d = prelu_desc(x, weight)
    cdef void *px = data_of(x)
    cdef void *pw = data_of(weight)
    cdef void *pout = data_of(out)
    cdef cf_status status
    with nogil:
        status = cf_prelu_forward(&d, &call.options, px, pw, pout)
    check(status)


def prelu_backward(tuple how, cnp.ndarray x, cnp.ndarray weight, cnp.ndarray dy, cnp.ndarray dx, cnp.ndarray dw):
    cdef Call call = begin(how)
    cdef cf_prelu_desc d = prelu_desc(x, weight)
    cdef Workspace sums = take_workspace(d.channels * sizeof(double))
    cdef void *px = data_of(x)
    cdef void *pw = data_of(weight)
    cdef void *pdy = data_of(dy)
    cdef void *pdx = data_of(dx)
    cdef void *pdw = data_of(dw)
    cdef cf_status status
    with nogil:
        status = cf_prelu_backward(&d, &call.options, px, pw, pdy, pdx, pdw, <double *>sums.data())
    give_back(sums)
    check(status)
