"""Normalisation of every kind: exact where the statistics are exact, else within a bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import _config
from cnnfast import functional as F
from cnnfast import reference as R

Array = np.ndarray[Any, Any]
Generator = np.random.Generator

# Single points and rows of them, below, at and above a task's channels and a vector; short and long planes.
SHAPES = [(5, 7), (3, 64), (4, 130), (2, 6, 4), (3, 4, 3, 11), (2, 6, 9, 40), (1, 2, 2, 2, 3)]
LARGE = [(3000, 70), (2, 8, 130, 101)]
OPS = ("batch_norm", "instance_norm", "group_norm", "layer_norm")


def arguments(name: str, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """What stands between the input and the weight."""
    return {
        "batch_norm": (None, None),
        "instance_norm": (None, None),
        "group_norm": (2 if shape[1] % 2 == 0 else 1,),
        "layer_norm": (shape[1:],),
    }[name]


def settings(name: str, eps: float) -> dict[str, Any]:
    return {"eps": eps} | ({"training": True} if name == "batch_norm" else {})


def parameters(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if name == "layer_norm" else shape[1:2]


def cases(shapes: list[tuple[int, ...]]) -> list[tuple[str, tuple[int, ...]]]:
    """All ops, but for instance norm of single points."""
    return [(name, shape) for name in OPS for shape in shapes if name != "instance_norm" or len(shape) > 2]


def balanced(rng: Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    """As many 7 as -1 in each row, so that mean 3 and deviation 4 of any rows are exact."""
    signs = np.resize([1, -1], shape[-1]) * np.ones(shape)
    return (3 + 4 * signs * rng.choice([-1, 1], shape[0]).reshape(-1, *(1,) * (len(shape) - 1))).astype(dtype)


@pytest.mark.parametrize("name", OPS)
def test_exact_statistics_give_exact_results(name: str, isa: int, threads: int, dtype: Any, rng: Generator) -> None:
    for shape in [(2, 4, 6), (4, 2, 3, 40), (2, 4, 64, 500)]:
        x = balanced(rng, shape, dtype)
        w, b = (rng.integers(-8, 9, parameters(name, shape)).astype(dtype) for _ in "wb")
        between, keywords = arguments(name, shape), settings(name, 0.0)
        got, expected = (getattr(module, name)(x, *between, w, b, **keywords) for module in (F, R))
        assert np.array_equal(np.abs(x - 3), np.full(shape, 4))
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_evaluation_is_exact_on_integers(
    shape: tuple[int, ...], isa: int, threads: int, dtype: Any, rng: Generator
) -> None:
    x, mean, w, b = (rng.integers(-8, 9, s).astype(dtype) for s in (shape, *(shape[1:2],) * 3))
    variance = (4.0 ** rng.integers(-2, 3, shape[1])).astype(dtype)
    kept = mean.copy(), variance.copy()
    for weight, bias in [(w, b), (w, None), (None, b), (None, None)]:
        got, expected = (m.batch_norm(x, mean, variance, weight, bias, eps=0.0) for m in (F, R))
        assert np.array_equal(got, expected)
    assert np.array_equal(mean, kept[0])
    assert np.array_equal(variance, kept[1])


def bound(x: Array, w: Array | None, b: Array | None, eps: float) -> float:
    """Rounding errors of x - mean, in units of the smallest deviation, and of the result.

    Statistics are sums of a few hundred terms at most in the dtype, and of those in double: their error is that of some
    roundings.
    """
    rounding = float(np.finfo(x.dtype).eps)
    weight, bias = (default if p is None else float(np.abs(p).max()) for p, default in ((w, 1.0), (b, 0.0)))
    return 64 * rounding * (float(np.abs(x).max()) / eps**0.5 * weight + bias)


@pytest.mark.parametrize(("name", "shape"), cases(SHAPES), ids=str)
def test_values_and_gradients(name: str, shape: tuple[int, ...], isa: int, dtype: Any, rng: Generator) -> None:
    x, dy = rng.normal(2, 3, shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    between, keywords = arguments(name, shape), settings(name, 0.25)
    for given in range(4):
        w, b = (rng.normal(size=parameters(name, shape)).astype(dtype) if given >> i & 1 else None for i in (0, 1))
        got, expected = (getattr(m, name)(x, *between, w, b, **keywords) for m in (F, R))
        np.testing.assert_allclose(got, expected, rtol=0, atol=bound(x, w, b, 0.25))
        gradients = (getattr(m, f"{name}_backward")(dy, x, *between, w, b, **keywords) for m in (F, R))
        for got, expected in zip(*gradients, strict=True):
            assert got.shape == expected.shape
            assert got.dtype == dtype
            assert not np.all(expected == 0)
            scale = bound(x, w, None, 0.25) * max(1.0, float(np.abs(expected).max()))
            np.testing.assert_allclose(got, expected, rtol=0, atol=8 * scale)


@pytest.mark.parametrize(("name", "shape"), cases(LARGE), ids=str)
def test_threads_do_not_change_a_bit(name: str, shape: tuple[int, ...], isa: int, rng: Generator) -> None:
    x, dy = (rng.normal(size=shape).astype(np.float32) for _ in "xy")
    w, b = (rng.normal(size=parameters(name, shape)).astype(np.float32) for _ in "wb")
    between, keywords = arguments(name, shape), settings(name, 1e-5)
    results = []
    for threads in (1, 2, 3):
        with _config.using(threads=threads):
            y = getattr(F, name)(x, *between, w, b, **keywords)
            results.append((y, *getattr(F, f"{name}_backward")(dy, x, *between, w, b, **keywords)))
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("shape", [(400, 3), (2, 3, 4000)], ids=str)
def test_statistics_stand_a_large_mean(shape: tuple[int, ...], isa: int) -> None:
    """A variance as the mean of squares minus the squared mean would lose every digit."""
    x = np.random.default_rng(0).normal(1e4, 1, shape).astype(np.float32)
    got, expected = (m.batch_norm(x, None, None, training=True) for m in (F, R))
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e4 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_running_statistics_follow_the_batches(name: str, dtype: Any, rng: Generator) -> None:
    x = rng.normal(2, 3, (4, 3, 5)).astype(dtype)
    running = np.ones(3, dtype), np.full(3, 2, dtype)
    before = [r.copy() for r in running]
    axes: Any = (0, 2) if name == "batch_norm" else 2
    mean, variance = x.mean(axes, np.float64), x.var(axes, np.float64, ddof=1)
    if name == "instance_norm":
        mean, variance = mean.mean(0), variance.mean(0)
    function = getattr(F, name)
    function(x, *running, None, None, True, 0.25)
    for got, old, new in zip(running, before, (mean, variance), strict=True):
        np.testing.assert_allclose(got, 0.75 * old + 0.25 * new, rtol=8 * np.finfo(dtype).eps)
    after = [r.copy() for r in running]
    evaluated = function(x, *running, None, None, False)
    getattr(F, f"{name}_backward")(x, x, *running, None, None, True)
    assert all(np.array_equal(a, b) for a, b in zip(after, running, strict=True))
    np.testing.assert_allclose(evaluated, getattr(R, name)(x, *running, None, None, False), rtol=1e-5, atol=1e-5)


def test_momentum_and_eps_are_not_checked() -> None:
    mean, variance = np.zeros(1), np.ones(1)
    F.batch_norm(np.array([[1.0], [3.0]]), mean, variance, training=True, momentum=-2.0)
    assert (mean[0], variance[0]) == (-4.0, -1.0)
    with np.errstate(invalid="ignore"):
        assert np.all(np.isnan(F.batch_norm(np.array([[1.0], [3.0]]), None, None, training=True, eps=-2.0)))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (2, 3, 0), (0, 3, 4, 4)], ids=str)
def test_batch_norm_of_nothing_is_nothing(shape: tuple[int, ...], dtype: Any) -> None:
    x, running = np.ones(shape, dtype), (np.zeros(3, dtype), np.ones(3, dtype))
    for training in (True, False):
        y = F.batch_norm(x, *running, training=training)
        assert y.shape == shape
        assert y.dtype == dtype
    assert np.array_equal(running, [np.zeros(3), np.ones(3)])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 33, 7), (2, 5, 17, 31), (2, 1, 1)], ids=str)
def test_local_response_norm(size: int, shape: tuple[int, ...], isa: int, dtype: Any, rng: Generator) -> None:
    x, dy = rng.normal(0, 2, shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    constants = 0.5, 0.75, 2.0
    tolerance = 32 * float(np.finfo(dtype).eps)
    got, expected = (m.local_response_norm(x, size, *constants) for m in (F, R))
    np.testing.assert_allclose(got, expected, rtol=tolerance)
    got, expected = (m.local_response_norm_backward(dy, x, size, *constants) for m in (F, R))
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * float(np.abs(x).max()))


x3 = np.ones((2, 3, 4))
REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ("batch_norm", (np.ones((1, 3)), None, None), {"training": True}, ValueError, "one value per channel"),
    ("batch_norm", (x3, None, None), {}, ValueError, "running_mean and running_var are None"),
    (
        "batch_norm",
        (x3, np.zeros(3), None),
        {"training": True},
        ValueError,
        "one of running_mean and running_var is None",
    ),
    ("batch_norm", (x3, np.zeros(4), np.ones(3)), {}, ValueError, r"running_mean has shape \(4,\)"),
    ("batch_norm", (x3, [0.0] * 3, [1.0] * 3), {"training": True}, TypeError, "running_mean is list"),
    ("batch_norm", (x3, np.zeros(3, np.float32), np.ones(3)), {}, TypeError, "running_mean is float32"),
    ("batch_norm", (x3, None, None, np.ones(2)), {"training": True}, ValueError, r"weight has shape \(2,\)"),
    ("batch_norm", (np.ones(3), None, None), {"training": True}, ValueError, r"input has shape \(3,\)"),
    ("instance_norm", (np.ones((2, 3, 1)),), {}, ValueError, "one point per channel"),
    ("group_norm", (x3, 2), {}, ValueError, "input has 3 channels, num_groups is 2"),
    ("group_norm", (x3, 3.0), {}, TypeError, "num_groups is 3.0"),
    ("group_norm", (np.ones((1, 3)), 3), {}, ValueError, "one value per group"),
    ("layer_norm", (x3, 4), {}, TypeError, "normalized_shape is 4"),
    ("layer_norm", (x3, (3,)), {}, ValueError, r"normalized_shape is \(3,\), input has shape \(2, 3, 4\)"),
    ("layer_norm", (x3, (3, 4), np.ones(12)), {}, ValueError, r"weight has shape \(12,\)"),
    ("local_response_norm", (x3, 0), {}, ValueError, "size is 0"),
    ("local_response_norm", (np.ones((2, 3)), 2), {}, ValueError, r"input has shape \(2, 3\)"),
]


@pytest.mark.parametrize(("name", "positional", "keywords", "error", "message"), REFUSED)
def test_refusals(
    name: str, positional: tuple[Any, ...], keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{name}: .*{message}"):
        getattr(F, name)(*positional, **keywords)


def test_read_only_running_statistics_are_refused_before_anything_is_written() -> None:
    mean, variance = np.zeros(3), np.ones(3)
    variance.flags.writeable = False
    with pytest.raises(ValueError, match="batch_norm: running_var is read-only"):
        F.batch_norm(x3, mean, variance, training=True)
    assert not np.any(mean)
