"""Elementwise activations and their gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast._geometry.tuples import number
from cnnfast.reference._common import Array, check_shape, give

__all__ = [
    "gelu",
    "gelu_backward",
    "hardsigmoid",
    "hardsigmoid_backward",
    "hardswish",
    "hardswish_backward",
    "hardtanh",
    "hardtanh_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "prelu",
    "prelu_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "tanh",
    "tanh_backward",
]

Function = Callable[[Array], Array]
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _apply(op: str, function: Function, input: ArrayLike, inplace: bool, out: Array | None) -> Array:
    (x,) = _arrays.floating(op, input=input)
    if inplace:
        out = _arrays.in_place(op, input, out)
    with np.errstate(all="ignore"):
        return give(op, function(x.astype(np.float64)), x.dtype, out)


def _chain(op: str, derivative: Function, grad_output: ArrayLike, input: ArrayLike) -> Array:
    """grad_output times the derivative, 0 where that is 0."""
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    check_shape(op, "grad_output", dy, *x.shape)
    with np.errstate(all="ignore"):
        slope = derivative(x.astype(np.float64))
        return give(op, np.where(slope == 0, 0, slope * dy), x.dtype)


def _range(op: str, min_val: float, max_val: float) -> tuple[float, float]:
    low, high = number(op, "min_val", min_val), number(op, "max_val", max_val)
    if low > high:
        raise ValueError(f"{op}: min_val is {low}, max_val is {high} (expected min_val <= max_val)")
    return low, high


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _normal_cdf(x: Array) -> Array:
    return np.asarray(_erfc(-x / math.sqrt(2)) / 2) if x.size else x


def _gelu(op: str, approximate: str) -> tuple[Function, Function]:
    """The function and its derivative."""
    if approximate == "none":
        return lambda x: x * _normal_cdf(x), lambda x: _normal_cdf(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    if approximate != "tanh":
        raise ValueError(f"{op}: approximate is {approximate!r} (expected 'none' or 'tanh')")
    scale = math.sqrt(2 / math.pi)

    def t(x: Array) -> Array:
        return np.asarray(np.tanh(scale * (x + 0.044715 * x**3)))

    def derivative(x: Array) -> Array:
        slope = scale * (1 + 3 * 0.044715 * x**2)
        return np.asarray(0.5 * (1 + t(x)) + 0.5 * x * (1 - t(x) ** 2) * slope)

    return lambda x: 0.5 * x * (1 + t(x)), derivative


def relu(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``max(x, 0)``."""
    return _apply("relu", lambda x: np.maximum(x, 0), input, inplace, out)


def relu_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """``grad_output`` unless x <= 0."""
    return _chain("relu_backward", lambda x: np.where(x <= 0, 0, 1), grad_output, input)


def relu6(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``min(max(x, 0), 6)``."""
    return _apply("relu6", lambda x: np.clip(x, 0, 6), input, inplace, out)


def relu6_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """``grad_output`` unless x <= 0 or x >= 6."""
    return _chain("relu6_backward", lambda x: np.where((x <= 0) | (x >= 6), 0, 1), grad_output, input)


def leaky_relu(
    input: ArrayLike, negative_slope: float = 0.01, inplace: bool = False, *, out: Array | None = None
) -> Array:
    """``x`` where x > 0, else ``negative_slope * x``."""
    slope = number("leaky_relu", "negative_slope", negative_slope)
    return _apply("leaky_relu", lambda x: np.where(x > 0, x, slope * x), input, inplace, out)


def leaky_relu_backward(grad_output: ArrayLike, input: ArrayLike, negative_slope: float = 0.01) -> Array:
    """``grad_output`` where x > 0, else ``negative_slope * grad_output``."""
    op = "leaky_relu_backward"
    slope = number(op, "negative_slope", negative_slope)
    return _chain(op, lambda x: np.where(x > 0, 1, slope), grad_output, input)


def hardtanh(
    input: ArrayLike, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False, *, out: Array | None = None
) -> Array:
    """``min(max(x, min_val), max_val)``."""
    low, high = _range("hardtanh", min_val, max_val)
    return _apply("hardtanh", lambda x: np.clip(x, low, high), input, inplace, out)


def hardtanh_backward(grad_output: ArrayLike, input: ArrayLike, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """``grad_output`` unless x <= min_val or x >= max_val."""
    low, high = _range("hardtanh_backward", min_val, max_val)
    return _chain("hardtanh_backward", lambda x: np.where((x <= low) | (x >= high), 0, 1), grad_output, input)


def sigmoid(input: ArrayLike, *, out: Array | None = None) -> Array:
    """``1 / (1 + exp(-x))``."""
    return _apply("sigmoid", _sigmoid, input, False, out)


def sigmoid_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """``grad_output * s * (1 - s)`` with s = sigmoid(x)."""
    return _chain("sigmoid_backward", lambda x: _sigmoid(x) * _sigmoid(-x), grad_output, input)


def hardsigmoid(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``min(max(x + 3, 0), 6) / 6``."""
    return _apply("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, input, inplace, out)


def hardsigmoid_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """``grad_output / 6`` where -3 < x < 3, else 0."""
    op = "hardsigmoid_backward"
    return _chain(op, lambda x: np.where((x > -3) & (x < 3), 1 / 6, 0), grad_output, input)


def hardswish(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``x * min(max(x + 3, 0), 6) / 6``."""
    return _apply("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6, input, inplace, out)


def hardswish_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """``grad_output * (x / 3 + 1 / 2)`` where -3 < x < 3; 0 below, `grad_output` above."""
    op = "hardswish_backward"
    return _chain(op, lambda x: np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1)), grad_output, input)


def tanh(input: ArrayLike, *, out: Array | None = None) -> Array:
    """``tanh(x)``."""
    return _apply("tanh", np.tanh, input, False, out)


def tanh_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """``grad_output / cosh(x)**2``."""
    return _chain("tanh_backward", lambda x: 1 / np.cosh(x) ** 2, grad_output, input)


def gelu(input: ArrayLike, *, approximate: str = "none", out: Array | None = None) -> Array:
    """``x * Phi(x)``, or ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))`` with approximate='tanh'."""
    return _apply("gelu", _gelu("gelu", approximate)[0], input, False, out)


def gelu_backward(grad_output: ArrayLike, input: ArrayLike, approximate: str = "none") -> Array:
    """``grad_output * (Phi(x) + x * phi(x))``, or the derivative of the approximation."""
    return _chain("gelu_backward", _gelu("gelu_backward", approximate)[1], grad_output, input)


def silu(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``x * sigmoid(x)``."""
    return _apply("silu", lambda x: x * _sigmoid(x), input, inplace, out)


def silu_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """``grad_output * s * (1 + x * (1 - s))`` with s = sigmoid(x)."""
    return _chain("silu_backward", lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)), grad_output, input)


def _slopes(op: str, x: Array, w: Array) -> Array:
    """The weight in a shape that broadcasts along the channels of x."""
    if w.ndim > 1 or w.size == 0:
        raise ValueError(f"{op}: weight has shape {w.shape} (expected one axis, or a scalar)")
    if w.size > 1 and (x.ndim < 2 or x.shape[1] != w.size):
        raise ValueError(f"{op}: weight has {w.size} elements, input has shape {x.shape} (expected input.shape[1])")
    return w.astype(np.float64).reshape((-1, *(1,) * (x.ndim - 2)) if w.size > 1 else ())


def prelu(input: ArrayLike, weight: ArrayLike, *, out: Array | None = None) -> Array:
    """``x`` where x > 0, else ``weight[c] * x``."""
    x, w = _arrays.floating("prelu", input=input, weight=weight)
    with np.errstate(all="ignore"):
        return give("prelu", np.where(x > 0, x, _slopes("prelu", x, w) * x), x.dtype, out)


def prelu_backward(grad_output: ArrayLike, input: ArrayLike, weight: ArrayLike) -> tuple[Array, Array]:
    """``grad_output`` times 1 or ``weight[c]``, and the sum of ``grad_output * x`` over x <= 0 per channel."""
    op = "prelu_backward"
    dy, x, w = _arrays.floating(op, grad_output=grad_output, input=input, weight=weight)
    check_shape(op, "grad_output", dy, *x.shape)
    with np.errstate(all="ignore"):
        dx = np.where(x > 0, dy, _slopes(op, x, w) * dy)
        products = np.where(x > 0, 0, dy.astype(np.float64) * x)
    axes = tuple(axis for axis in range(x.ndim) if axis != 1) if w.size > 1 else None
    return give(op, dx, x.dtype), give(op, np.reshape(products.sum(axis=axes), w.shape), x.dtype)
