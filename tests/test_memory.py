"""Large results lie in memory that is used again, but never while somebody holds an array in it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cnnfast import _config, _core
from cnnfast import functional as F

SIZES = (32 * 1024, 100_003, 700_001)  # at the least size that is kept, and above


def address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.mark.parametrize("size", SIZES)
def test_memory_is_used_again(size: int, dtype: Any) -> None:
    x = np.ones(size, dtype)
    first = address(F.relu(x))
    assert first % 64 == 0
    assert address(F.relu(x)) == first


@pytest.mark.parametrize("size", SIZES)
def test_what_is_held_stays(size: int, rng: np.random.Generator) -> None:
    held = []
    for number in range(20):
        y = F.relu(np.full(size, number, np.float32))
        held.append((number, (y, y[7::5], y[::-2], y[1:13].reshape(3, 4)[1])[number % 4]))
        if number % 4 == 0:
            held.pop(int(rng.integers(len(held))))
    for number, array in held:
        assert np.all(array == number)
    assert len({address(array) for _, array in held}) == len(held)


def test_a_view_keeps_the_memory_of_an_array_that_is_gone() -> None:
    x = np.ones((4, 100_000), np.float32)
    row = F.relu(x)[2]
    buffer = memoryview(F.relu(2 * x))
    others = [F.relu(3 * x) for _ in range(5)]
    assert np.all(row == 1)
    assert np.all(np.asarray(buffer) == 2)
    assert all(np.all(other == 3) for other in others)


def test_results_are_arrays_like_others() -> None:
    y = F.relu(np.ones((300, 400)))
    assert y.flags.c_contiguous
    assert y.flags.aligned
    assert y.flags.writeable
    assert np.array_equal(pickle.loads(pickle.dumps(y)), y)


@pytest.fixture
def usual_memory() -> Iterator[None]:
    yield
    _core.set_idle_memory(_config.IDLE_MEMORY << 20)


@pytest.mark.usefixtures("usual_memory")
@pytest.mark.parametrize(("most", "least"), [(0, 0), (3 << 20, 1 << 20), (64 << 20, 5 << 20)])
def test_no_more_is_kept_idle_than_is_allowed(most: int, least: int) -> None:
    """Five results of a MiB each, which all go at once."""
    x = np.ones(1 << 18, np.float32)
    _core.set_idle_memory(most)
    tracemalloc.start()
    try:
        results = [F.relu(x) for _ in range(5)]
        del results
        assert least <= tracemalloc.get_traced_memory()[0] < most + (64 << 10)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", ["-1", "many", "0.5"])
def test_the_environment_is_checked(text: str) -> None:
    environment = {**os.environ, "CNNFAST_IDLE_MEMORY": text}
    result = subprocess.run([sys.executable, "-c", "import cnnfast"], env=environment, capture_output=True, text=True)
    assert f"ImportError: CNNFAST_IDLE_MEMORY='{text}' (expected a whole number, at least 0)" in result.stderr
