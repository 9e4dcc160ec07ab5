"""The machine: what it is, and what it can do at most, measured with the library's own kernels."""

from __future__ import annotations

import platform
import subprocess
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from cnnfast import _config, _core
from cnnfast.bench.tasks import Call
from cnnfast.bench.timing import in_turns

# A burst is short enough to fit between two interruptions; the fastest counts.
BURST_SECONDS, START_SECONDS = 0.5e-3, 0.3
# A copy of less is as much fork and join as copy; one of more is in memory on any machine.
LEAST_BYTES, MOST_BYTES = 2**19, 2**28


class Limits:
    """Peak rates under the settings of its making; each measurement may raise them.

    The machine takes its turns among the contenders, with as many tries as they have. What it moves
    is as large as what the problem moves, so that both are in the same cache, or in none.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.how = _config.how()
        self.flops = 0.0
        self.bandwidths: dict[int, float] = {}
        self.buffer = np.ones(0, dtype)
        self.rounds = self._rounds()
        self.work = self._fma()
        self.update(LEAST_BYTES, in_turns(self.calls(LEAST_BYTES), START_SECONDS))

    def calls(self, moved: int) -> dict[str, Call]:
        """Return what to time: multiply-adds in registers, and a copy that reads and writes `moved` bytes."""
        half = _size(moved) // 2 // self.dtype.itemsize
        if self.buffer.size < 2 * half:
            self.buffer = np.ones(2 * half, self.dtype)
        source, target = self.buffer[:half], self.buffer[half : 2 * half]
        return {
            "fma": self._fma,
            "copy": partial(_core.peak_stream, self.how, source, target),
        }

    def update(self, moved: int, samples: dict[str, list[float]]) -> None:
        """Take account of the seconds that the two calls took; they leave `samples`."""
        self.flops = max(self.flops, self.work / min(samples.pop("fma")))
        rate = _size(moved) / min(samples.pop("copy"))
        self.bandwidths[_size(moved)] = max(rate, self.bandwidths.get(_size(moved), 0.0))

    def bound(self, flops: int, moved: int) -> tuple[float, bool]:
        """Return the least seconds of a task, and whether memory is what bounds it.

        A rate that was seen on more bytes can be had on fewer.
        """
        rate = max(rate for size, rate in self.bandwidths.items() if size >= _size(moved))
        compute, memory = flops / self.flops, moved / rate
        return max(compute, memory), memory > compute

    def _rounds(self) -> int:
        """Rounds of a burst, by the time of one thread, which waits for nobody."""
        isa, rounds = self.how[0], 1000
        start = perf_counter()
        _core.peak_fma((isa, 1, False), self.dtype == np.float64, rounds)
        return max(rounds, int(rounds * BURST_SECONDS / (perf_counter() - start)))

    def _fma(self) -> int:
        return _core.peak_fma(self.how, self.dtype == np.float64, self.rounds)


def _size(moved: int) -> int:
    return min(max(moved, LEAST_BYTES), MOST_BYTES) // 64 * 64


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
