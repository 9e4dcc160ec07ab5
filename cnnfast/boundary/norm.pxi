# Batch norm: csrc/ops/norm.h.  x (n, channels, points); statistics and parameters are float64 (channels,).


cdef cf_norm_desc norm_desc(cnp.ndarray x, double eps):
    cdef cf_norm_desc d
    d.dtype = dtype_of(x)
    d.n, d.channels, d.points = x.shape[0], x.shape[1], x.shape[2]
    d.eps = eps
    return d


def norm_statistics(tuple how, cnp.ndarray x, cnp.ndarray mean, cnp.ndarray variance):
    cdef Call call = begin(how)
    cdef cf_norm_desc d = norm_desc(x, 0)
    cdef void *px = data_of(x)
    cdef double *pm = <double *>data_of(mean)
    cdef double *pv = <double *>data_of(variance)
    cdef cf_status status
    with nogil:
        status = cf_norm_statistics(&d, &call.options, px, pm, pv)
    check(status)


def norm_forward(tuple how, cnp.ndarray x, cnp.ndarray mean, cnp.ndarray variance, cnp.ndarray weight, cnp.ndarray bias,
                 double eps, cnp.ndarray y):
    cdef Call call = begin(how)
    cdef cf_norm_desc d = norm_desc(x, eps)
    cdef void *px = data_of(x)
    cdef double *pm = <double *>data_of(mean)
    cdef double *pv = <double *>data_of(variance)
    cdef double *pw = <double *>data_of(weight)
    cdef double *pb = <double *>data_of(bias)
    cdef void *py = data_of(y)
    cdef cf_status status
    with nogil:
        status = cf_norm_forward(&d, &call.options, px, pm, pv, pw, pb, py)
    check(status)
    if call.start >= 0:
        report(call, f"norm n{d.n}c{d.channels}x{d.points}", call.options.threads, 0)


def norm_backward(tuple how, bint through_statistics, cnp.ndarray dy, cnp.ndarray x, cnp.ndarray mean, cnp.ndarray variance,
                  cnp.ndarray weight, double eps, cnp.ndarray dx, cnp.ndarray dweight, cnp.ndarray dbias):
    cdef Call call = begin(how)
    cdef cf_norm_desc d = norm_desc(x, eps)
    cdef void *pdy = data_of(dy)
    cdef void *px = data_of(x)
    cdef double *pm = <double *>data_of(mean)
    cdef double *pv = <double *>data_of(variance)
    cdef double *pw = <double *>data_of(weight)
    cdef void *pdx = data_of(dx)
    cdef double *pdw = <double *>data_of(dweight)
    cdef double *pdb = <double *>data_of(dbias)
    cdef cf_status status
    with nogil:
        status = cf_norm_backward(&d, &call.options, through_statistics, pdy, px, pm, pv, pw, pdx, pdw, pdb)
    check(status)
    if call.start >= 0:
        report(call, f"norm_backward n{d.n}c{d.channels}x{d.points}", call.options.threads, 0)
