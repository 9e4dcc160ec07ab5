"""Adaptive, Lp and max unpooling, indices at ties and at padding, refusals; the other pools are in test_exact.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comparison import same
from problems import Draw

from cnnfast import _config, _core
from cnnfast import functional as F
from cnnfast import layers as L
from cnnfast import reference as R

# Averages that share points divide by products of 1 to 5: gradients that are multiples of this stay whole numbers.
UNIT = 60**3


def close(got: Any, expected: Any) -> None:
    """Powers and roots round several times."""
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(got, expected, rtol=32 * np.finfo(got.dtype).eps)


def draw(rng: np.random.Generator, rank: int, *values: int) -> tuple[int, ...]:
    return tuple(int(rng.choice(values)) for _ in range(rank))


def check_maximum(name: str, x: Any, *arguments: Any, **named: Any) -> None:
    """Values with and without indices, indices, and the gradient of a float input with repeated indices."""
    forward, backward = getattr(F, name), getattr(F, f"{name}_backward")
    expected, places = getattr(R, name)(x, *arguments, **named, return_indices=True)
    got, indices = forward(x, *arguments, **named, return_indices=True)
    same(got, expected)
    same(indices, places)
    same(forward(x, *arguments, **named), expected)
    dy = np.arange(got.size).reshape(got.shape).astype(x.dtype) % 17 - 8
    same(
        backward(dy, indices, x.shape, *arguments, **named),
        getattr(R, f"{name}_backward")(dy, indices, x.shape, *arguments, **named),
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pools(rank: int, isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    some = draw(rng, rank, 2, 3, 4), draw(rng, rank, 3, 5, 9), (*draw(rng, rank - 1, 4, 5), None)
    for output_size in (1, *some, (None,) * rank, 0):
        shape = (2, int(rng.choice((3, 8, 19))), *draw(rng, rank, 6, 8, 9))  # up to 38 planes, 16 of which go together
        check_maximum(f"adaptive_max_pool{rank}d", Draw(rng, dtype).with_ties(*shape), output_size)
        x = rng.integers(-8, 9, shape).astype(dtype)
        name = f"adaptive_avg_pool{rank}d"
        expected = getattr(R, name)(x, output_size)
        same(getattr(F, name)(x, output_size), expected)
        dy = rng.integers(-8, 9, expected.shape).astype(dtype) * UNIT
        got = getattr(F, f"{name}_backward")(dy, shape, output_size)
        same(got, getattr(R, f"{name}_backward")(dy, shape, output_size))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("norm_type", [1, 2, 3.5, 0.5, -1, np.inf, -np.inf])
def test_lp_pool(rank: int, norm_type: float, isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    named = {"norm_type": norm_type, "kernel_size": 3, "stride": 2, "ceil_mode": True}
    x = (rng.random((2, 3, *(9,) * rank)) + 0.5).astype(dtype)
    y = getattr(F, f"lp_pool{rank}d")(x, **named)
    close(y, getattr(R, f"lp_pool{rank}d")(x, **named))
    dy = (rng.random(y.shape) + 0.5).astype(dtype)
    backward = f"lp_pool{rank}d_backward"
    close(getattr(F, backward)(dy, x, **named), getattr(R, backward)(dy, x, **named))


def test_lp_pool_of_zeros_and_of_negative_sums(dtype: Any) -> None:
    x = np.array([[0, 0, -1, -1, 2, 1]], dtype)
    same(F.lp_pool1d(x, 3, 2), np.array([[0, np.nan, 9 ** (1 / 3)]]).astype(dtype))
    dx = F.lp_pool1d_backward(np.ones((1, 3), dtype), x, 3, 2)
    assert np.array_equal(np.isfinite(dx), [[True, True, False, False, True, True]])
    assert not np.any(dx[0, :2])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_unpool(rank: int, isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    shape = (5, 4, *draw(rng, rank, 5, 6, 7))
    x = rng.integers(-8, 9, shape).astype(dtype)
    y, indices = getattr(F, f"max_pool{rank}d")(x, 2, return_indices=True)
    for output_size in (None, shape[2:], shape):
        named = {"kernel_size": 2, "output_size": output_size}
        if output_size is None:
            indices %= 2**rank
        got = getattr(F, f"max_unpool{rank}d")(y, indices, **named)
        same(got, getattr(R, f"max_unpool{rank}d")(y, indices, **named))
        backward = f"max_unpool{rank}d_backward"
        same(getattr(F, backward)(got, indices, **named), getattr(R, backward)(got, indices, **named))


def test_first_maximum_and_last_nan_win(isa: int, dtype: Any) -> None:
    nan, inf = np.nan, np.inf
    x = np.array([[[1, 1, nan, 0, -inf, -inf], [1, 1, 5, nan, -inf, -inf]]], dtype)
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    same(y, np.array([[[1, nan, -inf]]], dtype))
    assert indices.tolist() == [[[0, 9, 4]]]
    # across rows: the first in scan order is in the second column
    _, indices = F.max_pool2d(np.array([[[0, 3], [3, 0]]], dtype), 2, return_indices=True)
    assert indices.tolist() == [[[1]]]


def test_windows_of_padding_have_no_index(dtype: Any) -> None:
    y, indices = F.max_pool1d(np.ones((1, 1), dtype), 2, 1, 1, 2, return_indices=True)
    assert y.tolist() == [[-np.inf]]
    assert indices.tolist() == [[-1]]
    for module in (F, R):
        same(module.max_pool1d_backward(np.ones_like(y), indices, (1, 1), 2, 1, 1, 2), np.zeros((1, 1), dtype))


@pytest.mark.parametrize("kernel", [2, (3, 1, 2), 7])
def test_places_outlive_settings(kernel: Any, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    """Forward and backward may differ in instruction set and threads; 343 points are more than a byte can tell."""
    x, layer = Draw(rng, dtype).with_ties(2, 3, 9, 10, 11), L.MaxPool3d(kernel, 2, return_indices=False)
    y, indices = R.max_pool3d(x, kernel, 2, return_indices=True)
    dy = np.arange(y.size).reshape(y.shape).astype(dtype)
    same(layer(x), y)
    with _config.using(isa=_core.supported_isas()[0], threads=3):
        same(layer.backward(dy), R.max_pool3d_backward(dy, indices, x.shape, kernel, 2))


def test_layers_send_no_gradient_to_padding(isa: int, threads: int, dtype: Any) -> None:
    """Windows of padding alone, and of -inf beside it, whose first place is the first inside."""
    layer = L.MaxPool1d(2, 1, 1, 2)
    assert layer(np.ones((1, 1), dtype)).tolist() == [[-np.inf]]
    same(layer.backward(np.ones((1, 1), dtype)), np.zeros((1, 1), dtype))
    layer = L.MaxPool2d(3, 1, 1)
    layer(np.full((1, 2, 3), -np.inf, dtype))
    same(layer.backward(np.ones((1, 2, 3), dtype)), np.array([[[4, 2, 0], [0, 0, 0]]], dtype))


@pytest.mark.parametrize("wrong", [-2, 16, 2**62, -(2**63)])
@pytest.mark.parametrize("place", [0, -1])
def test_indices_outside_of_the_plane_are_refused(wrong: int, place: int, threads: int) -> None:
    x = np.ones((6, 50, 4, 4))
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    indices.reshape(-1)[place] = wrong
    for name, arguments in {
        "max_pool2d_backward": (y, indices, x.shape, 2),
        "adaptive_max_pool2d_backward": (y, indices, x.shape, 2),
        "max_unpool2d": (y, indices, 2),
        "max_unpool2d_backward": (x, indices, 2),
    }.items():
        for module in (F, R):
            with pytest.raises(ValueError, match=f"^{name}: indices has values outside of the plane"):
                getattr(module, name)(*arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "max_pool2d_backward",
            (np.ones((1, 2, 3, 3)), np.ones((1, 2, 2, 2), int), (1, 2, 4, 4), 2),
            "grad_output has",
        ),
        ("max_pool2d_backward", (np.ones((1, 2, 2, 2)), np.ones((1, 2, 3, 3), int), (1, 2, 4, 4), 2), "indices has"),
        ("avg_pool2d_backward", (np.ones((1, 2, 3, 3)), (1, 2, 4, 4), 2), "grad_output has"),
        ("adaptive_avg_pool2d_backward", (np.ones((1, 2, 3, 3)), (1, 2, 4, 4), 2), "grad_output has"),
        ("lp_pool2d_backward", (np.ones((1, 2, 3, 3)), np.ones((1, 2, 4, 4)), 2, 2), "grad_output has"),
        ("lp_pool2d", (np.ones((1, 2, 4, 4)), 0, 2), "norm_type is 0"),
        ("max_unpool2d", (np.ones((1, 2, 2, 2)), np.ones((1, 2, 3, 3), int), 2), "indices has"),
        ("max_unpool2d_backward", (np.ones((1, 2, 3, 3)), np.ones((1, 2, 2, 2), int), 2), "grad_output has"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name: str, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: {message}"):
        getattr(F, name)(*arguments)


def test_threads_do_not_change_a_bit(dtype: Any, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 5, 60, 61)).astype(dtype)
    results = []
    for threads in (1, 2, 3):
        with _config.using(threads=threads):
            y = F.avg_pool2d(x, 3, 2, 1)
            results.append((y, F.avg_pool2d_backward(y, x.shape, 3, 2, 1), F.adaptive_avg_pool2d(x, 7)))
    for other in results[1:]:
        for first, second in zip(results[0], other, strict=True):
            assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("size", [(5, 9), (7, 7), (13, 13), (3, 40)])
def test_bits_do_not_depend_on_the_place_of_a_plane(
    size: tuple[int, int], isa: int, dtype: Any, rng: np.random.Generator
) -> None:
    plane = rng.standard_normal(size).astype(dtype)
    for channels in (1, 7, 24, 37):
        x = np.tile(plane, (1, channels, 1, 1))
        for pooled in (
            F.avg_pool2d(x, size),
            F.lp_pool2d(x, 2, size),
            F.adaptive_avg_pool2d(x, 2),
            F.avg_pool2d(x, (size[0], 2), stride=2),
        ):
            assert np.all(pooled == pooled[:, :1])


@pytest.mark.parametrize("planes", [1, 15, 16, 17])
def test_bits_of_a_plane_do_not_depend_on_how_many_there_are(planes: int, isa: int, dtype: Any) -> None:
    plane = np.random.default_rng(0).standard_normal((1, 1, 23, 37)).astype(dtype)
    alone, among = (F.adaptive_avg_pool2d(np.tile(plane, (1, n, 1, 1)), (3, 3)) for n in (1, planes))
    assert np.all(among == alone)


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "named"),
    [
        ((1, 56, 56, 64), (1, 3), (1, 2), {"ceil_mode": True, "data_format": "channels_last"}),
        ((1, 300, 20), 3, 2, {"ceil_mode": True, "data_format": "channels_last"}),
        ((1, 2, 6, 3000), (2, 3), (2, 2), {"ceil_mode": True}),
        ((1, 2, 10000), 3, 2, {"padding": ((0, 1),)}),
        ((1, 2, 8430), 2, 1, {"padding": ((0, 1),), "count_include_pad": False}),
    ],
)
def test_average_gradients_of_windows_that_overlap_at_the_cuts_of_a_line(
    shape: Any, kernel: Any, stride: Any, named: Any, isa: int, rng: np.random.Generator
) -> None:
    name = f"avg_pool{len(shape) - 2}d"
    dy = rng.standard_normal(getattr(R, name)(np.zeros(shape), kernel, stride, **named).shape)
    got, expected = (getattr(module, f"{name}_backward")(dy, shape, kernel, stride, **named) for module in (F, R))
    np.testing.assert_allclose(got, expected, atol=1e-14)
