"""The machine: what it is, and what it can do at most, measured with the library's own kernels."""

from __future__ import annotations

import platform
import subprocess
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from cnnfast import _config, _core

# Bursts are short enough to fit between two interruptions; the fastest of them counts.
BURST_SECONDS = 0.5e-3
START_SECONDS, USE_SECONDS = 0.3, 0.01
# One stalled burst may outlast USE_SECONDS; of this many, one is not.
LEAST_BURSTS = 8
# A copy of less is as much fork and join as copy; one of more is in memory on any machine.
LEAST_BYTES, MOST_BYTES = 2**19, 2**28


class Limits:
    """Peak rates under the current settings.  Each measurement may raise them."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.flops = 0.0
        self.bandwidths: dict[int, float] = {}
        self._measure_flops(START_SECONDS)

    def measure(self, moved: int) -> None:
        """Measure arithmetic, and a copy that reads and writes that many bytes."""
        self._measure_flops(USE_SECONDS)
        self._measure_bandwidth(_size(moved))

    def bound(self, flops: int, moved: int) -> tuple[float, bool]:
        """Return the least seconds of a task, and whether memory is what bounds it."""
        compute, memory = flops / self.flops, moved / self.bandwidths[_size(moved)]
        return max(compute, memory), memory > compute

    def _measure_flops(self, seconds: float) -> None:
        isa, threads, _ = _config.how()
        # One thread waits for nobody, so it tells how much work a burst is.
        rounds = 1000
        rounds = max(rounds, int(rounds * BURST_SECONDS / self._burst(isa, 1, rounds)))
        end = perf_counter() + seconds
        while perf_counter() < end:
            self._burst(isa, threads, rounds)

    def _burst(self, isa: int, threads: int, rounds: int) -> float:
        start = perf_counter()
        done = _core.peak_fma((isa, threads, False), self.dtype == np.float64, rounds)
        spent = perf_counter() - start
        self.flops = max(self.flops, done / spent)
        return spent

    def _measure_bandwidth(self, size: int) -> None:
        elements = size // 2 // self.dtype.itemsize
        source, target = np.ones(elements, self.dtype), np.ones(elements, self.dtype)
        how, end, best = _config.how(), perf_counter() + USE_SECONDS, self.bandwidths.get(size, 0.0)
        for burst in count():
            start = perf_counter()
            if burst >= LEAST_BURSTS and start >= end:
                break
            _core.peak_stream(how, source, target)
            best = max(best, size / (perf_counter() - start))
        self.bandwidths[size] = best


def _size(moved: int) -> int:
    """Round down to a power of two: a smaller copy profits from caches at least as much."""
    return 1 << (min(max(moved, LEAST_BYTES), MOST_BYTES).bit_length() - 1)


def cpu() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()


def blas() -> str:
    """Return the BLAS of NumPy, where threadpoolctl can tell."""
    if find_spec("threadpoolctl") is None:
        return "unknown BLAS"
    from threadpoolctl import threadpool_info

    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            return f"{pool['internal_api']} {pool['version']}"
    return "no BLAS that is known"
