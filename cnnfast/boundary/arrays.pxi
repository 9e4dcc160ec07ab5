# Arrays: those that need no conversion, and those that results go to.


cdef inline bint is_packed(object value) noexcept:
    """An ndarray, no subclass, that is aligned, native and C-contiguous, float32 or float64."""
    if not cnp.PyArray_CheckExact(value):
        return False
    cdef cnp.ndarray array = <cnp.ndarray>value
    cdef int dtype = cnp.PyArray_TYPE(array)
    return ((dtype == cnp.NPY_FLOAT32 or dtype == cnp.NPY_FLOAT64)
            and cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED)
            and cnp.PyArray_ISNOTSWAPPED(array))


cdef bint are_packed(tuple values, int required):
    """Whether the values are packed arrays of one dtype; those after the first `required` may be None."""
    cdef int i, dtype = -1
    for i in range(len(values)):
        value = values[i]
        if value is None and i >= required:
            continue
        if not is_packed(value) or dtype not in (-1, cnp.PyArray_TYPE(<cnp.ndarray>value)):
            return False
        dtype = cnp.PyArray_TYPE(<cnp.ndarray>value)
    return True


def are_ready(dict arrays, tuple optional):
    """Whether the arrays are packed and of one dtype, and none but the optional ones None."""
    cdef tuple given = tuple([value for name, value in arrays.items() if value is not None or name not in optional])
    return are_packed(given, <int>len(given))


cdef cnp.ndarray new_array(tuple shape, int dtype):
    cdef cnp.npy_intp[64] dims  # NumPy's most axes
    cdef int axis, rank = <int>len(shape)
    cdef size_t size = 8 if dtype == cnp.NPY_FLOAT64 or dtype == cnp.NPY_INT64 else 1 if dtype == cnp.NPY_UINT8 else 4
    for axis in range(rank):
        dims[axis] = shape[axis]
        size *= <size_t>dims[axis]
    if size < _LEAST_POOLED:
        return cnp.PyArray_EMPTY(rank, dims, dtype, 0)
    cdef Memory memory = Memory(size)
    cdef cnp.ndarray array = cnp.PyArray_SimpleNewFromData(rank, dims, dtype, memory.data())
    cnp.set_array_base(array, memory)
    return array


def empty(tuple shape, cnp.dtype dtype):
    """A packed array for a result."""
    return new_array(shape, dtype.type_num)


cdef bint overlap(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Whether packed arrays share memory."""
    cdef char *p = <char *>cnp.PyArray_DATA(a)
    cdef char *q = <char *>cnp.PyArray_DATA(b)
    return p < q + cnp.PyArray_NBYTES(b) and q < p + cnp.PyArray_NBYTES(a)


cdef bint may_receive(object out, tuple shape, tuple inputs):
    """Whether the result for packed inputs, of their dtype, can be written to `out` directly."""
    if not is_packed(out) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out) or out.shape != shape:
        return False
    for array in inputs:
        if array is not None and (overlap(out, array) or cnp.PyArray_TYPE(out) != cnp.PyArray_TYPE(array)):
            return False
    return True
