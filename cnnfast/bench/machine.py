"""The machine: what it is, and what it can do at most, measured with the library's own kernels."""

from __future__ import annotations

import platform
import subprocess
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from cnnfast import _config, _core

# Bursts short enough to fit between two interruptions; the fastest of them counts.
BURST_SECONDS = 0.5e-3
BURSTS = 20
# A copy of less is as much fork and join as copy; one of more is in memory on any machine.
LEAST_BYTES, MOST_BYTES = 2**19, 2**28


class Limits:
    """Peak rates under the current settings.  Each use measures again, and the most ever counts."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.flops = 0.0
        self.bandwidths: dict[int, float] = {}
        self._rounds = 1000
        self.measure_flops()

    def measure_flops(self) -> float:
        """Return the operations a second of all threads, a multiply-add being two."""
        how, double = _config.how(), self.dtype == np.float64
        for _ in range(BURSTS):
            start = perf_counter()
            done = _core.peak_fma(how, double, self._rounds)
            spent = perf_counter() - start
            self.flops = max(self.flops, done / spent)
            self._rounds = max(1000, int(self._rounds * BURST_SECONDS / spent))
        return self.flops

    def measure_bandwidth(self, moved: int) -> float:
        """Return the bytes a second, read and written, of a copy of about that many.

        It is no larger than what is asked about, so that it profits from caches at least as much.
        """
        size = 1 << (min(max(moved, LEAST_BYTES), MOST_BYTES).bit_length() - 1)
        count = size // 2 // self.dtype.itemsize
        source, target = np.ones(count, self.dtype), np.ones(count, self.dtype)
        how, end = _config.how(), perf_counter() + BURSTS * BURST_SECONDS
        best = self.bandwidths.get(size, 0.0)
        while True:
            start = perf_counter()
            _core.peak_stream(how, source, target)
            best = max(best, size / (perf_counter() - start))
            if perf_counter() > end:
                self.bandwidths[size] = best
                return best

    def seconds(self, flops: int, moved: int) -> tuple[float, bool]:
        """Return the least time of a task, and whether memory is what bounds it."""
        compute = flops / self.measure_flops()
        memory = moved / self.measure_bandwidth(moved)
        return max(compute, memory), memory > compute


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
