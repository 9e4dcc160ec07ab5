"""Pooling against PyTorch: values, indices, gradients, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F

torch = pytest.importorskip("torch")
T = torch.nn.functional

EXTENTS = {1: (31,), 2: (11, 14), 3: (6, 7, 9)}


def draw(rng: np.random.Generator, rank: int, *values: int) -> tuple[int, ...]:
    return tuple(int(rng.choice(values)) for _ in range(rank))


def compare(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-5, atol=1e-6, strict=True)


def refuses(function: Any, *arguments: Any, **named: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        function(*arguments, **named)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_pool(rank: int, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(60):
        x = rng.integers(-3, 4, (2, 3, *EXTENTS[rank])).astype(dtype)
        x[rng.random(x.shape) < 0.02] = np.nan
        arguments: Any = {
            "kernel_size": draw(rng, rank, 1, 2, 3, 4),
            "stride": [None, draw(rng, rank, 1, 2, 3)][int(rng.integers(2))],
            "padding": draw(rng, rank, 0, 1),
            "dilation": draw(rng, rank, 1, 1, 2),
            "ceil_mode": bool(rng.integers(2)),
        }
        name = f"max_pool{rank}d"
        tensor = torch.tensor(x, requires_grad=True)
        try:
            y, index = getattr(T, name)(tensor, **arguments, return_indices=True)
        except RuntimeError:
            refuses(getattr(F, name), x, **arguments)
            continue
        got, got_index = getattr(F, name)(x, **arguments, return_indices=True)
        compare(got, y)
        assert np.array_equal(got_index, index.numpy())
        compare(getattr(F, name)(x, **arguments), y)
        dy = rng.integers(-4, 5, got.shape).astype(dtype)
        y.backward(torch.tensor(dy))
        compare(getattr(F, f"{name}_backward")(dy, got_index, x.shape, **arguments), tensor.grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_avg_pool(rank: int, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(60):
        x = rng.standard_normal((2, 3, *EXTENTS[rank])).astype(dtype)
        arguments: Any = {
            "kernel_size": draw(rng, rank, 1, 2, 3, 4),
            "stride": [None, draw(rng, rank, 1, 2, 3)][int(rng.integers(2))],
            "padding": draw(rng, rank, 0, 1),
            "ceil_mode": bool(rng.integers(2)),
            "count_include_pad": bool(rng.integers(2)),
        }
        if rank > 1 and rng.integers(3) == 0:
            arguments["divisor_override"] = int(rng.choice([-3, 1, 5]))
        name = f"avg_pool{rank}d"
        tensor = torch.tensor(x, requires_grad=True)
        try:
            y = getattr(T, name)(tensor, **arguments)
        except RuntimeError:
            refuses(getattr(F, name), x, **arguments)
            continue
        got = getattr(F, name)(x, **arguments)
        compare(got, y)
        dy = rng.standard_normal(got.shape).astype(dtype)
        y.backward(torch.tensor(dy))
        compare(getattr(F, f"{name}_backward")(dy, x.shape, **arguments), tensor.grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pools(rank: int, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(20):
        x = rng.integers(-3, 4, (2, 3, *EXTENTS[rank])).astype(dtype)
        output_size = draw(rng, rank, 1, 2, 3, 5, 8)
        tensor = torch.tensor(x, requires_grad=True)
        y, index = getattr(T, f"adaptive_max_pool{rank}d")(tensor, output_size, return_indices=True)
        got, got_index = getattr(F, f"adaptive_max_pool{rank}d")(x, output_size, return_indices=True)
        compare(got, y)
        assert np.array_equal(got_index, index.numpy())
        dy = rng.integers(-4, 5, got.shape).astype(dtype)
        y.backward(torch.tensor(dy))
        backward = getattr(F, f"adaptive_max_pool{rank}d_backward")
        compare(backward(dy, got_index, x.shape, output_size), tensor.grad)

        tensor.grad = None
        mean = getattr(T, f"adaptive_avg_pool{rank}d")(tensor, output_size)
        compare(getattr(F, f"adaptive_avg_pool{rank}d")(x, output_size), mean)
        mean.backward(torch.tensor(dy))
        compare(getattr(F, f"adaptive_avg_pool{rank}d_backward")(dy, x.shape, output_size), tensor.grad)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_unpool(rank: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, *(8, 10, 12)[:rank]))
    y, index = getattr(F, f"max_pool{rank}d")(x, 2, return_indices=True)
    tensor = torch.tensor(y, requires_grad=True)
    for output_size in (None, x.shape[2:], x.shape):
        expected = getattr(T, f"max_unpool{rank}d")(tensor, torch.tensor(index), 2, output_size=output_size)
        compare(getattr(F, f"max_unpool{rank}d")(y, index, 2, output_size=output_size), expected)
    dy = rng.standard_normal(x.shape)
    expected.backward(torch.tensor(dy))
    compare(getattr(F, f"max_unpool{rank}d_backward")(dy, index, 2, output_size=x.shape), tensor.grad)


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 0}),
        ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 2.0}),
        ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 2, "stride": 0}),
        ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 2, "padding": 2}),
        ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 2, "dilation": 0}),
        ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 7}),
        ("max_pool2d", (1, 0, 6, 6), {"kernel_size": 2}),
        ("max_pool2d", (6, 6), {"kernel_size": 2}),
        ("avg_pool2d", (1, 2, 6, 6), {"kernel_size": 2, "padding": 2}),
        ("avg_pool2d", (1, 2, 6, 6), {"kernel_size": 2, "divisor_override": 0}),
        ("avg_pool2d", (1, 2, 6, 6), {"kernel_size": (2, 2, 2)}),
    ],
)
def test_what_pytorch_refuses_is_refused(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    with pytest.raises((RuntimeError, TypeError)):
        getattr(T, name)(torch.zeros(shape), **arguments)
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        getattr(F, name)(np.zeros(shape), **arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_lp_pool(rank: int, dtype: Any, rng: np.random.Generator) -> None:
    for norm_type in (1, 2, 3, 0.5, 2.5, -1, np.inf, -np.inf):
        for signed in (False, True):
            x = rng.standard_normal((2, 3, *EXTENTS[rank])).astype(dtype)
            x = x if signed else np.abs(x)
            x[0, 0] = 0
            kernel, stride = draw(rng, rank, 1, 2, 3), [None, draw(rng, rank, 1, 2, 3)][int(rng.integers(2))]
            # lp_pool1d of PyTorch takes no tuples
            windows = (kernel, stride) if rank > 1 else (kernel[0], stride and stride[0])
            arguments = norm_type, *windows, bool(rng.integers(2))
            tensor = torch.tensor(x, requires_grad=True)
            y = getattr(T, f"lp_pool{rank}d")(tensor, *arguments)
            compare(getattr(F, f"lp_pool{rank}d")(x, *arguments), y)
            dy = rng.standard_normal(y.shape).astype(dtype)
            y.backward(torch.tensor(dy))
            got = getattr(F, f"lp_pool{rank}d_backward")(dy, x, *arguments)
            np.testing.assert_allclose(got, tensor.grad, rtol=2e-5, atol=1e-5)
