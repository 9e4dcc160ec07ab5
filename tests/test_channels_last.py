"""Channels last: every op gives what it gives with channels first, bit for bit where that is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comparison import same
from problems import Draw, Problem, solvable

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


POOLS = ("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool")


def check_pool(problem: Problem, rng: np.random.Generator) -> None:
    """Values, indices and gradients of the ops and of their definition."""
    x, named = problem.arrays["input"], problem.arguments
    rank = int(problem.op[-2])

    def moved(a: Any) -> Any:
        return np.ascontiguousarray(np.moveaxis(a, -rank - 1, -1))

    expected = getattr(R, problem.op)(x, **named)
    values, *places = expected if isinstance(expected, tuple) else (expected,)
    dy = integers(rng, values.shape, values.dtype)
    shapes = {"input_size": x.shape, **{k: v for k, v in named.items() if k != "return_indices"}}
    dx = getattr(R, f"{problem.op}_backward")(dy, *places, **shapes)
    for module in (F, R):
        got = getattr(module, problem.op)(moved(x), **named, data_format="channels_last")
        for one, other in zip(got if places else (got,), (values, *places), strict=True):
            same(one, moved(other), str(problem))
        more = shapes | {"input_size": moved(x).shape, "data_format": "channels_last"}
        backward = getattr(module, f"{problem.op}_backward")
        gradient = backward(moved(dy), *map(moved, places), **more)
        np.testing.assert_allclose(gradient, moved(dx), rtol=1e-5, atol=1e-5, err_msg=str(problem))
        if places:
            same(gradient, moved(dx), str(problem))
    if places:
        same(
            getattr(F, problem.op)(moved(x), **named | {"return_indices": False}, data_format="channels_last"),
            moved(values),
        )


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", POOLS)
def test_pools(family: str, rank: int, isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(12):
        check_pool(solvable(f"{family}{rank}d", Draw(rng, dtype, exact=True), F), rng)


@pytest.mark.parametrize("channels", [1, 3, 8, 65, 2100])
def test_pools_of_many_channels(channels: int, isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    """Lines of more reals than a task has, and of fewer channels than lanes."""
    x = Draw(rng, dtype).with_ties(2, channels, 7, 9)
    windows: dict[str, Any] = {"kernel_size": 2, "stride": (2, 1), "padding": 1}
    check_pool(Problem("max_pool2d", {"input": x}, windows | {"return_indices": True}), rng)
    x = integers(rng, x.shape, dtype)
    check_pool(
        Problem("avg_pool2d", {"input": x}, windows | {"count_include_pad": False, "divisor_override": None}), rng
    )
    check_pool(Problem("adaptive_avg_pool2d", {"input": x}, {"output_size": 1}), rng)


@pytest.mark.parametrize("norm_type", [2, 3.0, np.inf])
def test_lp_pool(norm_type: float, dtype: Any, rng: np.random.Generator) -> None:
    x = (rng.random((2, 5, 9, 8)) + 0.5).astype(dtype)
    dy = rng.random((2, 5, 4, 4)).astype(dtype)
    for module in (F, R):
        got = module.lp_pool2d(last(x), norm_type, 2, data_format="NHWC")
        np.testing.assert_allclose(got, last(R.lp_pool2d(x, norm_type, 2)), rtol=1e-5)
        got = module.lp_pool2d_backward(last(dy), last(x), norm_type, 2, data_format="NHWC")
        np.testing.assert_allclose(got, last(R.lp_pool2d_backward(dy, x, norm_type, 2)), rtol=1e-5)


def test_pools_of_one_image_with_out_and_strides(rng: np.random.Generator) -> None:
    x = integers(rng, (8, 9, 5), np.float32)
    out = np.zeros((4, 4, 10), np.float32)[..., ::2]
    assert F.max_pool2d(x[::-1], 2, out=out, data_format="NHWC") is out
    same(out, np.moveaxis(R.max_pool2d(np.moveaxis(x[::-1], -1, 0), 2), 0, -1))
    assert F.adaptive_avg_pool1d(np.ones((2, 6, 0)), 2, data_format="NWC").shape == (2, 2, 0)
    assert F.adaptive_avg_pool2d(np.ones((0, 6, 7, 3)), 2, data_format="NHWC").shape == (0, 2, 2, 3)
    with pytest.raises(ValueError, match=r"^max_pool2d: data_format is 'NWC'"):
        F.max_pool2d(x, 2, data_format="NWC")
    with pytest.raises(ValueError, match=r"^max_pool2d_backward: grad_output has shape"):
        F.max_pool2d_backward(np.ones((5, 4, 4)), np.zeros((5, 4, 4), int), (8, 9, 5), 2, data_format="NHWC")


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
