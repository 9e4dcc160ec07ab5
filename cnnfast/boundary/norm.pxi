# Normalisation: csrc/ops/norm.h and csrc/ops/lrn.h.  Arrays (n, channels, points).


cdef cf_norm_desc norm_desc(cnp.ndarray x, int64_t groups, double eps, double low, double high):
    cdef cf_norm_desc d
    d.dtype = dtype_of(x)
    d.n, d.channels, d.points = x.shape[0], x.shape[1], x.shape[2]
    d.groups = groups
    d.eps = eps
    d.low, d.high = low, high
    return d


NORM_COMPUTE = CF_NORM_COMPUTE
NORM_COMPUTED = CF_NORM_COMPUTED
NORM_GIVEN = CF_NORM_GIVEN


def norm_forward(tuple how, cnp.ndarray x, int64_t groups, int statistics, cnp.ndarray weight, cnp.ndarray bias,
                 double eps, cnp.ndarray mean, cnp.ndarray variance, cnp.ndarray y, cnp.ndarray z=None,
                 double low=-INFINITY, double high=INFINITY):
    """Normalise, add z, clamp; mean and variance, float64, one for each unit, are results or arguments."""
    cdef Call call = begin(how)
    cdef cf_norm_desc d = norm_desc(x, groups, eps, low, high)
    cdef void *px = data_of(x)
    cdef void *pw = data_of(weight)
    cdef void *pb = data_of(bias)
    cdef double *pm = <double *>data_of(mean)
    cdef double *pv = <double *>data_of(variance)
    cdef void *pz = data_of(z)
    cdef void *py = data_of(y)
    cdef cf_status status
    with nogil:
        status = cf_norm_forward(&d, &call.options, <cf_norm_statistics>statistics, px, pw, pb, pz, pm, pv, py)
    check(status)
    if call.start >= 0:
        report(call, f"norm {norm_text(&d)}{'' if z is None else ' plus an array'}", call.options.threads, 0)


cdef str norm_text(const cf_norm_desc *d):
    return f"n{d.n}c{d.channels}x{d.points} groups {d.groups}{clamp_text(d.low, d.high)}"


def norm_backward(tuple how, cnp.ndarray dy, cnp.ndarray x, int64_t groups, int statistics, cnp.ndarray weight,
                  cnp.ndarray bias, double eps, cnp.ndarray mean, cnp.ndarray variance, cnp.ndarray dx,
                  cnp.ndarray dweight, cnp.ndarray dbias, double low=-INFINITY, double high=INFINITY):
    """Gradients where no z was added; dweight and dbias are float64."""
    cdef Call call = begin(how)
    cdef cf_norm_desc d = norm_desc(x, groups, eps, low, high)
    cdef int64_t size = cf_norm_workspace_bytes(&d)
    cdef Workspace workspace = take_workspace(size)
    cdef void *pdy = data_of(dy)
    cdef void *px = data_of(x)
    cdef void *pw = data_of(weight)
    cdef void *pb = data_of(bias)
    cdef double *pm = <double *>data_of(mean)
    cdef double *pv = <double *>data_of(variance)
    cdef void *pdx = data_of(dx)
    cdef double *pdw = <double *>data_of(dweight)
    cdef double *pdb = <double *>data_of(dbias)
    cdef cf_status status
    with nogil:
        status = cf_norm_backward(&d, &call.options, <cf_norm_statistics>statistics, pdy, px, pw, pb, pm, pv, pdx, pdw,
                                  pdb, workspace.data())
    give_back(workspace)
    check(status)
    if call.start >= 0:
        report(call, f"norm_backward {norm_text(&d)}", call.options.threads, size)


def lrn(tuple how, cnp.ndarray x, cnp.ndarray dy, int64_t size, double alpha, double beta, double k, cnp.ndarray out,
        cnp.ndarray scratch):
    """Local response normalisation; with dy and a scratch like x, its gradient."""
    cdef Call call = begin(how)
    cdef cf_lrn_desc d
    d.dtype = dtype_of(x)
    d.n, d.channels, d.points = x.shape[0], x.shape[1], x.shape[2]
    d.size = size
    d.alpha, d.beta, d.k = alpha, beta, k
    cdef void *px = data_of(x)
    cdef void *pdy = data_of(dy)
    cdef void *pout = data_of(out)
    cdef void *ps = data_of(scratch)
    cdef cf_status status
    with nogil:
        if pdy == NULL:
            status = cf_lrn_forward(&d, &call.options, px, pout)
        else:
            status = cf_lrn_backward(&d, &call.options, pdy, px, pout, ps)
    check(status)
    if call.start >= 0:
        report(call, f"lrn n{d.n}c{d.channels}x{d.points} size {d.size}", call.options.threads, 0)
