# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: embedsignature=False, freethreading_compatible=True
"""The boundary between Python and the C library, and the only module that sees a pointer.

Each op family has a file in boundary/.  A boundary function gets checked, C-contiguous, aligned arrays of one dtype
(cnnfast._arrays), allocates outputs and workspace, releases the GIL around the C call, and turns a status into an
exception.  It never loops over elements.
"""

import sys
from contextvars import ContextVar
from itertools import islice
from math import prod
from time import perf_counter

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.contextvars cimport get_value
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc

from cnnfast._cnnfast cimport *

cnp.import_array()


cdef class Workspace:
    """Scratch memory, aligned to CF_ALIGN."""
    cdef void *base
    cdef size_t size

    def __cinit__(self, size_t size):
        self.base = malloc(size + CF_ALIGN)
        if self.base == NULL:
            raise MemoryError(f"cannot allocate a workspace of {size} bytes")
        self.size = size

    def __dealloc__(self):
        free(self.base)

    cdef void *data(self) noexcept nogil:
        return <void *>((<uintptr_t>self.base + CF_ALIGN - 1) & ~<uintptr_t>(CF_ALIGN - 1))


# Buffers that no call uses now.  A concurrent call takes another one or makes its own; what is beyond the limits is
# freed, so that one large call does not hold its memory for ever.
cdef list _idle = []
cdef size_t _KEEP_BYTES = 32 << 20
cdef int _KEEP_COUNT = 4


cdef Workspace take_workspace(size_t size):
    cdef Workspace found
    try:
        found = _idle.pop()
    except IndexError:
        return Workspace(size)
    return found if found.size >= size else Workspace(size)


cdef void give_back(Workspace workspace):
    if workspace.size <= _KEEP_BYTES and len(_idle) < _KEEP_COUNT:
        _idle.append(workspace)


cdef struct Call:
    cf_options options
    double start                # seconds; negative: say nothing


cdef Call begin(tuple how) except *:
    """A call with `how` = (isa, threads, verbose) from cnnfast._config.how()."""
    cdef Call call
    call.options.isa = <cf_isa><int>how[0]
    call.options.threads = how[1]
    call.start = perf_counter() if how[2] else -1.0
    return call


cdef Call begin_with(cf_options options) except *:
    """A call with the options of a plan."""
    cdef Call call
    call.options = options
    call.start = perf_counter() if _verbose else -1.0
    return call


cdef void report(Call call, str text, int threads, int64_t workspace) except *:
    """One line a call under CNNFAST_VERBOSE=1; `text` says op, problem, and what the plan chose."""
    ms = (perf_counter() - call.start) * 1e3
    sys.stderr.write(
        f"cnnfast: {text}, {isa_name(call.options.isa)}, {threads} threads, workspace {workspace} B, {ms:.3f} ms\n")


cdef str clamp_text(double low, double high):
    """What a line says of limits of results."""
    return f" in [{low:g}, {high:g}]" if low > -INFINITY or high < INFINITY else ""


cdef int check(cf_status status) except -1:
    if status == CF_OK:
        return 0
    message = cf_status_text(status).decode()
    if status == CF_UNSUPPORTED:
        raise NotImplementedError(message)
    if status == CF_TOO_LARGE:
        raise OverflowError(message)
    raise ValueError(message)


cdef cf_dtype dtype_of(cnp.ndarray array) noexcept:
    return CF_F64 if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64 else CF_F32


cdef inline void *data_of(cnp.ndarray array) noexcept:
    """The first element; NULL for None, which C takes as "not given".  (An empty array has an address too.)"""
    return NULL if array is None else cnp.PyArray_DATA(array)


def isa_name(int isa):
    return cf_isa_name(<cf_isa>isa).decode()


def isa_names():
    """Every instruction set there is a stub for, from the least to the greatest, on any machine."""
    return [isa_name(isa) for isa in range(CF_ISAS)]


def supported_isas():
    """Numbers of the instruction sets that this build has and this CPU can run, from the least to the greatest."""
    return [isa for isa in range(CF_ISAS) if cf_isa_supported(<cf_isa>isa)]


def lanes(int isa):
    """Elements of a vector register for (float32, float64)."""
    return cf_isa_lanes(<cf_isa>isa, CF_F32), cf_isa_lanes(<cf_isa>isa, CF_F64)


def have_openmp():
    return bool(cf_have_openmp())


def max_threads():
    """What OpenMP would use for the calling thread; threadpoolctl changes it."""
    return cf_max_threads()


include "boundary/settings.pxi"
include "boundary/memory.pxi"
include "boundary/arrays.pxi"
include "boundary/op.pxi"
include "boundary/gemm.pxi"
include "boundary/conv.pxi"
include "boundary/activation.pxi"
include "boundary/pool.pxi"
include "boundary/columns.pxi"
include "boundary/peak.pxi"
include "boundary/norm.pxi"
include "boundary/optim.pxi"
include "boundary/softmax.pxi"
include "boundary/dropout.pxi"
