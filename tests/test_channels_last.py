"""Channels last: every op gives what it gives with channels first, bit for bit where that is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comparison import same

from cnnfast import functional as F
from cnnfast import reference as R
from cnnfast.testing import integers

# image, weight, stride, padding, dilation, groups
PROBLEMS: list[tuple[Any, ...]] = [
    ((3, 5, 40), (7, 5, 3), 1, 1, 1, 1),
    ((2, 4, 31), (6, 2, 4), 2, ((1, 2),), 3, 2),
    ((2, 4, 4, 4), (4, 1, 3, 3), 1, 1, 1, 4),
    ((2, 3, 17, 19), (20, 3, 7, 7), 2, 3, 1, 1),
    ((2, 33, 9, 10), (18, 33, 3, 3), 1, 1, 1, 1),
    ((3, 16, 7, 7), (40, 16, 1, 1), 1, 0, 1, 1),
    ((2, 18, 8, 9), (5, 18, 1, 1), 2, 0, 1, 1),
    ((2, 12, 9, 11), (24, 4, 3, 2), (1, 2), (1, 0), (2, 1), 3),
    ((1, 1, 9, 9), (1, 1, 3, 3), 1, "same", 1, 1),
    ((0, 3, 9, 9), (2, 3, 3, 3), 1, 0, 1, 1),
    ((2, 5, 5, 6, 7), (9, 5, 3, 2, 3), (1, 2, 1), 1, 1, 1),
    ((1, 140, 3, 2, 9), (9, 140, 1, 1, 3), 1, (0, 0, 1), 1, 1),
]


def last(array: Any) -> Any:
    return None if array is None else np.ascontiguousarray(np.moveaxis(array, 1, -1))


def first(array: Any) -> Any:
    return np.moveaxis(array, -1, 1)


def op(name: str, shape: tuple[int, ...]) -> Any:
    return getattr(F, name.replace("N", str(len(shape) - 2)))


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
@pytest.mark.parametrize("algo", ["auto", "direct"])
def test_convolution(problem: Any, algo: str, isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    shape, filters, stride, padding, dilation, groups = problem
    named = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x, w, b = (integers(rng, s, dtype) for s in (shape, filters, filters[:1]))
    conv, gradients = op("convNd", shape), op("convNd_backward", shape)
    expected = conv(x, w, b, **named, algo=algo)
    same(first(conv(last(x), w, b, **named, algo=algo, data_format="channels_last")), expected)
    dy = integers(rng, expected.shape, dtype)
    dx, dw, db = gradients(last(dy), last(x), w, **named, data_format="channels_last")
    for got, want in zip((first(dx), dw, db), gradients(dy, x, w, **named), strict=True):
        same(got, want)
    format_name = {3: "NWC", 4: "NHWC", 5: "NDHWC"}[len(shape)]
    same(op("convNd_input", shape)(last(x).shape, w, last(dy), **named, data_format=format_name), dx)
    same(op("convNd_weight", shape)(last(x), filters, last(dy), **named, data_format=format_name), dw)


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p[3] != "same"], ids=str)
def test_transposed_convolution(problem: Any, isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    shape, filters, stride, padding, dilation, groups = problem
    named = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = integers(rng, (shape[0], filters[0], *shape[2:]), dtype)
    w, b = integers(rng, filters, dtype), integers(rng, filters[1] * groups, dtype)
    conv, gradients = op("conv_transposeNd", shape), op("conv_transposeNd_backward", shape)
    expected = conv(x, w, b, **named)
    same(first(conv(last(x), w, b, **named, data_format="channels_last")), expected)
    dy = integers(rng, expected.shape, dtype)
    dx, dw, db = gradients(last(dy), last(x), w, **named, data_format="channels_last")
    for got, want in zip((first(dx), dw, db), gradients(dy, x, w, **named), strict=True):
        same(got, want)


def test_one_image_out_and_strides(rng: np.random.Generator) -> None:
    x, w = integers(rng, (8, 9, 5), np.float32), integers(rng, (6, 5, 3, 3), np.float32)
    expected = np.moveaxis(R.conv2d(np.moveaxis(x, -1, 0), w), 0, -1)
    same(F.conv2d(x, w, data_format="NHWC"), expected)
    out = np.zeros((6, 7, 12), np.float32)[..., ::2]
    assert F.conv2d(x[::-1, :, :], w, data_format="NHWC", out=out) is out
    same(out, F.conv2d(x[::-1].copy(), w, data_format="NHWC"))
    depthwise = integers(rng, (5, 1, 3, 3), np.float32)
    out = np.zeros((6, 7, 5), np.float32)
    assert F.conv2d(x, depthwise, groups=5, data_format="NHWC", out=out) is out
    same(out, np.moveaxis(R.conv2d(np.moveaxis(x, -1, 0), depthwise, groups=5), 0, -1))


def test_winograd_of_random_floats_gives_the_same_bits(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 64, 28, 28)).astype(np.float32)
    w = rng.standard_normal((64, 64, 3, 3)).astype(np.float32)
    dy = rng.standard_normal((2, 64, 28, 28)).astype(np.float32)
    same(first(F.conv2d(last(x), w, None, 1, 1, data_format="NHWC")), F.conv2d(x, w, None, 1, 1))
    dx, dw, _ = F.conv2d_backward(dy, x, w, 1, 1)
    last_dx, last_dw, _ = F.conv2d_backward(last(dy), last(x), w, 1, 1, data_format="NHWC")
    same(first(last_dx), dx)
    same(last_dw, dw)


@pytest.mark.parametrize("name", ["NHWC", "channels", "", "NCW ", 3, None])
def test_other_names_are_refused(name: Any) -> None:
    with pytest.raises(ValueError, match=r"^conv1d: data_format is .* \(expected one of 'channels_first'"):
        F.conv1d(np.ones((1, 2, 3)), np.ones((1, 2, 3)), data_format=name)


def test_shapes_that_do_not_fit_are_refused() -> None:
    w = np.ones((4, 3, 3, 3))
    with pytest.raises(ValueError, match="input channels per group"):
        F.conv2d(np.ones((1, 3, 8, 8)), w, data_format="NHWC")
    with pytest.raises(ValueError, match="grad_output has shape"):
        F.conv2d_backward(np.ones((1, 4, 6, 6)), np.ones((1, 8, 8, 3)), w, data_format="NHWC")
    with pytest.raises(ValueError, match="input has 2 dimensions"):
        F.conv2d(np.ones((8, 8)), w, data_format="NHWC")
