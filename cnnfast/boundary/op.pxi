# Public ops whose way to run depends on shapes, dtype, settings and the other arguments alone.

cdef Py_ssize_t _RESULTS_KEPT = 4096    # of a function; a net has tens of problems, a plan is a KB
cdef enum: _SIGNATURE = 4 + 5 * 65      # numbers: settings, and of at most five arrays the rank and NumPy's most axes


cdef extern from "Python.h":
    Py_ssize_t references "Py_REFCNT"(PyObject *value)


def held_elsewhere(dict owner, str name):
    """Whether anything but this dict refers to its value of this name."""
    return references(PyDict_GetItem(owner, name)) > 1


cdef class Plan:
    """How a call runs: a plain value, made once, used by any number of calls at once."""
    cdef readonly object shape          # of the result

    cdef object run(self, tuple arrays, object out):
        """The result for packed arrays of one dtype, or a tuple of several; the first in `out`, if that is not None."""
        raise NotImplementedError

    def __call__(self, *arrays, out=None):
        return self.run(arrays, out)


cdef class Several(Plan):
    """Results of several plans, given as (plan or None, which of the arrays it takes)."""
    cdef tuple parts

    def __init__(self, *parts):
        self.parts = parts

    cdef object run(self, tuple arrays, object out):
        return tuple([None if plan is None else (<Plan>plan).run(tuple([arrays[i] for i in which]), None)
                      for plan, which in self.parts])


cdef class Bound(Plan):
    """A plan whose first array is given."""
    cdef Plan plan
    cdef cnp.ndarray first

    def __init__(self, Plan plan, cnp.ndarray first):
        self.plan, self.first, self.shape = plan, first, plan.shape

    cdef object run(self, tuple arrays, object out):
        return self.plan.run((self.first, *arrays), out)


cdef class Plus(Plan):
    """A plan of all arrays but the last, which is added to its result."""
    cdef Plan plan

    def __init__(self, Plan plan):
        self.plan, self.shape = plan, plan.shape

    cdef object run(self, tuple arrays, object out):
        cdef Py_ssize_t last = len(arrays) - 1
        result = self.plan.run(arrays[:last], out)
        result += arrays[last]
        return result


cdef class ChannelsFirst(Plan):
    """A plan for arrays with channels first, run on copies of arrays with channels last.

    So many of the arrays have channels last, and if `shape` is given the result too.
    """
    cdef Plan plan
    cdef int rank, arrays
    cdef bint result

    def __init__(self, Plan plan, int rank, int arrays, tuple shape):
        self.plan, self.rank, self.arrays, self.result = plan, rank, arrays, shape is not None
        self.shape = plan.shape if shape is None else shape

    cdef object run(self, tuple arrays, object out):
        given = [np.ascontiguousarray(np.moveaxis(a, -1, -self.rank - 1)) if i < self.arrays else a
                 for i, a in enumerate(arrays)]
        result = self.plan.run(tuple(given), None)
        if self.result:
            result = np.moveaxis(result, -self.rank - 1, -1)
        if out is None:
            return np.ascontiguousarray(result)
        out[...] = result
        return out


cdef object freeze(object value):
    """Lists as tuples, so that arguments can be keys."""
    return tuple([freeze(v) for v in value]) if isinstance(value, (list, tuple)) else value


cdef bint same_types(tuple a, tuple b):
    """Whether equal tuples are of the same types all the way down: 1, 1.0 and True are different arguments."""
    cdef Py_ssize_t i
    for i in range(len(a)):
        if type(a[i]) is not type(b[i]) or type(a[i]) is tuple and not same_types(<tuple>a[i], <tuple>b[i]):
            return False
    return True


cdef class Remembering:
    """A function of shapes and arguments that remembers its results; it sees lists as tuples.

    Arguments that cannot be keys, such as arrays, make no trouble and are not remembered.
    """
    cdef object function
    cdef dict results

    def __init__(self, function):
        self.function, self.results = function, {}

    def __call__(self, *arguments):
        return self.result(arguments)

    cdef object result(self, tuple arguments):
        try:
            found = self.find(arguments)
        except TypeError:
            frozen = freeze(arguments)
            return self.result(frozen) if frozen != arguments else self.function(*arguments)
        if found is not None and same_types(arguments, <tuple>(<tuple>found)[0]):
            return (<tuple>found)[1]
        result = self.function(*arguments)
        self.keep(arguments, result)
        return result

    # An entry that one thread looks up may be what another replaces; without a GIL nothing else keeps it alive.
    cdef object find(self, tuple arguments):
        with cython.critical_section(self):
            return self.results.get(arguments)

    cdef object keep(self, tuple arguments, object result):
        with cython.critical_section(self):
            if len(self.results) >= _RESULTS_KEPT:
                self.results.clear()
            self.results[arguments] = arguments, result


cdef bytes signature(tuple arrays):
    """What plans depend on besides arguments, as numbers: isa, threads, float64 or not, exact or not, ranks, shapes.

    One object, which is made and compared faster than the tuples it stands for.
    """
    cdef int64_t[_SIGNATURE] numbers
    cdef cf_options options = current_options()
    cdef cnp.ndarray array = arrays[0]
    cdef int axis, used = 4
    numbers[0], numbers[1], numbers[2] = options.isa, options.threads, cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64
    numbers[3] = options.exact
    for array in arrays:
        numbers[used] = -1 if array is None else array.ndim
        used += 1
        for axis in range(0 if array is None else array.ndim):
            numbers[used] = array.shape[axis]
            used += 1
    return PyBytes_FromStringAndSize(<char *>numbers, used * sizeof(int64_t))


cdef tuple described(bytes signature):
    """((isa, threads, double, exact), *shapes) of a signature; the shape of a missing array is None."""
    numbers = iter(memoryview(signature).cast("q"))
    settings = next(numbers), next(numbers), bool(next(numbers)), bool(next(numbers))
    return (settings, *[None if rank < 0 else tuple(islice(numbers, rank)) for rank in numbers])


cdef class Op:
    """A call checks the arrays, finds the plan, and runs it.

    The usual case happens here.  `plan` says how a new problem runs; a subclass says in `accept` what becomes of arrays
    that are not packed, and in `check_out` what `out` may be.  They raise what is to be raised.
    """
    cdef Remembering plan
    cdef int required                   # of the arrays, the first that may not be None

    def __init__(self, plan, int required):
        self.plan = Remembering(lambda signature, arguments: plan(*described(signature), *arguments))
        self.required = required

    def __call__(self, tuple arrays, tuple arguments, out=None):
        cdef Plan plan
        if not are_packed(arrays, self.required):
            arrays = self.accept(arrays)
        plan = self.plan.result((signature(arrays), arguments))
        if out is None or may_receive(out, plan.shape, arrays):
            return plan.run(arrays, out)
        self.check_out(out, plan.shape, arrays[0].dtype)
        result = plan.run(arrays, None)
        out[...] = result[0] if type(result) is tuple else result
        return (out, *result[1:]) if type(result) is tuple else out
