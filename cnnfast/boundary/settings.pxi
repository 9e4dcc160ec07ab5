# What a call runs with; cnnfast._config decides it.

override = ContextVar("cnnfast_settings", default=None)  # Settings of one thread or task, None where there are none

cdef object _override = override
cdef int _isa, _threads                                 # settings of all others
cdef bint _exact
cdef int _automatic                                     # what 0 threads stand for
cdef int _limit = cf_max_threads()                      # OpenMP's at import
cdef bint _verbose
cdef bint _serial = not cf_have_openmp()


def configure(int isa, int threads, bint exact, int automatic, bint verbose):
    global _isa, _threads, _exact, _automatic, _verbose
    _isa, _threads, _exact, _automatic, _verbose = isa, threads, exact, automatic, verbose


def run_serially():
    """The OpenMP runtime's threads do not survive a fork, and its next parallel region would wait for them."""
    global _serial
    _serial = True


cpdef int resolve(int requested) noexcept:
    """Threads of a call.  A limit set through OpenMP after import (threadpoolctl) caps whatever was asked for."""
    if _serial:
        return 1
    cdef int threads = requested or _automatic, limit = cf_max_threads()
    return threads if limit == _limit else min(threads, limit)


cdef cf_options options_of(int isa, int threads, bint exact) noexcept:
    cdef cf_options options
    options.isa, options.threads, options.exact = <cf_isa>isa, threads, exact
    return options


cdef cf_options current_options():
    settings = get_value(_override)
    if settings is None:
        return options_of(_isa, resolve(_threads), _exact)
    return options_of(settings[0], resolve(settings[1]), settings[2])


def how():
    """(isa, threads, verbose): the first argument of every boundary function."""
    cdef cf_options options = current_options()
    return <int>options.isa, options.threads, _verbose
