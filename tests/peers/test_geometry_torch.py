"""Shapes, taken and refused, as PyTorch does: calls at the edge of what is allowed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F

torch = pytest.importorskip("torch")

Shapes = tuple[tuple[int, ...], ...]


def outcome(function: Any, arrays: list[Any], named: dict[str, Any]) -> tuple[int, ...] | None:
    """Shape of the result, None if the call is refused."""
    try:
        return tuple(function(*arrays, **named).shape)
    except (ValueError, TypeError, RuntimeError, IndexError):
        return None


def agree(name: str, shapes: Shapes, **named: Any) -> None:
    expected = outcome(getattr(torch.nn.functional, name), [torch.zeros(shape) for shape in shapes], named)
    got = outcome(getattr(F, name), [np.zeros(shape, np.float32) for shape in shapes], named)
    assert got == expected, (name, shapes, named)


def spatial(rank: int, extent: int) -> tuple[int, ...]:
    return (extent,) * rank


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution(rank: int) -> None:
    name, k = f"conv{rank}d", spatial(rank, 3)
    values: Any = ((1, 2, 5), (1, 2, 7), (0, 1, 4, "same", "valid"), (1, 2))
    for extent, stride, padding, dilation in itertools.product(*values):
        if padding != "same" or stride == 1:
            named = {"stride": stride, "padding": padding, "dilation": dilation}
            agree(name, ((2, 4, *spatial(rank, extent)), (6, 4, *k)), **named)
    x = (2, 4, *spatial(rank, 5))
    for groups in (-1, 0, 1, 2, 3, 4):
        agree(name, (x, (6, 2, *k)), groups=groups)
    for bias in ((), (1,), (6,), (6, 1), (5,)):
        agree(name, (x, (6, 4, *k), bias))
    for shape in ((4, *spatial(rank, 5)), (0, 4, *spatial(rank, 5)), (0, 3, *spatial(rank, 5)), spatial(rank, 5)):
        agree(name, (shape, (6, 4, *k)))
    for value in ((1,), (), (2,) * rank, (2,) * (rank + 1), None, 1.0, True, "a"):
        agree(name, (x, (6, 4, *k)), stride=value)
        agree(name, (x, (6, 4, *k)), padding=value)
        agree(name, (x, (6, 4, *k)), dilation=value)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution(rank: int) -> None:
    name, x, w = f"conv_transpose{rank}d", (2, 4, *spatial(rank, 5)), (4, 3, *spatial(rank, 3))
    values: Any = ((1, 2, 3), (0, 1, 2), (-1, 0, 1, 2), (1, 3))
    for stride, padding, output_padding, dilation in itertools.product(*values):
        named = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
        agree(name, (x, w), **named)
    for named in ({"stride": 0}, {"dilation": 0}, {"padding": -1}, {"padding": 4}, {"padding": "same"}):
        agree(name, (x, w), **named)
    for groups in (0, 1, 2, 3):
        agree(name, (x, w), groups=groups)
        agree(name, (x, w, (6,)), groups=groups)
    for lead in ((4,), (0, 4), (2, 3), ()):
        agree(name, ((*lead, *spatial(rank, 5)), w))
    agree(name, ((2, 4, *spatial(rank, 0)), w))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["max_pool", "avg_pool"])
def test_pooling(family: str, rank: int) -> None:
    name = f"{family}{rank}d"
    for extent, kernel, stride, padding, ceil in itertools.product(
        (1, 4, 7), (1, 2, 3, 4), (None, 1, 2, 5), (0, 1, 2), (False, True)
    ):
        if kernel <= extent:  # avg_pool3d of PyTorch refuses kernels beyond the input even where padding makes room
            named = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil}
            agree(name, ((1, 2, *spatial(rank, extent)),), **named)
    x = (1, 2, *spatial(rank, 6))
    for named in ({"stride": 0}, {"stride": ()}, {"stride": (1,)}, {"padding": -1}, {"ceil_mode": 1}, {"padding": ()}):
        agree(name, (x,), kernel_size=2, **named)
    for kernel in (0, -1, 7, (), (2,), (2,) * rank, (2,) * (rank + 1), 2.0, True, None):
        agree(name, (x,), kernel_size=kernel)
    for shape in ((2, *spatial(rank, 6)), (0, 2, *spatial(rank, 6)), (1, 0, *spatial(rank, 6)), spatial(rank, 6)):
        agree(name, (shape,), kernel_size=2)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_dilated_max_pooling(rank: int) -> None:
    for kernel, dilation, padding, ceil in itertools.product((1, 2, 3), (0, 1, 2, 3), (0, 1, 2), (False, True)):
        named = {"kernel_size": kernel, "stride": 2, "dilation": dilation, "padding": padding, "ceil_mode": ceil}
        agree(f"max_pool{rank}d", ((1, 2, *spatial(rank, 6)),), **named)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["adaptive_max_pool", "adaptive_avg_pool"])
def test_adaptive_pooling(family: str, rank: int) -> None:
    name, x = f"{family}{rank}d", (1, 2, *spatial(rank, 6))
    for output_size in (0, 1, 4, 9, -1, (3,) * rank, (3,) * (rank + 2), (), 3.0, True, None):
        agree(name, (x,), output_size=output_size)
    if rank > 1:
        agree(name, (x,), output_size=(None, *(2,) * (rank - 1)))
    for lead in ((2,), (0, 2), (0,), (), (1, 1, 2)):
        agree(name, ((*lead, *spatial(rank, 6)),), output_size=2)
    agree(name, ((1, 2, *spatial(rank, 0)),), output_size=2)
    if name != "adaptive_avg_pool3d":  # which in PyTorch, unlike in 1D and 2D, does not average over no channels
        agree(name, ((2, 0, *spatial(rank, 6)),), output_size=2)
