"""Settings: the environment, read once at import, and what the user set since.

Kernels get the instruction set and the thread count as arguments of every call; this module decides them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cnnfast import _core

# MiB that hold all that a training step of ResNet-18 on 16 images of 224x224 makes.
IDLE_MEMORY = 1024
VERBOSE = os.environ.get("CNNFAST_VERBOSE", "0") not in ("", "0")


class Settings(NamedTuple):
    """What one call runs with; `threads` 0 means as many as the process may use."""

    isa: int
    threads: int
    exact: bool


def _isa_from_environment() -> int:
    """The best instruction set here, capped by CNNFAST_ISA."""
    best: int = _core.supported_isas()[-1]
    wanted = os.environ.get("CNNFAST_ISA")
    if not wanted:
        return best
    names = _core.isa_names()
    if wanted not in names:
        raise ImportError(f"CNNFAST_ISA={wanted!r} is unknown (expected one of {', '.join(names)})")
    return max(isa for isa in _core.supported_isas() if isa <= names.index(wanted))


def _whole_from_environment(name: str, least: int, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < least:
        raise ImportError(f"{name}={text!r} (expected a whole number, at least {least})")
    return int(text)


def _cgroup_cpus() -> int | None:
    """CPUs that the control group's quota allows, rounded up; None where there is no quota."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            folder = Path("/sys/fs/cgroup/cpu")
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if quota in ("max", "-1"):
        return None
    return max(1, math.ceil(int(quota) / int(period)))


def _available_cpus() -> int:
    """CPUs this process may use: its affinity mask and its control group's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(cpus, _cgroup_cpus() or cpus)


_OPENMP_THREADS = _core.max_threads()
_AUTOMATIC_THREADS = min(_available_cpus(), _OPENMP_THREADS)
how = _core.how


def _set_default(settings: Settings) -> None:
    global _default
    _default = settings
    _core.configure(settings.isa, settings.threads, settings.exact, _AUTOMATIC_THREADS, VERBOSE)


_default: Settings
_set_default(
    Settings(
        isa=_isa_from_environment(),
        threads=_whole_from_environment("CNNFAST_NUM_THREADS", 1, 0),
        exact=os.environ.get("CNNFAST_EXACT", "0") not in ("", "0"),
    )
)
_core.set_idle_memory(_whole_from_environment("CNNFAST_IDLE_MEMORY", 0, IDLE_MEMORY) << 20)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_core.run_serially)


def current() -> Settings:
    return _core.override.get() or _default


def _positive(n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"num_threads is {type(n).__name__} (expected an int)")
    if n < 1:
        raise ValueError(f"num_threads is {n} (expected at least 1)")
    return n


@contextmanager
def verbose() -> Iterator[None]:
    """Write a line a call, as under CNNFAST_VERBOSE=1."""
    _core.configure(_default.isa, _default.threads, _default.exact, _AUTOMATIC_THREADS, True)
    try:
        yield
    finally:
        _set_default(_default)


@contextmanager
def using(**changes: object) -> Iterator[None]:
    """Change settings for the calls of this context (thread or task) only."""
    token = _core.override.set(current()._replace(**changes))  # type: ignore[arg-type]
    try:
        yield
    finally:
        _core.override.reset(token)


def set_num_threads(n: int) -> None:
    """Use at most `n` threads in every later call.

    Parameters
    ----------
    n : int
        At least 1; it may exceed the CPUs of the machine.

    Raises
    ------
    TypeError, ValueError
        If `n` is no positive integer.
    """
    _set_default(_default._replace(threads=_positive(n)))


def get_num_threads() -> int:
    """The most threads that a call made now would use.

    It is what `threads` or `set_num_threads` asked for, else ``CNNFAST_NUM_THREADS``, else the CPUs that this process
    may use (affinity mask, control-group quota, ``OMP_NUM_THREADS``); 1 in a forked child and without OpenMP.
    """
    return _core.resolve(current().threads)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Context manager: at most `n` threads in the calls of this thread or task.

    Examples
    --------
    >>> import cnnfast
    >>> with cnnfast.threads(1):
    ...     cnnfast.get_num_threads()
    1
    """
    with using(threads=_positive(n)):
        yield


def set_exact(flag: bool) -> None:
    """Forbid (or allow again) algorithms that round differently from a plain sum of products, such as Winograd's."""
    _set_default(_default._replace(exact=bool(flag)))


def show_config() -> None:
    """Print what a bug report needs: version, instruction sets, threads, compiler switches, environment."""
    import platform

    import numpy as np

    from cnnfast import __version__

    isas = [_core.isa_name(isa) for isa in _core.supported_isas()]
    lanes32, lanes64 = _core.lanes(current().isa)
    environment = {k: v for k, v in sorted(os.environ.items()) if k.startswith(("CNNFAST_", "OMP_"))}
    print(f"cnnfast {__version__}, NumPy {np.__version__}, Python {platform.python_version()}")
    print(f"machine       {platform.machine()}, {_available_cpus()} CPUs available")
    print(f"kernels       {_core.isa_name(current().isa)} of {', '.join(isas)}")
    print(f"vector        {lanes32} x float32, {lanes64} x float64")
    print(f"threads       {get_num_threads()}, OpenMP {'yes' if _core.have_openmp() else 'no (serial build)'}")
    print(f"environment   {environment or 'nothing set'}")
