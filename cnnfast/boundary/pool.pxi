# Pooling: csrc/ops/pool.h.

MAX_POOL = CF_MAX_POOL
MAX_POOL_INDEX = CF_MAX_POOL_INDEX
AVERAGE_POOL = CF_AVERAGE_POOL
AVERAGE_POOL_BACKWARD = CF_AVERAGE_POOL_BACKWARD
SCATTER_ADD = CF_SCATTER_ADD
SCATTER_SET = CF_SCATTER_SET
GATHER = CF_GATHER


cdef tuple _POOL_PASSES = ("max_pool", "max_pool with indices", "average_pool", "average_pool_backward")


cdef cf_pool_desc pool_desc(geometry, cnp.ndarray array, bint count_pad, double divisor) except *:
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


def pool(
    tuple how,
    int which,
    geometry,
    cnp.ndarray x,
    cnp.ndarray y,
    cnp.ndarray index=None,
    bint count_pad=True,
    double divisor=0,
):
    """One pass: y and, with MAX_POOL_INDEX, index (int64) of x; backward y = grad_input of x = grad_output.

    `geometry` has planes and the tuples input, output, kernel, stride, dilation, pad, pad_hi; kernel is None if it is
    adaptive.  An average divides by `divisor`, if that is 0 by the points of the window.
    """
    cdef Call call = begin(how)
    cdef cf_pool_plan plan
    cdef cf_pool_desc d = pool_desc(geometry, x, count_pad, divisor)
    check(cf_pool_plan_init(&plan, <cf_pool_pass>which, &d, &call.options))
    cdef Workspace workspace = take_workspace(plan.workspace_bytes)
    cdef void *px = data_of(x)
    cdef void *py = data_of(y)
    cdef int64_t *pi = <int64_t *>data_of(index)
    with nogil:
        cf_pool(&plan, px, py, pi, workspace.data())
    give_back(workspace)
    if call.start >= 0:
        report(call, f"{_POOL_PASSES[which]} {geometry}", plan.options.threads, plan.workspace_bytes)


def scatter(tuple how, int kind, int64_t planes, cnp.ndarray index, cnp.ndarray x, cnp.ndarray y):
    """See cf_scatter; False if an index lies outside, and then y is undefined."""
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


def power(tuple how, double factor, double exponent, cnp.ndarray x, cnp.ndarray y):
    """y = (factor * x) ** exponent."""
    cdef Call call = begin(how)
    cdef void *px = data_of(x)
    cdef void *py = data_of(y)
    cdef cf_dtype dtype = dtype_of(x)
    cdef int64_t n = cnp.PyArray_SIZE(x)
    cdef cf_status status
    with nogil:
        status = cf_power(dtype, &call.options, n, factor, exponent, px, py)
    check(status)


def power_backward(
    tuple how, double factor, double exponent, bint flat_at_zero, cnp.ndarray x, cnp.ndarray dy, cnp.ndarray dx
):
    """Gradient of `power`; where x is 0 it is 0 if `flat_at_zero`."""
    cdef Call call = begin(how)
    cdef void *px = data_of(x)
    cdef void *pdy = data_of(dy)
    cdef void *pdx = data_of(dx)
    cdef cf_dtype dtype = dtype_of(x)
    cdef int64_t n = cnp.PyArray_SIZE(x)
    cdef cf_status status
    with nogil:
        status = cf_power_backward(dtype, &call.options, n, factor, exponent, flat_at_zero, px, pdy, pdx)
    check(status)
