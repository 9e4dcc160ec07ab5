# Steps of optimisers: csrc/ops/optim.h.  Arrays of one dtype and size, changed in place.


def sgd_step(tuple how, double rate, double momentum, double decay, bint nesterov, cnp.ndarray grad,
             cnp.ndarray velocity, cnp.ndarray data):
    """Without momentum, velocity is None."""
    cdef Call call = begin(how)
    cdef cf_sgd s
    s.rate, s.momentum, s.decay, s.nesterov = rate, momentum, decay, nesterov
    cdef cf_dtype dtype = dtype_of(data)
    cdef int64_t n = cnp.PyArray_SIZE(data)
    cdef void *pg = data_of(grad)
    cdef void *pv = data_of(velocity)
    cdef void *pd = data_of(data)
    cdef cf_status status
    with nogil:
        status = cf_sgd_step(dtype, &call.options, n, &s, pg, pv, pd)
    check(status)
    if call.start >= 0:
        report(call, f"sgd n{n}", call.options.threads, 0)


def adam_step(tuple how, double rate, double root, tuple betas, double eps, double decay, double keep, cnp.ndarray grad,
              cnp.ndarray mean, cnp.ndarray square, cnp.ndarray data):
    cdef Call call = begin(how)
    cdef cf_adam s
    s.rate, s.root, s.eps, s.decay, s.keep = rate, root, eps, decay, keep
    s.beta1, s.beta2 = betas
    cdef cf_dtype dtype = dtype_of(data)
    cdef int64_t n = cnp.PyArray_SIZE(data)
    cdef void *pg = data_of(grad)
    cdef void *pm = data_of(mean)
    cdef void *ps = data_of(square)
    cdef void *pd = data_of(data)
    cdef cf_status status
    with nogil:
        status = cf_adam_step(dtype, &call.options, n, &s, pg, pm, ps, pd)
    check(status)
    if call.start >= 0:
        report(call, f"adam n{n}", call.options.threads, 0)
