"""Convolution and transposed convolution against PyTorch: values, gradients, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F

torch = pytest.importorskip("torch")

TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}


def draw_arguments(rng: np.random.Generator, rank: int) -> dict[str, Any]:
    def each(*values: int) -> tuple[int, ...]:
        return tuple(int(rng.choice(values)) for _ in range(rank))

    return {
        "stride": each(1, 1, 2, 3),
        "padding": each(0, 1, 2),
        "dilation": each(1, 1, 2),
        "groups": int(rng.choice([1, 1, 2, 3])),
    }


def draw_arrays(rng: np.random.Generator, rank: int, groups: int, transposed: bool, dtype: Any) -> list[Any]:
    channels = groups * int(rng.integers(1, 7)), groups * int(rng.integers(1, 9))
    kernel = tuple(int(rng.integers(1, 5)) for _ in range(rank))
    extent = tuple(int(rng.integers(7, {1: 60, 2: 16, 3: 9}[rank])) for _ in range(rank))
    weight = (channels[0], channels[1] // groups) if transposed else (channels[1], channels[0] // groups)
    shapes = [(int(rng.integers(1, 4)), channels[0], *extent), (*weight, *kernel), (channels[1],)]
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def check(got: Any, expected: Any, dtype: Any) -> None:
    expected = expected.detach().numpy()
    scale = np.abs(expected).max(initial=1.0)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    assert np.abs(got - expected).max(initial=0.0) <= TOLERANCE[dtype] * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["conv", "conv_transpose"])
def test_values_and_gradients(family: str, rank: int, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(60):
        arguments = draw_arguments(rng, rank)
        transposed = family == "conv_transpose"
        arrays = draw_arrays(rng, rank, arguments["groups"], transposed, dtype)
        name = f"{family}{rank}d"
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        try:
            expected = getattr(torch.nn.functional, name)(*tensors, **arguments)
        except RuntimeError:
            with pytest.raises((ValueError, TypeError)):
                getattr(F, name)(*arrays, **arguments)
            continue
        grad = rng.standard_normal(expected.shape).astype(dtype)
        expected.backward(torch.tensor(grad))
        check(getattr(F, name)(*arrays, **arguments), expected, dtype)
        for got, tensor in zip(getattr(F, f"{name}_backward")(grad, *arrays[:2], **arguments), tensors, strict=True):
            check(got, tensor.grad, dtype)


REFUSED: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"stride": 0}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"stride": 1.0}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"stride": True}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"stride": None}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"stride": ()}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"stride": (1, 2, 3)}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"padding": -1}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"padding": "SAME"}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"dilation": 0}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"groups": 0}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3, 3), {"groups": 3}),
    ("conv2d", (1, 4, 8, 8), (5, 2, 3, 3), {"groups": 2}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 0, 3), {}),
    ("conv2d", (1, 4, 8, 8), (0, 4, 3, 3), {}),
    ("conv2d", (1, 4, 0, 8), (6, 4, 3, 3), {"padding": 2}),
    ("conv2d", (0, 4, 0, 8), (6, 4, 3, 3), {}),
    ("conv2d", (8, 8), (6, 4, 3, 3), {}),
    ("conv2d", (1, 4, 2, 2), (6, 4, 3, 3), {}),
    ("conv2d", (1, 4, 8, 8), (6, 4, 3), {}),
    ("conv_transpose2d", (1, 4, 8, 8), (4, 6, 3, 3), {"stride": 2, "output_padding": 2}),
    ("conv_transpose2d", (1, 4, 8, 8), (4, 6, 3, 3), {"stride": 2, "output_padding": -1}),
    ("conv_transpose2d", (1, 4, 1, 1), (4, 6, 3, 3), {"padding": 2}),
    ("conv_transpose2d", (1, 4, 8, 8), (4, 6, 3, 3), {"padding": "same"}),
    ("conv_transpose2d", (1, 4, 8, 8), (4, 6, 3, 3), {"groups": 3}),
    ("conv_transpose2d", (1, 4, 8, 8), (4, 6, 0, 3), {}),
]


@pytest.mark.parametrize(("name", "x", "w", "arguments"), REFUSED)
def test_what_pytorch_refuses_is_refused(
    name: str, x: tuple[int, ...], w: tuple[int, ...], arguments: dict[str, Any]
) -> None:
    with pytest.raises((RuntimeError, TypeError)):
        getattr(torch.nn.functional, name)(torch.zeros(x), torch.zeros(w), **arguments)
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        getattr(F, name)(np.zeros(x, np.float32), np.zeros(w, np.float32), **arguments)
