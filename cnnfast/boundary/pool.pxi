# Pooling: csrc/ops/pool.h.

SCATTER_ADD = CF_SCATTER_ADD
SCATTER_SET = CF_SCATTER_SET
GATHER = CF_GATHER


cdef cf_pool_desc pool_desc(geometry, cnp.ndarray array, bint count_pad, double divisor) except *:
    """`geometry` has planes and tuples input, output, kernel, stride, dilation, pad, pad_hi; kernel None if adaptive."""
    cdef cf_pool_desc d
    cdef int lead = 3 - len(geometry.input)
    d.dtype = dtype_of(array)
    d.adaptive = geometry.kernel is None
    d.count_pad = count_pad
    d.divisor = divisor
    d.planes = geometry.planes
    for axis in range(3):
        at = axis - lead
        windowed = at >= 0 and not d.adaptive
        d.in_[axis] = geometry.input[at] if at >= 0 else 1
        d.out[axis] = geometry.output[at] if at >= 0 else 1
        d.kernel[axis] = geometry.kernel[at] if windowed else 1
        d.stride[axis] = geometry.stride[at] if windowed else 1
        d.dil[axis] = geometry.dilation[at] if windowed else 1
        d.pad[axis] = geometry.pad[at] if windowed else 0
        d.pad_hi[axis] = geometry.pad_hi[at] if windowed else 0
    return d


def max_pool(tuple how, geometry, cnp.ndarray x, cnp.ndarray y, cnp.ndarray index):
    """y and, unless None, index (int64) of the largest element of each window."""
    cdef Call call = begin(how)
    cdef cf_pool_desc d = pool_desc(geometry, x, True, 0)
    cdef Workspace workspace = take_workspace(cf_pool_workspace(&d, &call.options))
    cdef void *px = data_of(x)
    cdef void *py = data_of(y)
    cdef int64_t *pi = <int64_t *>data_of(index)
    cdef cf_status status
    with nogil:
        status = cf_max_pool(&d, &call.options, px, py, pi, workspace.data())
    give_back(workspace)
    check(status)
    if call.start >= 0:
        report(call, f"max_pool {geometry}", call.options.threads, workspace.size)


def average_pool(tuple how, geometry, bint backward, cnp.ndarray first, cnp.ndarray result, bint count_pad, double divisor):
    """Forward: result = y of first = x.  Backward: result = grad_input of first = grad_output.  divisor 0: count points."""
    cdef Call call = begin(how)
    cdef cf_pool_desc d = pool_desc(geometry, first, count_pad, divisor)
    cdef Workspace workspace = take_workspace(cf_pool_workspace(&d, &call.options))
    cdef void *p = data_of(first)
    cdef void *out = data_of(result)
    cdef cf_status status
    with nogil:
        if backward:
            status = cf_average_pool_backward(&d, &call.options, p, out, workspace.data())
        else:
            status = cf_average_pool(&d, &call.options, p, out, workspace.data())
    give_back(workspace)
    check(status)
    if call.start >= 0:
        report(call, f"average_pool {geometry}", call.options.threads, workspace.size)


def scatter(tuple how, int kind, int64_t planes, cnp.ndarray index, cnp.ndarray x, cnp.ndarray y):
    """See cf_scatter; False if an index lies outside, and then nothing is written."""
    cdef Call call = begin(how)
    cdef cnp.ndarray full = x if kind == CF_GATHER else y
    cdef int64_t size = cnp.PyArray_SIZE(full) // planes if planes else 0
    cdef int64_t points = cnp.PyArray_SIZE(index) // planes if planes else 0
    cdef cf_dtype dtype = dtype_of(x)
    cdef void *px = data_of(x)
    cdef void *py = data_of(y)
    cdef int64_t *pi = <int64_t *>data_of(index)
    cdef cf_status status
    with nogil:
        status = cf_scatter(<cf_scatter_kind>kind, dtype, &call.options, planes, points, size, pi, px, py)
    if status == CF_INVALID:
        return False
    check(status)
    return True
