"""Calls timed in turns, so that all of them meet the same machine."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat
from time import perf_counter, process_time, sleep

from cnnfast.bench.tasks import Call

# Short turns, so that what disturbs the machine for seconds meets every call alike.
TURN_SECONDS, LEAST_ROUNDS = 40e-3, 3
# A sample is long beside the cost of reading the clock twice, about 0.1 us.
SAMPLE_SECONDS = 20e-6
# Systems count the time that threads compute at ticks, of 100 Hz at least: a glance sees one of them.
GLANCE_SECONDS, IDLE_SHARE, PATIENCE_SECONDS = 12e-3, 0.2, 0.5


def in_turns(calls: Mapping[str, Call], seconds: float) -> dict[str, list[float]]:
    """Return the seconds of every sample of each call, given about `seconds` to each.

    Each call has its turn in every round, until it has had its time and three turns; every second
    round goes the other way about.
    """
    samples: dict[str, list[float]] = {name: [] for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    with _no_garbage_collection():
        repeats = {name: _repeats(call) for name, call in calls.items()}
        waiting, rounds = list(calls), 0
        while waiting:
            for name in waiting[:: -1 if rounds % 2 else 1]:
                settle()
                taken = _turn(calls[name], repeats[name], min(TURN_SECONDS, seconds / LEAST_ROUNDS))
                spent[name] += repeats[name] * sum(taken)
                samples[name] += taken
            rounds += 1
            waiting = [name for name in calls if rounds < LEAST_ROUNDS or spent[name] < seconds]
    return samples


def settle() -> None:
    """Wait until no thread of this process computes.

    The threads of a library go on spinning after its call: on two CPUs those of OpenBLAS for 104
    ms, those of ONNX Runtime for 43 ms, OpenMP's for 8 ms. Whoever is timed meanwhile, be it a peer
    or the machine itself, has a CPU less and waits at every barrier: a bandwidth of 180 GB/s was
    measured as 32, and 235 GFLOP/s as 31.
    """
    end = perf_counter() + PATIENCE_SECONDS
    while perf_counter() < end:
        start, used = perf_counter(), process_time()
        sleep(GLANCE_SECONDS)
        if process_time() - used <= IDLE_SHARE * (perf_counter() - start):
            break


def _repeats(call: Call) -> int:
    count = 1
    while (spent := _sample(call, count) * count) < SAMPLE_SECONDS:
        count = max(count + 1, int(count * SAMPLE_SECONDS / max(spent, 1e-9)))
    return count


def _turn(call: Call, repeats: int, seconds: float) -> list[float]:
    end = perf_counter() + seconds
    taken = [_sample(call, repeats)]
    while perf_counter() < end:
        taken.append(_sample(call, repeats))
    return taken


def _sample(call: Call, repeats: int) -> float:
    start = perf_counter()
    for _ in repeat(None, repeats):
        call()
    return (perf_counter() - start) / repeats


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
