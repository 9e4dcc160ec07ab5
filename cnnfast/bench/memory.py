"""Peak memory of training: ``python -m cnnfast.bench.memory NET LEARNER DTYPE THREADS``, a process of its own."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from cnnfast.bench import nets
from cnnfast.bench.learners import CnnfastLearner
from cnnfast.bench.session import settings
from cnnfast.bench.zoo import ZOO

STEPS = 3


def peak_bytes() -> int:
    """Return the most memory that was resident in this process.

    On Linux `getrusage` would also count what the parent held when it started this process.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main(name: str, learner: str, dtype: str, threads: str) -> None:
    """Print the megabytes that steps need beyond the libraries and a first step of a small net."""
    net = next(net for net in ZOO if str(net) == name)
    makers = nets.makers(["torch"])
    with settings(int(threads), None):
        small = ZOO[1]
        state = CnnfastLearner(small, *nets.batch(small, dtype)).state()
        makers[learner](small, *nets.batch(small, dtype), state).train()
        state = CnnfastLearner(net, *nets.batch(net, dtype)).state()
        before = peak_bytes()
        one = makers[learner](net, *nets.batch(net, dtype), state)
        for _ in range(STEPS):
            one.train()
    print((peak_bytes() - before) / 1e6)


if __name__ == "__main__":
    main(*sys.argv[1:])
