"""Fully connected layers on integers: every bit is that of the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comparison import same

from cnnfast import functional as F
from cnnfast import reference as R
from cnnfast.testing import integers

Generator = np.random.Generator


@pytest.mark.parametrize(
    ("x", "w"), [((3,), (3,)), ((4, 3), (3,)), ((0, 3), (2, 3)), ((4, 0), (2, 0)), ((4, 3), (0, 3))]
)
def test_vectors_and_nothing(x: tuple[int, ...], w: tuple[int, ...], isa: int, dtype: Any, rng: Generator) -> None:
    a, b = integers(rng, x, dtype), integers(rng, w, dtype)
    got, expected = (m.linear(a, b) for m in (F, R))
    same(got, expected)
    dy = integers(rng, got.shape, dtype)
    for got, expected in zip(F.linear_backward(dy, a, b), R.linear_backward(dy, a, b), strict=True):
        same(got, expected)


@pytest.mark.parametrize("bias", [(5,), (1,), (), (1, 5), (4, 5), (2, 1, 1)], ids=str)
def test_bias_broadcasts(bias: tuple[int, ...], isa: int, dtype: Any, rng: Generator) -> None:
    x, w, b = integers(rng, (2, 4, 3), dtype), integers(rng, (5, 3), dtype), integers(rng, bias, dtype)
    assert np.array_equal(F.linear(x, w, b), R.linear(x, w, b))


@pytest.mark.parametrize("rows", [1, 2, 5, 6, 7, 12, 13, 29])
@pytest.mark.parametrize(("features", "outputs"), [(15, 9), (16, 1), (33, 70), (1200, 19)])
def test_few_and_many_rows(
    rows: int, features: int, outputs: int, isa: int, threads: int, dtype: Any, rng: Generator
) -> None:
    x, w, b = (integers(rng, shape, dtype) for shape in ((rows, features), (outputs, features), (outputs,)))
    for bias in (None, b):
        same(F.linear(x, w, bias), R.linear(x, w, bias))
    dy = integers(rng, (rows, outputs), dtype)
    for got, expected in zip(F.linear_backward(dy, x, w), R.linear_backward(dy, x, w), strict=True):
        same(got, expected)


def test_bias_of_a_single_output() -> None:
    w = np.array([2.0, 3.0])
    assert F.linear(np.array([1.0, 1.0]), w, np.float64(4)) == R.linear(np.array([1.0, 1.0]), w, np.float64(4)) == 9
    with pytest.raises(ValueError, match="linear: bias is given, weight has shape"):
        F.linear(np.ones((4, 2)), w, np.float64(4))


def test_the_result_may_overlap_an_input(rng: Generator) -> None:
    x, w = integers(rng, (6, 6), np.float32), integers(rng, (6, 6), np.float32)
    expected = R.linear(x, w)
    assert F.linear(x, w, out=x) is x
    assert np.array_equal(x, expected)


@pytest.mark.parametrize(
    ("x", "w", "b", "message"),
    [
        ((2, 3), (4, 2), None, r"weight takes 2 features, input has shape \(2, 3\)"),
        ((), (4, 3), None, r"weight takes 3 features, input has shape \(\)"),
        ((2, 3), (4, 3, 1), None, r"weight has shape \(4, 3, 1\)"),
        ((2, 3), (), None, r"weight has shape \(\)"),
        ((2, 3), (4, 3), (3,), r"bias has shape \(3,\)"),
        ((3,), (4, 3), (5, 4), r"bias has shape \(5, 4\)"),
    ],
)
def test_refusals(x: tuple[int, ...], w: tuple[int, ...], b: tuple[int, ...] | None, message: str) -> None:
    with pytest.raises(ValueError, match=f"^linear: {message}"):
        F.linear(np.ones(x), np.ones(w), None if b is None else np.ones(b))


def test_a_gradient_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"linear_backward: grad_output has shape \(2, 3\) \(expected \(2, 4\)\)"):
        F.linear_backward(np.ones((2, 3)), np.ones((2, 3)), np.ones((4, 3)))
