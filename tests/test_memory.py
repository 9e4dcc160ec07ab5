"""Large results lie in memory that is used again, but never while somebody holds an array in it."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

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
