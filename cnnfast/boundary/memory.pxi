# Where large results lie.  Fresh memory costs more than any op here: on an EPYC of Zen 4, ReLU into 4 MB took 0.045 ms
# where the pages were there, and 1.46 ms where the system had to bring them.

# Below it, malloc does not ask the system.
cdef size_t _LEAST_POOLED = 128 << 10


cdef class Pool:
    """Blocks of bytes that nothing lies in now, by size.

    Beyond `most` bytes it starts again, so that what no call needs any more does not stay for ever.
    """
    cdef dict blocks
    cdef size_t idle, most

    def __init__(self):
        self.blocks, self.idle, self.most = {}, 0, 0

    cdef void clear(self):
        self.blocks.clear()
        self.idle = 0

    cdef cnp.ndarray take(self, size_t size):
        cdef list found
        with cython.critical_section(self):
            found = self.blocks.get(size)
            if not found:
                return cnp.PyArray_EMPTY(1, <cnp.npy_intp *>&size, cnp.NPY_UINT8, 0)
            self.idle -= size
            return found.pop()

    cdef int give_back(self, cnp.ndarray block) except -1:
        cdef size_t size = cnp.PyArray_NBYTES(block)
        if size > self.most:
            return 0
        with cython.critical_section(self):
            if self.idle + size > self.most:
                self.clear()
            self.blocks.setdefault(size, []).append(block)
            self.idle += size
        return 0


cdef Pool _pool = Pool()


def set_idle_memory(size_t bytes):
    """Keep at most so many bytes that no array lies in."""
    with cython.critical_section(_pool):
        _pool.most = bytes
        if _pool.idle > bytes:
            _pool.clear()


cdef size_t rounded(size_t size) noexcept:
    """One of the four sizes between two powers of two, so that arrays of nearly the same size share blocks."""
    cdef size_t step = 1
    while 8 * step <= size:
        step *= 2
    return (size + step - 1) // step * step


@cython.no_gc
cdef class Memory:
    """Bytes that one array lies in.  Views hold on to it; when the last is gone, others may have the bytes."""
    cdef cnp.ndarray block

    def __cinit__(self, size_t size):
        self.block = _pool.take(rounded(size + CF_ALIGN))

    def __dealloc__(self):
        if _pool is not None and self.block is not None:
            _pool.give_back(self.block)

    cdef void *data(self) noexcept:
        return <void *>((<uintptr_t>cnp.PyArray_DATA(self.block) + CF_ALIGN - 1) & ~<uintptr_t>(CF_ALIGN - 1))
