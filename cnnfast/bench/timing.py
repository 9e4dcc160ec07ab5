"""Calls timed in turns, so that all of them meet the same machine."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat
from time import perf_counter

from cnnfast.bench.tasks import Call

ROUNDS = 5
LEAST_SAMPLES = 3
# A sample is long beside the cost of reading the clock twice, about 0.1 us.
SAMPLE_SECONDS = 20e-6


def in_turns(calls: Mapping[str, Call], seconds: float) -> dict[str, float]:
    """Return the least seconds of each call, given about `seconds` to each.

    Each call has its turn in every round; every second round goes the other way about, since the
    threads of one library may still be spinning when the next one starts.
    """
    best = dict.fromkeys(calls, float("inf"))
    with _no_garbage_collection():
        repeats = {name: _repeats(call) for name, call in calls.items()}
        for turn in range(ROUNDS):
            for name in list(calls)[:: -1 if turn % 2 else 1]:
                spent = _least(calls[name], repeats[name], seconds / ROUNDS)
                best[name] = min(best[name], spent)
    return best


def _repeats(call: Call) -> int:
    count = 1
    while (spent := _sample(call, count) * count) < SAMPLE_SECONDS:
        count = max(count + 1, int(count * SAMPLE_SECONDS / max(spent, 1e-9)))
    return count


def _least(call: Call, repeats: int, seconds: float) -> float:
    end = perf_counter() + seconds
    best = min(_sample(call, repeats) for _ in range(LEAST_SAMPLES))
    while perf_counter() < end:
        best = min(best, _sample(call, repeats))
    return best


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
