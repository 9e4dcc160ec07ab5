"""Dropout: the mask is that of the reference, bit for bit, on every instruction set and for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnfast
from cnnfast import _config, _random
from cnnfast import functional as F
from cnnfast import layers as L
from cnnfast import reference as R

Generator = np.random.Generator

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "dropout": [(), (0,), (1,), (5, 7), (3, 85), (257, 1031)],
    "dropout1d": [(5, 7), (3, 7, 1), (2, 9, 4), (70, 40, 50)],
    "dropout2d": [(5, 7), (3, 7, 2), (2, 9, 4, 5), (2, 3, 2, 2, 2), (13, 31, 17, 19)],
    "dropout3d": [(8,), (5, 7), (9, 2, 3, 4), (3, 7, 2, 3, 4)],
}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1 - 2**-53, 1.0])
@pytest.mark.parametrize(("name", "shape"), CASES, ids=str)
def test_the_mask_is_that_of_the_reference(
    name: str, shape: tuple[int, ...], p: float, isa: int, threads: int, dtype: Any, rng: Generator
) -> None:
    x = rng.integers(1, 9, shape).astype(dtype)
    seed = int(rng.integers(2**63))
    got, expected = (getattr(m, name)(x, p, seed=seed) for m in (F, R))
    assert got.dtype == dtype
    assert got.shape == shape
    np.testing.assert_allclose(got, expected, rtol=2 * np.finfo(dtype).eps)
    assert np.array_equal(got == 0, expected == 0)
    assert np.array_equal(getattr(F, f"{name}_backward")(x, p, seed), got)


@pytest.mark.parametrize("p", [0.0, 0.1, 1 - 2**-53, 1.0])
@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 255, 257, 70_001])
def test_the_layer_keeps_what_it_chose(p: float, size: int, isa: int, threads: int, dtype: Any, rng: Generator) -> None:
    layer = L.Dropout(p)
    x, grad = rng.integers(1, 9, (2, size)).astype(dtype)
    cnnfast.manual_seed(8)
    seed = _random.seed()
    cnnfast.manual_seed(8)
    assert np.array_equal(layer(x), F.dropout(x, p, seed=seed))
    for _ in range(2):
        assert np.array_equal(layer.backward(grad), F.dropout(grad, p, seed=seed))
    assert layer.backward(grad, input_grad=False) is None
    if size and p < 1:
        with pytest.raises(ValueError, match="grad_output has shape"):
            layer.backward(grad[1:])


def test_about_the_right_number_is_kept() -> None:
    kept = np.count_nonzero(F.dropout(np.ones(100_000), 0.3, seed=7))
    assert abs(kept - 70_000) < 5 * (100_000 * 0.3 * 0.7) ** 0.5


def test_threads_and_instruction_sets_draw_one_mask(isa: int) -> None:
    x = np.ones(300_001, np.float32)
    expected = R.dropout(x, 0.5, seed=3)
    for threads in (1, 2, 3):
        with _config.using(threads=threads):
            assert np.array_equal(F.dropout(x, 0.5, seed=3), expected)


def test_what_is_dropped_is_zero(isa: int, dtype: Any) -> None:
    x = np.full(64, np.inf, dtype)
    assert set(F.dropout(x, 0.5, seed=1).tolist()) == {0.0, np.inf}
    assert not np.any(F.dropout(x, 1.0))


def test_evaluation_copies() -> None:
    x = np.ones(5)
    y = F.dropout(x, 0.5, training=False)
    assert np.array_equal(y, x)
    assert not np.shares_memory(x, y)


def test_inplace_and_out() -> None:
    x, out = np.ones((3, 8)), np.empty((3, 8))
    expected = F.dropout(x, 0.5, seed=1)
    assert np.array_equal(x, np.ones((3, 8)))
    assert F.dropout(x, 0.5, seed=1, out=out) is out
    assert np.array_equal(out, expected)
    assert F.dropout(x, 0.5, inplace=True, seed=1) is x
    assert np.array_equal(x, expected)


def test_without_a_seed_the_next_of_the_sequence_is_taken() -> None:
    def draw() -> list[list[float]]:
        return [F.dropout(np.ones(32), 0.5).tolist() for _ in range(3)]

    cnnfast.manual_seed(4)
    first = draw()
    cnnfast.manual_seed(4)
    assert draw() == first
    assert first[0] != first[1] != first[2]


@pytest.mark.parametrize(
    ("name", "shape", "keywords", "error", "message"),
    [
        ("dropout", (3,), {"p": 1.5}, ValueError, "p is 1.5"),
        ("dropout", (3,), {"p": float("nan")}, ValueError, "p is nan"),
        ("dropout", (3,), {"p": -0.1, "training": False}, ValueError, "p is -0.1"),
        ("dropout", (3,), {"p": "a"}, TypeError, "p is 'a'"),
        ("dropout", (3,), {"seed": -1}, ValueError, "seed is -1"),
        ("dropout", (3,), {"seed": 2**64}, ValueError, "seed is 18446744073709551616"),
        ("dropout", (3,), {"seed": 1.0}, TypeError, r"seed is 1\.0"),
        ("dropout1d", (3,), {}, ValueError, r"input has shape \(3,\)"),
        ("dropout1d", (2, 3, 4, 5), {}, ValueError, r"input has shape \(2, 3, 4, 5\)"),
        ("dropout2d", (3,), {}, ValueError, r"input has shape \(3,\)"),
        ("dropout3d", (), {}, ValueError, r"input has shape \(\)"),
    ],
)
def test_refusals(
    name: str, shape: tuple[int, ...], keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{name}: {message}"):
        getattr(F, name)(np.ones(shape), **keywords)
