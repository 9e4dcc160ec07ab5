"""Is the register tile near the peak of one core?  Operands stay in the first cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import _core
from cnnfast.bench.machine import Limits

# Products a tile sums, 16 KiB of the widest operand in float64.
DEPTH = 64
# Products of a call, about 0.1 ms of one core: the same for every tile, so that times compare.
WORK = 5_000_000


@pytest.mark.parametrize("vectors", range(1, 7))
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_tile(benchmark: Any, isa: int, dtype: Any, vectors: int) -> None:
    """The tile with the most rows for a number of vectors."""
    double = dtype is np.float64
    rows = max((r for r, v in _core.tiles(isa, double) if v == vectors), default=0)
    if not rows:
        pytest.skip(f"no tile of {vectors} vectors fits the registers")
    lanes = vectors * _core.lanes(isa)[double]
    a, b = np.ones((DEPTH, rows), dtype), np.ones((DEPTH, lanes), dtype)
    y, offsets = np.zeros((rows, lanes), dtype), np.empty(DEPTH, np.int32)
    _core.peak_tile(isa, 3, a, b, offsets, y)
    assert np.all(y == 3 * DEPTH)
    benchmark.group = f"tile {'f64' if double else 'f32'} {_core.isa_name(isa)}"
    calls = WORK // (DEPTH * y.size)
    benchmark(_core.peak_tile, isa, calls, a, b, offsets, y)
    if benchmark.stats is None:
        return
    rate = 2 * calls * DEPTH * y.size / benchmark.stats["min"]
    peak = Limits(dtype).flops
    benchmark.extra_info.update(tile=f"{rows}x{vectors}", gflops=rate * 1e-9, percent_of_peak=100 * rate / peak)
