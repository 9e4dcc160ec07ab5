# Pooling: csrc/ops/pool.h.

MAX_POOL = CF_MAX_POOL
MAX_POOL_INDEX = CF_MAX_POOL_INDEX
AVERAGE_POOL = CF_AVERAGE_POOL
AVERAGE_POOL_BACKWARD = CF_AVERAGE_POOL_BACKWARD
SCATTER_ADD = CF_SCATTER_ADD
SCATTER_SET = CF_SCATTER_SET
GATHER = CF_GATHER
PLACES_MAX = CF_PLACE_NOWHERE     # points of a window whose places are bytes
GATHERED_MAX = CF_PLACE_GATHERED  # of one a point apart, whose places are faster than indices


cdef tuple _POOL_PASSES = ("max_pool", "max_pool with indices", "average_pool", "average_pool_backward")


cdef cf_pool_desc pool_desc(geometry, bint double, bint count_pad, double divisor) except *:
    cdef cf_pool_desc d
    cdef int lead = 3 - len(geometry.input)
    d.dtype = CF_F64 if double else CF_F32
    d.adaptive = geometry.kernel is None
    d.count_pad = count_pad
    d.divisor = divisor
    d.planes = geometry.planes
    d.lanes = geometry.lanes
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


cdef class PoolPlan(Plan):
    """One pass of pooling: of (input,), backward of (grad_output,); MAX_POOL_INDEX gives (maxima, int64 indices).

    `geometry` has planes, lanes, input_shape, output_shape and the tuples input, output, kernel, stride, dilation, pad
    and pad_hi; kernel is None if it is adaptive.  An average divides by `divisor`, if that is 0 by the window's points.
    """
    cdef cf_pool_plan plan
    cdef cf_pool_pass which
    cdef object geometry

    def __init__(
        self, int which, geometry, int isa, int threads, bint double, bint exact,
        bint count_pad=True, double divisor=0,
    ):
        cdef cf_options options = options_of(isa, threads, exact)
        cdef cf_pool_desc d = pool_desc(geometry, double, count_pad, divisor)
        check(cf_pool_plan_init(&self.plan, <cf_pool_pass>which, &d, &options))
        self.which, self.geometry = <cf_pool_pass>which, geometry
        self.shape = geometry.input_shape if which == CF_AVERAGE_POOL_BACKWARD else geometry.output_shape

    cdef object run(self, tuple arrays, object out):
        cdef Call call = begin_with(self.plan.options)
        cdef Workspace workspace = take_workspace(self.plan.workspace_bytes)
        cdef cnp.ndarray result = new_array(self.shape, cnp.PyArray_TYPE(arrays[0])) if out is None else out
        cdef cnp.ndarray index = new_array(self.shape, cnp.NPY_INT64) if self.which == CF_MAX_POOL_INDEX else None
        cdef void *x = data_of(arrays[0])
        cdef void *y = data_of(result)
        cdef int64_t *i = <int64_t *>data_of(index)
        with nogil:
            cf_pool(&self.plan, x, y, i, workspace.data())
        give_back(workspace)
        if call.start >= 0:
            text = f"{_POOL_PASSES[<int>self.which]} {self.geometry}"
            report(call, text, call.options.threads, self.plan.workspace_bytes)
        return result if index is None else (result, index)


cdef class PlacePlan(Plan):
    """Max pooling of (input,), which gives (maxima, places, a byte each); backward of (grad_output, places)."""
    cdef cf_place_plan plan
    cdef cf_pool_desc desc
    cdef cf_options options
    cdef bint backward
    cdef object geometry

    def __init__(self, bint backward, geometry, int isa, int threads, bint double, bint exact):
        self.options = options_of(isa, threads, exact)
        self.desc = pool_desc(geometry, double, False, 0)
        self.backward, self.geometry = backward, geometry
        self.shape = geometry.input_shape if backward else geometry.output_shape
        check(cf_place_plan_init(&self.plan, &self.desc, &self.options))

    cdef object run(self, tuple arrays, object out):
        cdef Call call = begin_with(self.options)
        cdef int64_t scratch = 0 if self.backward else self.plan.workspace_bytes
        cdef Workspace workspace = take_workspace(scratch)
        cdef cnp.ndarray result = new_array(self.shape, cnp.PyArray_TYPE(arrays[0])) if out is None else out
        cdef cnp.ndarray places = arrays[1] if self.backward else new_array(self.shape, cnp.NPY_UINT8)
        cdef void *x = data_of(arrays[0])
        cdef void *y = data_of(result)
        cdef uint8_t *place = <uint8_t *>data_of(places)
        with nogil:
            if self.backward:
                cf_place_max_backward(&self.desc, &self.options, x, place, y)
            else:
                cf_place_max(&self.plan, x, y, place, workspace.data())
        give_back(workspace)
        if call.start >= 0:
            text = f"max_pool {'backward' if self.backward else 'with places'} {self.geometry}"
            report(call, text, call.options.threads, scratch)
        return result if self.backward else (result, places)


def scatter(tuple how, int kind, int64_t planes, int64_t lanes, cnp.ndarray index, cnp.ndarray x, cnp.ndarray y):
    """See cf_scatter; False if an index lies outside, and then y is undefined."""
    cdef Call call = begin(how)
    cdef cnp.ndarray full = x if kind == CF_GATHER else y
    cdef int64_t size = cnp.PyArray_SIZE(full) // (planes * lanes) if planes * lanes else 0
    cdef int64_t points = cnp.PyArray_SIZE(index) // (planes * lanes) if planes * lanes else 0
    cdef cf_dtype dtype = dtype_of(x)
    cdef void *px = data_of(x)
    cdef void *py = data_of(y)
    cdef int64_t *pi = <int64_t *>data_of(index)
    cdef cf_status status
    with nogil:
        status = cf_scatter(<cf_scatter_kind>kind, dtype, &call.options, planes, points, size, lanes, pi, px, py)
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
