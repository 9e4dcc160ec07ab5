"""Adjoint identities, exact on integers: <conv(x, w), dy> = <x, conv_input(w, dy)> = <w, conv_weight(x, dy)>."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import Draw, Problem, solvable

from cnnfast import functional as F
from cnnfast.testing import integers

Array = np.ndarray[Any, Any]
pytestmark = pytest.mark.usefixtures("exact")


def drawn(rng: np.random.Generator, op: str, dtype: Any) -> Problem:
    """A problem without a bias and with more than nothing in it."""
    while True:
        problem = solvable(op, Draw(rng, dtype, exact=True), F)
        if np.size(problem.arrays["input"]):
            return problem._replace(arrays=problem.arrays | {"bias": None})


def inner(a: Array, b: Array) -> int:
    assert a.shape == b.shape
    return int(np.sum(a.astype(np.int64) * b.astype(np.int64)))


@pytest.mark.parametrize("op", [f"{family}{rank}d" for family in ("conv", "conv_transpose") for rank in (1, 2, 3)])
def test_gradients_are_adjoints(op: str, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(8):
        problem = drawn(rng, op, dtype)
        x, w, _ = problem.arrays.values()
        y = problem.forward(F)
        dy = integers(rng, y.shape, dtype)
        dx, dw, db = getattr(F, f"{op}_backward")(dy, x, w, **problem.arguments)
        assert np.count_nonzero(y)
        assert inner(y, dy) == inner(x, dx) == inner(w, dw)
        channels = y.ndim - int(op[-2]) - 1
        assert np.array_equal(db, dy.sum(axis=tuple(axis for axis in range(y.ndim) if axis != channels)))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution_is_the_adjoint(rank: int, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(8):
        problem = drawn(rng, f"conv_transpose{rank}d", dtype)
        y, w, _ = problem.arrays.values()
        x_like = problem.forward(F)
        x = integers(rng, x_like.shape, dtype)
        arguments = {name: value for name, value in problem.arguments.items() if name != "output_padding"}
        back = getattr(F, f"conv{rank}d")(x, w, **arguments)
        # Output padding of a stride or more, which a dilation allows, makes room for more windows.
        assert inner(back[(..., *(slice(extent) for extent in y.shape[-rank:]))], y) == inner(x, x_like)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_by_size_agree_with_backward(rank: int, rng: np.random.Generator) -> None:
    problem = drawn(rng, f"conv{rank}d", np.float64)
    x, w, _ = problem.arrays.values()
    dy = problem.forward(F)
    gradients = problem.backward(F, dy, dy)
    dx = getattr(F, f"conv{rank}d_input")(x.shape, w, dy, **problem.arguments)
    dw = getattr(F, f"conv{rank}d_weight")(x, w.shape, dy, **problem.arguments)
    assert np.array_equal(dx, gradients["input"])
    assert np.array_equal(dw, gradients["weight"])


@pytest.mark.parametrize("mask", [(True, False, False), (False, True, False), (False, False, True)])
def test_output_mask(mask: tuple[bool, bool, bool], rng: np.random.Generator) -> None:
    x, w = integers(rng, (1, 2, 5, 5), np.float32), integers(rng, (3, 2, 3, 3), np.float32)
    dy = integers(rng, (1, 3, 3, 3), np.float32)
    gradients = F.conv2d_backward(dy, x, w, output_mask=mask)
    assert tuple(g is not None for g in gradients) == mask
