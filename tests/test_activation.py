"""Elementwise functions: exact where they are piecewise linear, within a few units in the last place elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnfast import _config
from cnnfast import functional as F
from cnnfast import reference as R
from cnnfast.testing import integers

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]
LARGE = 250_007  # elements that are cut between threads, into parts that no vector divides

# Of two arrays of integers, results that every dtype holds exactly.
EXACT: dict[str, tuple[Any, ...]] = {
    "relu": (),
    "relu6": (),
    "leaky_relu": (0.25,),
    "hardtanh": (-2.0, 3.0),
}
SMOOTH = ("sigmoid", "tanh", "silu", "gelu", "hardsigmoid", "hardswish")


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (5, 7), (LARGE,)], ids=str)
def test_piecewise_linear_functions_are_exact(
    name: str, shape: tuple[int, ...], isa: int, threads: int, dtype: Any, rng: np.random.Generator
) -> None:
    x, dy = integers(rng, shape, dtype), integers(rng, shape, dtype)
    arguments = EXACT[name]
    for suffix, arrays in (("", (x,)), ("_backward", (dy, x))):
        got, expected = (getattr(module, name + suffix)(*arrays, *arguments) for module in (F, R))
        assert got.dtype == dtype
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("weights", [(), (1,), (6,)], ids=str)
def test_prelu_is_exact(weights: tuple[int, ...], isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    for shape in [(3, 6), (2, 6, 7, 5), (2, 6, 103, 211)]:
        x, dy, w = integers(rng, shape, dtype), integers(rng, shape, dtype), integers(rng, weights, dtype) / 4
        w = np.asarray(w, dtype)
        assert np.array_equal(F.prelu(x, w), R.prelu(x, w))
        for got, expected in zip(F.prelu_backward(dy, x, w), R.prelu_backward(dy, x, w), strict=True):
            assert got.shape == expected.shape
            assert np.array_equal(got, expected)


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def normal(x: Array) -> Array:
    """The normal distribution function, with erfc corrected for the rounding of its argument to a double."""
    z = -x / np.sqrt(np.longdouble(2))
    rounded = z.astype(np.float64)
    erfc = np.vectorize(math.erfc, otypes=[np.longdouble])(rounded)
    slope = -2 / np.sqrt(np.longdouble(np.pi)) * np.exp(-(rounded.astype(np.longdouble) ** 2))
    return np.asarray((erfc + slope * (z - rounded)) / 2)


def gelu_inner(x: Array) -> Array:
    return np.asarray(np.sqrt(8 / np.longdouble(np.pi)) * (x + np.longdouble("0.044715") * x**3))


def gradient_of(name: str) -> Function:
    return lambda x: getattr(F, f"{name}_backward")(np.ones_like(x), x)


# Function, definition, and units in the last place that it may be wrong by; rounding the argument v of an exponential
# costs |v| units.
SMOOTH_FUNCTIONS: dict[str, tuple[Function, Function, Function]] = {
    "sigmoid": (F.sigmoid, sigmoid, lambda x: 2.5 + 0 * x),
    "tanh": (F.tanh, np.tanh, lambda x: 3 + 0 * x),
    "silu": (F.silu, lambda x: x * sigmoid(x), lambda x: 3 + 0 * x),
    "gelu": (F.gelu, lambda x: x * normal(x), lambda x: 8 + x**2),
    "gelu tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: x * sigmoid(gelu_inner(x)),
        lambda x: 4 + 4 * np.abs(gelu_inner(x)),
    ),
    "sigmoid'": (
        lambda x: F.sigmoid_backward(np.ones_like(x), x),
        lambda x: sigmoid(x) * sigmoid(-x),
        lambda x: 5 + 0 * x,
    ),
    "tanh'": (lambda x: F.tanh_backward(np.ones_like(x), x), lambda x: 1 / np.cosh(x) ** 2, lambda x: 5 + 0 * x),
}


@pytest.mark.parametrize("name", SMOOTH_FUNCTIONS)
def test_smooth_functions_are_right_to_a_few_units(name: str, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    small = 10.0 ** rng.uniform(-30, 0, 2000) * rng.choice([-1, 1], 2000)
    x = np.concatenate([rng.uniform(-9, 9, 4000), rng.uniform(-1, 1, 4000), small]).astype(dtype)
    function, definition, bound = SMOOTH_FUNCTIONS[name]
    expected = definition(x.astype(np.longdouble))
    units = np.abs(function(x) - expected) / np.spacing(np.abs(expected).astype(dtype))
    worst = np.argmax(units / bound(x))
    assert units[worst] <= bound(x)[worst], f"{units[worst]:.2f} units at {x[worst]}"


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_match_the_reference(name: str, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    x, dy = rng.normal(0, 4, 1003).astype(dtype), rng.normal(size=1003).astype(dtype)
    got, expected = (getattr(module, f"{name}_backward")(dy, x) for module in (F, R))
    np.testing.assert_allclose(got, expected, rtol=64 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)


EDGES = [-np.inf, -3.0, -0.0, 0.0, 3.0, 6.0, np.inf, np.nan]
AT_EDGES: dict[str, list[float]] = {
    "relu": [0, 0, -0.0, 0, 3, 6, np.inf, np.nan],
    "relu6": [0, 0, -0.0, 0, 3, 6, 6, np.nan],
    "leaky_relu": [-np.inf, -0.03, -0.0, 0, 3, 6, np.inf, np.nan],
    "hardtanh": [-1, -1, -0.0, 0, 1, 1, 1, np.nan],
    "hardsigmoid": [0, 0, 0.5, 0.5, 1, 1, 1, np.nan],
    "hardswish": [np.nan, -0.0, -0.0, 0, 3, 6, np.inf, np.nan],
    "tanh": [-1, math.tanh(-3), -0.0, 0, math.tanh(3), math.tanh(6), 1, np.nan],
    "sigmoid": [0, 1 / (1 + math.exp(3)), 0.5, 0.5, 1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-6)), 1, np.nan],
    "silu": [np.nan, -3 / (1 + math.exp(3)), -0.0, 0, 3 / (1 + math.exp(-3)), 6 / (1 + math.exp(-6)), np.inf, np.nan],
}


@pytest.mark.parametrize("name", AT_EDGES)
def test_edges(name: str, isa: int, dtype: Any) -> None:
    got = getattr(F, name)(np.array(EDGES, dtype))
    np.testing.assert_allclose(got, np.array(AT_EDGES[name], dtype), rtol=4 * np.finfo(dtype).eps)
    zeros = np.equal(AT_EDGES[name], 0)
    assert np.array_equal(np.signbit(got[zeros]), np.signbit(np.array(AT_EDGES[name])[zeros]))


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "silu", "gelu"])
def test_no_finite_input_gives_nan(name: str, isa: int, dtype: Any) -> None:
    """Overflow of an exponential, and arguments that are or become subnormal, have their limits as results."""
    info = np.finfo(dtype)
    sizes = (info.max, info.tiny, info.tiny / 8, 88.8, 104.0, 710.0, 750.0)
    x = np.array([sign * size for size in sizes for sign in (-1, 1)], dtype)
    y, dx = getattr(F, name)(x), getattr(F, f"{name}_backward")(np.ones_like(x), x)
    assert np.all(np.isfinite(y))
    assert np.all(np.isfinite(dx))
    assert y[0] in (0, -1)
    np.testing.assert_allclose(y[2:6], getattr(R, name)(x[2:6]), rtol=4 * info.eps)


@pytest.mark.parametrize("name", [*EXACT, *SMOOTH])
def test_an_element_does_not_depend_on_its_place(name: str, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    """Neither vectors, tails nor threads show in the result."""
    function, backward = getattr(F, name), getattr(F, f"{name}_backward")
    x, dy = rng.normal(0, 3, LARGE).astype(dtype), rng.normal(size=LARGE).astype(dtype)
    with _config.using(threads=1):
        whole, gradient = function(x), backward(dy, x)
        for start, stop in [(0, 1), (1, 4), (3, 40), (5, 70), (1, LARGE)]:
            assert np.array_equal(function(x[start:stop]), whole[start:stop])
            assert np.array_equal(backward(dy[start:stop], x[start:stop]), gradient[start:stop])
    for threads in (2, 3):
        with _config.using(threads=threads):
            assert np.array_equal(function(x), whole)
            assert np.array_equal(backward(dy, x), gradient)


INPLACE = ("relu", "relu6", "leaky_relu", "hardtanh", "hardsigmoid", "hardswish", "silu")


@pytest.mark.parametrize("name", INPLACE)
def test_only_inplace_writes_into_the_input(name: str, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    function = getattr(F, name)
    x = rng.normal(0, 3, (5, 37)).astype(dtype)
    before = x.copy()
    expected = function(x)
    assert np.array_equal(x, before)
    assert function(x, inplace=True) is x
    assert np.array_equal(x, expected)
    spaced = np.repeat(before, 2, axis=1)[:, ::2]
    assert function(spaced, inplace=True) is spaced
    assert np.array_equal(spaced, expected)


def test_inplace_is_refused_where_it_cannot_be() -> None:
    x = np.ones(3)
    with pytest.raises(ValueError, match="relu: inplace and out are given"):
        F.relu(x, inplace=True, out=np.empty(3))
    with pytest.raises(ValueError, match="relu: input is list"):
        F.relu([1.0], inplace=True)  # type: ignore[list-item]
    x.flags.writeable = False
    with pytest.raises(ValueError, match=r"relu: input is ndarray \(expected a writable"):
        F.relu(x, inplace=True)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("leaky_relu", ("a",), TypeError, "leaky_relu: negative_slope is 'a'"),
        ("hardtanh", (1.0, -1.0), ValueError, "hardtanh: min_val is 1.0, max_val is -1.0"),
        ("prelu", (np.ones(2),), ValueError, r"prelu: weight has 2 elements, input has shape \(2, 3\)"),
        ("prelu", (np.ones((1, 3)),), ValueError, r"prelu: weight has shape \(1, 3\)"),
        ("prelu", (np.ones(3, np.float32),), TypeError, "prelu: weight is float32, input is float64"),
        ("relu_backward", (np.ones(3),), ValueError, r"relu_backward: grad_output has shape \(2, 3\)"),
    ],
)
def test_refusals(name: str, arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(F, name)(np.ones((2, 3)), *arguments)


def test_gelu_knows_two_ways() -> None:
    with pytest.raises(ValueError, match="gelu: approximate is 'no'"):
        F.gelu(np.ones(3), approximate="no")
