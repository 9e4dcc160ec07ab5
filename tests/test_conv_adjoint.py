"""Adjoint identities, exact on integers: <conv(x, w), dy> = <x, conv_input(w, dy)> = <w, conv_weight(x, dy)>."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import op, random_case

from cnnfast import functional as F
from cnnfast.testing import integers


def inner(a: Any, b: Any) -> int:
    return int(np.sum(a.astype(np.int64) * b.astype(np.int64)))


@pytest.mark.parametrize("index", range(25))
def test_gradients_are_adjoints(index: int, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(index):
        rng.random()
    case = random_case(rng)
    x, w = integers(rng, case.x, dtype), integers(rng, case.w, dtype)
    y = op("conv", case.rank)(x, w, **case.arguments)
    dy = integers(rng, y.shape, dtype)
    dx, dw, db = op("conv_backward", case.rank)(dy, x, w, **case.arguments)
    assert np.count_nonzero(y) > y.size // 8
    assert inner(y, dy) == inner(x, dx) == inner(w, dw)
    assert np.array_equal(db, dy.sum(axis=(0, *range(2, dy.ndim))))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution_is_the_adjoint(rank: int, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    arguments = {"stride": (2, 3, 1)[:rank], "padding": (1, 2, 0)[:rank], "dilation": (2, 1, 2)[:rank], "groups": 2}
    y = integers(rng, (2, 4, *(5, 4, 3)[:rank]), dtype)
    w = integers(rng, (4, 3, *(3, 4, 2)[:rank]), dtype)
    x_like = op("conv_transpose", rank)(y, w, **arguments, output_padding=(1, 2, 0)[:rank])
    x = integers(rng, x_like.shape, dtype)
    assert inner(op("conv", rank)(x, w, **arguments), y) == inner(x, x_like)
    dy, dw, db = op("conv_transpose_backward", rank)(x, y, w, **arguments, output_padding=(1, 2, 0)[:rank])
    assert inner(x, x_like) == inner(y, dy) == inner(w, dw)
    assert np.array_equal(db, x.sum(axis=(0, *range(2, x.ndim))))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_by_size_agree_with_backward(rank: int, rng: np.random.Generator) -> None:
    case = random_case(rng, rank)
    x, w = integers(rng, case.x, np.float64), integers(rng, case.w, np.float64)
    dy = op("conv", rank)(x, w, **case.arguments)
    dx, dw, _ = op("conv_backward", rank)(dy, x, w, **case.arguments)
    assert np.array_equal(getattr(F, f"conv{rank}d_input")(x.shape, w, dy, **case.arguments), dx)
    assert np.array_equal(getattr(F, f"conv{rank}d_weight")(x, w.shape, dy, **case.arguments), dw)


@pytest.mark.parametrize("mask", [(True, False, False), (False, True, False), (False, False, True)])
def test_output_mask(mask: tuple[bool, bool, bool], rng: np.random.Generator) -> None:
    x, w = integers(rng, (1, 2, 5, 5), np.float32), integers(rng, (3, 2, 3, 3), np.float32)
    dy = integers(rng, (1, 3, 3, 3), np.float32)
    gradients = op("conv_backward", 2)(dy, x, w, output_mask=mask)
    assert tuple(g is not None for g in gradients) == mask
