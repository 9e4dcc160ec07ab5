"""Elementwise activations and their gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry.tuples import number, same_shape

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

Array = NDArray[Any]


def _forward(
    op: str, kind: str, input: ArrayLike, out: Array | None, a: float = 0.0, b: float = 0.0, inplace: bool = False
) -> Array:
    (x,) = _arrays.floating(op, input=input)
    if inplace:
        out = _arrays.in_place(op, input, out)
    y = _arrays.target(op, out, x.shape, x.dtype, None if x is out else x)
    _core.activation(_config.how(), _core.ACTIVATIONS[kind], a, b, x, None, y)
    return _arrays.deliver(y, out)


def _backward(op: str, kind: str, grad_output: ArrayLike, input: ArrayLike, a: float = 0.0, b: float = 0.0) -> Array:
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    same_shape(op, "grad_output", dy.shape, x.shape)
    dx = _core.empty(x.shape, x.dtype)
    _core.activation(_config.how(), _core.ACTIVATIONS[kind], a, b, x, dy, dx)
    return dx


def _gelu_kind(op: str, approximate: str) -> str:
    if approximate not in ("none", "tanh"):
        raise ValueError(f"{op}: approximate is {approximate!r} (expected 'none' or 'tanh')")
    return "gelu" if approximate == "none" else "gelu_tanh"


def relu(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """Rectified linear unit, ``max(input, 0)``; NaN stays NaN.

    Parameters
    ----------
    input : array_like, float32 or float64
    inplace : bool
        Write the result into `input`.
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError
        For another dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import relu
    >>> relu(np.array([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]
    """
    return _forward("relu", "relu", input, out, inplace=inplace)


def relu_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """Gradient of `relu`: `grad_output` where `input` is positive, else 0."""
    return _backward("relu_backward", "relu", grad_output, input)


def relu6(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``min(max(input, 0), 6)``; see `relu` for arguments and errors."""
    return _forward("relu6", "hardtanh", input, out, 0.0, 6.0, inplace)


def relu6_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """Gradient of `relu6`: `grad_output` where ``0 < input < 6``, else 0."""
    return _backward("relu6_backward", "hardtanh", grad_output, input, 0.0, 6.0)


def leaky_relu(
    input: ArrayLike, negative_slope: float = 0.01, inplace: bool = False, *, out: Array | None = None
) -> Array:
    """``input`` where positive, else ``negative_slope * input``; see `relu` for arguments and errors."""
    slope = number("leaky_relu", "negative_slope", negative_slope)
    return _forward("leaky_relu", "leaky_relu", input, out, slope, 0.0, inplace)


def leaky_relu_backward(grad_output: ArrayLike, input: ArrayLike, negative_slope: float = 0.01) -> Array:
    """Gradient of `leaky_relu`."""
    slope = number("leaky_relu_backward", "negative_slope", negative_slope)
    return _backward("leaky_relu_backward", "leaky_relu", grad_output, input, slope)


def hardtanh(
    input: ArrayLike, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False, *, out: Array | None = None
) -> Array:
    """``min(max(input, min_val), max_val)``; see `relu` for arguments and errors."""
    low, high = number("hardtanh", "min_val", min_val), number("hardtanh", "max_val", max_val)
    if low > high:
        raise ValueError(f"hardtanh: min_val is {low}, max_val is {high} (expected min_val <= max_val)")
    return _forward("hardtanh", "hardtanh", input, out, low, high, inplace)


def hardtanh_backward(grad_output: ArrayLike, input: ArrayLike, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Gradient of `hardtanh`: `grad_output` strictly inside the range, else 0."""
    low, high = number("hardtanh_backward", "min_val", min_val), number("hardtanh_backward", "max_val", max_val)
    return _backward("hardtanh_backward", "hardtanh", grad_output, input, low, high)


def sigmoid(input: ArrayLike, *, out: Array | None = None) -> Array:
    """``1 / (1 + exp(-input))``; see `relu` for arguments and errors."""
    return _forward("sigmoid", "sigmoid", input, out)


def sigmoid_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """Gradient of `sigmoid`: ``grad_output * s * (1 - s)`` with ``s = sigmoid(input)``."""
    return _backward("sigmoid_backward", "sigmoid", grad_output, input)


def hardsigmoid(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``min(max(input + 3, 0), 6) / 6``; see `relu` for arguments and errors."""
    return _forward("hardsigmoid", "hardsigmoid", input, out, inplace=inplace)


def hardsigmoid_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """Gradient of `hardsigmoid`: ``grad_output / 6`` where ``-3 < input < 3``, else 0."""
    return _backward("hardsigmoid_backward", "hardsigmoid", grad_output, input)


def hardswish(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``input * hardsigmoid(input)``, A. Howard et al., arXiv:1905.02244; see `relu` for arguments and errors."""
    return _forward("hardswish", "hardswish", input, out, inplace=inplace)


def hardswish_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """Gradient of `hardswish`."""
    return _backward("hardswish_backward", "hardswish", grad_output, input)


def tanh(input: ArrayLike, *, out: Array | None = None) -> Array:
    """Hyperbolic tangent; see `relu` for arguments and errors."""
    return _forward("tanh", "tanh", input, out)


def tanh_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """Gradient of `tanh`: ``grad_output * (1 - tanh(input)**2)``."""
    return _backward("tanh_backward", "tanh", grad_output, input)


def gelu(input: ArrayLike, *, approximate: str = "none", out: Array | None = None) -> Array:
    """Gaussian error linear unit, D. Hendrycks and K. Gimpel, arXiv:1606.08415.

    ``input * Phi(input)``, Phi the normal distribution function; with ``approximate='tanh'``
    ``0.5 * input * (1 + tanh(sqrt(2 / pi) * (input + 0.044715 * input**3)))``.  See `relu` for arguments and errors.
    """
    return _forward("gelu", _gelu_kind("gelu", approximate), input, out)


def gelu_backward(grad_output: ArrayLike, input: ArrayLike, approximate: str = "none") -> Array:
    """Gradient of `gelu`."""
    return _backward("gelu_backward", _gelu_kind("gelu_backward", approximate), grad_output, input)


def silu(input: ArrayLike, inplace: bool = False, *, out: Array | None = None) -> Array:
    """``input * sigmoid(input)``, also called swish; see `relu` for arguments and errors."""
    return _forward("silu", "silu", input, out, inplace=inplace)


def silu_backward(grad_output: ArrayLike, input: ArrayLike) -> Array:
    """Gradient of `silu`: ``grad_output * s * (1 + input * (1 - s))`` with ``s = sigmoid(input)``."""
    return _backward("silu_backward", "silu", grad_output, input)


def _prelu_views(op: str, x: Array, weight: Array) -> Array:
    """x as (n, channels, points)."""
    if weight.ndim > 1 or weight.size == 0:
        raise ValueError(f"{op}: weight has shape {weight.shape} (expected one axis, or a scalar)")
    if weight.size > 1 and (x.ndim < 2 or x.shape[1] != weight.size):
        raise ValueError(
            f"{op}: weight has {weight.size} elements, input has shape {x.shape} (expected input.shape[1])"
        )
    if x.ndim < 2:
        return x.reshape(1, 1, -1)
    return x.reshape(x.shape[0], x.shape[1], math.prod(x.shape[2:]))


def prelu(input: ArrayLike, weight: ArrayLike, *, out: Array | None = None) -> Array:
    """``input`` where positive, else ``weight[c] * input``; K. He et al., arXiv:1502.01852.

    Parameters
    ----------
    input : array_like, shape (N, C, ...), float32 or float64
    weight : array_like, shape (C,) or (1,), dtype of `input`
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64 or dtypes that differ, and for a weight that does not fit.
    """
    x, w = _arrays.floating("prelu", input=input, weight=weight)
    view = _prelu_views("prelu", x, w)
    y = _arrays.target("prelu", out, x.shape, x.dtype, x, w)
    _core.prelu(_config.how(), view, w.reshape(-1), y)
    return _arrays.deliver(y, out)


def prelu_backward(grad_output: ArrayLike, input: ArrayLike, weight: ArrayLike) -> tuple[Array, Array]:
    """Gradients of `prelu`: (grad_input, grad_weight)."""
    dy, x, w = _arrays.floating("prelu_backward", grad_output=grad_output, input=input, weight=weight)
    same_shape("prelu_backward", "grad_output", dy.shape, x.shape)
    view = _prelu_views("prelu_backward", x, w)
    dx, dw = np.empty_like(x), np.empty_like(w)
    _core.prelu_backward(_config.how(), view, w.reshape(-1), dy, dx, dw)
    return dx, dw
