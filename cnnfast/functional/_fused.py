"""Ops as layers call them: what comes after rides along, and a gradient computes nothing that its forward knew."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry import pooling as geometry
from cnnfast._geometry.tuples import flag, number, same_shape
from cnnfast.functional import _convolution
from cnnfast.functional import _normalization as nd
from cnnfast.functional import _pooling as pools
from cnnfast.functional.linear import LINEAR

Array = NDArray[Any]
Clamp = tuple[float, float]
NO_CLAMP: Clamp = (-math.inf, math.inf)


class Kept(NamedTuple):
    """What a forward leaves for its gradient."""

    input: Array
    problem: nd.Problem
    statistics: int
    mean: Array
    variance: Array
    clamp: Clamp


def batch_norm(
    op: str,
    input: ArrayLike,
    running_mean: Array | None,
    running_var: Array | None,
    weight: ArrayLike | None,
    bias: ArrayLike | None,
    training: bool,
    momentum: float,
    eps: float,
    out: Array | None = None,
    residual: Array | None = None,
    clamp: Clamp = NO_CLAMP,
) -> tuple[Array, Kept]:
    """Return ``clamp(batch_norm(input, ...) + residual)`` and what its gradient takes; ``out`` may be the input."""
    x, w, b, m, v = _arrays.floating(
        op, *nd.OPTIONAL, input=input, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var
    )
    shape = nd.batch(op, x)
    count = shape[0] * shape[2]
    z = _addend(x, residual)
    p = nd.problem(op, shape, 0, x, w, b, eps) if x.size else nd.Problem(x.reshape(shape), 0, None, None, 0.0)
    if x.size:
        nd.check_running(op, running_mean, running_var, shape[1], flag(op, "training", training))
    if training and count == 1:
        raise ValueError(f"{op}: input has one value per channel, shape {x.shape} (expected more in training)")
    weight_of_new = number(op, "momentum", momentum)
    mean, variance = p.statistics() if training or not x.size else nd.running(op, m, v)
    y = _arrays.target(op, out, x.shape, x.dtype, None if out is input else x, w, b)
    how, statistics = _config.how(), _core.NORM_COMPUTE if training else _core.NORM_GIVEN
    if x.size:
        _core.norm_forward(how, p.x, 0, statistics, p.weight, p.bias, p.eps, mean, variance, y, z, *clamp)
    if training and x.size:
        nd.update(running_mean, weight_of_new, mean)
        nd.update(running_var, weight_of_new, variance * (count / (count - 1)))
    known = _core.NORM_COMPUTED if training else _core.NORM_GIVEN
    return _arrays.deliver(y, out), Kept(x, p, known, mean, variance, clamp)


def batch_norm_backward(op: str, kept: Kept, grad_output: ArrayLike) -> nd.Gradients:
    """Gradients of `batch_norm` without residual: of the input, the weight, the bias."""
    dy, x = _arrays.floating(op, grad_output=grad_output, input=kept.input)
    same_shape(op, "grad_output", dy.shape, x.shape)
    channels = (x.shape[1] if x.ndim > 1 else 0,)
    return nd.gradients(op, *kept[1:5], dy, x, channels, kept.clamp)


def convolution(
    op: str,
    input: Any,
    weight: Array,
    bias: Array | None,
    windows: tuple[Any, ...],
    norm: Array | None = None,
    residual: Array | None = None,
    clamp: Clamp = NO_CLAMP,
    out: Array | None = None,
    algo: str = "auto",
) -> Array:
    """Return ``clamp(normalised(op(input, weight, bias, *windows)) + residual)``; `norm` is what `norm_rows` returns.

    Raises
    ------
    TypeError, ValueError
        As `op`, and if the shapes of the sum differ.
    """
    arrays = input, weight, bias, norm, residual
    result: Array = _convolution.FUSED[op](arrays, (*windows, algo, clamp), out)
    return result


def linear(
    input: Any, weight: Array, bias: Array | None, residual: Array | None, clamp: Clamp, out: Array | None = None
) -> Array:
    """Return ``clamp(linear(input, weight, bias) + residual)``."""
    if residual is None and (bias is None or bias.shape == weight.shape[:1]):
        y: Array = LINEAR((input, weight, bias), () if clamp == NO_CLAMP else (clamp,), out)
        return y
    y = LINEAR((input, weight, bias), (), out)
    return y if residual is None and clamp == NO_CLAMP else tail(y, residual, clamp, y)


def norm_rows(mean: Array, variance: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """Return mean, inverse deviation, weight and bias of channels in the four rows of an array."""
    rows = np.empty((4, len(mean)), mean.dtype)
    rows[0] = mean
    rows[1] = 1 / np.sqrt(variance.astype(np.float64) + eps)
    rows[2] = 1 if weight is None else weight
    rows[3] = 0 if bias is None else bias
    return rows


def tail(y: Array, residual: ArrayLike | None, clamp: Clamp, out: Array | None = None) -> Array:
    """Return ``clamp(y + residual)``, without a residual ``clamp(y)``; ``out`` is None, `y`, or a packed array.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    (x,) = _arrays.floating("Residual", body=y)
    z = _addend(x, residual)
    result = out if out is not None and (x is out or out is not y) else _core.empty(x.shape, x.dtype)
    if z is not None:
        _core.add(_config.how(), x, z, *clamp, result)
    else:
        _core.activation(_config.how(), _core.ACTIVATIONS["hardtanh"], *clamp, x, None, result)
    return result


def dropout(input: ArrayLike, p: float, seed: int) -> tuple[Array, Array]:
    """Return what dropout makes of `input`, p < 1, and a bit an element: whether it was kept."""
    (x,) = _arrays.floating("dropout", input=input)
    y, kept = _core.empty(x.shape, x.dtype), np.empty(-(-x.size // 32), np.uint32)
    if x.size:
        _core.dropout(_config.how(), p, seed, 1, x, y, kept)
    return y, kept


def dropout_backward(grad_output: ArrayLike, p: float, shape: tuple[int, ...], kept: Array) -> Array:
    """Gradient of `dropout` of an array of this shape."""
    (dy,) = _arrays.floating("dropout_backward", grad_output=grad_output)
    same_shape("dropout_backward", "grad_output", dy.shape, shape)
    dx = _core.empty(dy.shape, dy.dtype)
    if dy.size:
        _core.dropout(_config.how(), p, 0, 1, dy, dx, kept, True)
    return dx


def max_pool(op: str, input: ArrayLike, windows: tuple[Any, ...]) -> tuple[Array, Array]:
    """Return what `op` makes of `input`, and where the maxima were: what only `max_pool_backward` understands.

    `windows` are the arguments from kernel_size to ceil_mode.
    """
    y, places = pools.MAX_POOL_PLACES[int(op[-2])]((input,), windows)
    return y, places


def max_pool_backward(
    op: str, grad_output: ArrayLike, places: Array, shape: tuple[int, ...], windows: tuple[Any, ...]
) -> Array:
    """Gradient of `max_pool` of an array of this shape."""
    rank = int(op.removesuffix("_backward")[-2])
    return pools.placed_backward(op, geometry.pool(op, rank, shape, *windows), grad_output, places)


def _addend(body: Array, shortcut: ArrayLike | None) -> Array | None:
    if shortcut is None:
        return None
    x, z = _arrays.floating("Residual", body=body, shortcut=shortcut)
    if x.shape != z.shape:
        raise ValueError(f"Residual: body gives {x.shape}, shortcut gives {z.shape}")
    return z
