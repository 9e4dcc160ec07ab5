"""What the memory of a result costs in a loop that drops it: memory used again (the default), fresh memory, and `out=`.

    python benchmarks/output_memory.py

Fresh memory is what CNNFAST_IDLE_MEMORY=0 gives.  Each op is checked to be the same in all three.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast import _config, _core
from cnnfast import functional as F
from cnnfast.bench.timing import in_turns

SECONDS = 1.0
Op = Callable[..., Any]


def ops() -> dict[str, Op]:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((8, 64, 56, 56), np.float32), rng.standard_normal((64, 64, 3, 3), np.float32)
    line = rng.standard_normal(1 << 24, np.float32)
    return {
        "relu 4 MB": lambda **out: F.relu(line[: 1 << 20], **out),
        "relu 64 MB": lambda **out: F.relu(line, **out),
        "conv2d 3x3 64@56 N=8": lambda **out: F.conv2d(x, w, padding=1, **out),
        "max_pool2d 2 64@56 N=8": lambda **out: F.max_pool2d(x, 2, **out),
    }


def ways(op: Op) -> dict[str, Callable[[], Any]]:
    out = op()

    def keeping(mebibytes: int) -> Any:
        _core.set_idle_memory(mebibytes << 20)
        return op()

    return {
        "used again": lambda: keeping(_config.IDLE_MEMORY),
        "fresh": lambda: keeping(0),
        "out=": lambda: op(out=out),
    }


def main() -> None:
    print(f"{'ms':24}" + "".join(f"{name:>12}" for name in ("used again", "fresh", "out=")))
    for name, op in ops().items():
        calls = ways(op)
        assert len({call().tobytes() for call in calls.values()}) == 1
        times = in_turns(calls, SECONDS)
        print(f"{name:24}" + "".join(f"{1e3 * min(times[way]):12.3f}" for way in calls))


if __name__ == "__main__":
    main()
