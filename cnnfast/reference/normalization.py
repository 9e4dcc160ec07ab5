"""Batch, instance, layer, group and local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast._geometry.convolution import size
from cnnfast._geometry.tuples import flag, integer, number
from cnnfast.reference._common import Array, check_shape, give

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "group_norm",
    "group_norm_backward",
    "instance_norm",
    "instance_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "local_response_norm",
    "local_response_norm_backward",
]

Axes = tuple[int, ...]
Gradients = tuple[Array, Array, Array]


class _Standard(NamedTuple):
    """``normal = (x - mean) * scale``; the statistics are those of x over `axes`, or constants if that is None."""

    normal: Array
    mean: Array
    variance: Array
    scale: Array
    axes: Axes | None


def _mean(x: Array, axes: Axes) -> Array:
    """Mean over axes, which stay; 0 of no points."""
    total = x.sum(axis=axes, keepdims=True, dtype=np.float64)
    return np.asarray(total / max(x.size // max(total.size, 1), 1))


def _by(op: str, x: Array, mean: Array, variance: Array, eps: float, axes: Axes | None = None) -> _Standard:
    with np.errstate(all="ignore"):
        scale = 1 / np.sqrt(variance + number(op, "eps", eps))
        return _Standard((x - mean) * scale, mean, variance, scale, axes)


def _standardise(op: str, x: Array, axes: Axes, eps: float) -> _Standard:
    """Standardise by mean and biased variance over `axes`."""
    mean = _mean(x, axes)
    return _by(op, x, mean, _mean((x - mean) ** 2, axes), eps, axes)


def _standardise_backward(s: _Standard, g: Array) -> Array:
    """``scale * (g - mean(g) - normal * mean(g * normal))``; without the means where the statistics are constants."""
    if s.axes is None:
        return g * s.scale
    return np.asarray(s.scale * (g - _mean(g, s.axes) - s.normal * _mean(g * s.normal, s.axes)))


def _affine(y: Array, weight: Array | None, bias: Array | None) -> Array:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _forward(op: str, x: Array, s: _Standard, weight: Array | None, bias: Array | None, out: Array | None) -> Array:
    """``normal * weight + bias``; the statistics may be those of x in another shape."""
    with np.errstate(all="ignore"):
        return give(op, _affine(s.normal.reshape(x.shape), weight, bias), x.dtype, out)


def _backward(op: str, dy: Array, s: _Standard, weight: Array | None, over: Axes) -> Gradients:
    """Gradients with respect to x, weight and bias of ``normal * weight + bias``, which broadcasts along `over`."""
    with np.errstate(all="ignore"):
        g = _affine(dy.astype(np.float64), weight, None).reshape(s.normal.shape)
        dx = _standardise_backward(s, g).reshape(dy.shape)
        dw = (dy * s.normal.reshape(dy.shape)).sum(axis=over)
    db = dy.sum(axis=over, dtype=np.float64)
    return give(op, dx, dy.dtype), give(op, np.asarray(dw), dy.dtype), give(op, np.asarray(db), dy.dtype)


def _channels(x: Array, parameter: Any) -> Any:
    """(C,) in a shape that broadcasts with (N, C, ...)."""
    return None if parameter is None else np.asarray(parameter, np.float64).reshape(-1, *(1,) * (x.ndim - 2))


def _but_channels(x: Array) -> Axes:
    return (0, *range(2, x.ndim))


def _check_channels(op: str, x: Array, parameters: dict[str, Any]) -> None:
    if x.ndim < 2:
        raise ValueError(f"{op}: input has shape {x.shape} (expected at least (N, C))")
    for name, value in parameters.items():
        check_shape(op, name, None if value is None else np.asarray(value), x.shape[1])


def _check_running(op: str, mean: Any, variance: Any, needed: bool) -> None:
    if (mean is None) != (variance is None) or (needed and mean is None):
        raise ValueError(f"{op}: running_mean or running_var is None (expected both{'' if needed else ' or neither'})")


def _update(running: Array | None, momentum: float, statistic: Array) -> None:
    if running is not None:
        running += (momentum * (statistic.reshape(-1) - running)).astype(running.dtype)


def _batch_statistics(op: str, x: Array, running_mean: Any, running_var: Any, training: bool, eps: float) -> _Standard:
    _check_running(op, running_mean, running_var, not training)
    if not flag(op, "training", training):
        return _by(op, x, _channels(x, running_mean), _channels(x, running_var), eps)
    if np.prod([x.shape[axis] for axis in _but_channels(x)]) == 1:
        raise ValueError(f"{op}: input has one value per channel, shape {x.shape} (expected more in training)")
    return _standardise(op, x, _but_channels(x), eps)


def batch_norm(
    input: ArrayLike,
    running_mean: Array | None,
    running_var: Array | None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """``(x - mean) / sqrt(variance + eps) * weight + bias`` per channel; training updates the running ones in place."""
    op = "batch_norm"
    given = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    x, w, b, m, v = _arrays.floating(op, *given, input=input, **given)
    step = number(op, "momentum", momentum)
    if x.size == 0:
        return give(op, x, x.dtype, out)
    _check_channels(op, x, {"weight": w, "bias": b, "running_mean": m, "running_var": v})
    s = _batch_statistics(op, x, m, v, training, eps)
    y = _forward(op, x, s, _channels(x, w), _channels(x, b), out)
    if training:
        count = x.size // x.shape[1]
        _update(running_mean, step, s.mean)
        _update(running_var, step, s.variance * (count / (count - 1)))
    return y


def batch_norm_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    running_mean: ArrayLike | None,
    running_var: ArrayLike | None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Gradients:
    """Gradients of `batch_norm` with respect to input, weight and bias."""
    op = "batch_norm_backward"
    given = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    dy, x, w, b, m, v = _arrays.floating(op, *given, grad_output=grad_output, input=input, **given)
    check_shape(op, "grad_output", dy, *x.shape)
    _check_channels(op, x, {"weight": w, "bias": b, "running_mean": m, "running_var": v})
    s = _batch_statistics(op, x, m, v, training, eps)
    return _backward(op, dy, s, _channels(x, w), _but_channels(x))


def _instance_statistics(
    op: str, x: Array, running_mean: Any, running_var: Any, use_input_stats: bool, eps: float
) -> _Standard:
    if not flag(op, "use_input_stats", use_input_stats):
        return _batch_statistics(op, x, running_mean, running_var, False, eps)
    _check_running(op, running_mean, running_var, False)
    if np.prod(x.shape[2:]) == 1:
        raise ValueError(f"{op}: input has one point per channel, shape {x.shape} (expected more)")
    return _standardise(op, x, tuple(range(2, x.ndim)), eps)


def instance_norm(
    input: ArrayLike,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """`batch_norm` with the statistics of each image by itself; the running ones follow their mean over images."""
    op = "instance_norm"
    given = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    x, w, b, m, v = _arrays.floating(op, *given, input=input, **given)
    step = number(op, "momentum", momentum)
    _check_channels(op, x, {"weight": w, "bias": b, "running_mean": m, "running_var": v})
    if x.size == 0:
        return give(op, x, x.dtype, out)
    s = _instance_statistics(op, x, m, v, use_input_stats, eps)
    y = _forward(op, x, s, _channels(x, w), _channels(x, b), out)
    if use_input_stats:
        points = int(np.prod(x.shape[2:]))
        _update(running_mean, step, s.mean.mean(axis=0))
        _update(running_var, step, s.variance.mean(axis=0) * (points / (points - 1)))
    return y


def instance_norm_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Gradients:
    """Gradients of `instance_norm` with respect to input, weight and bias."""
    op = "instance_norm_backward"
    given = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    dy, x, w, b, m, v = _arrays.floating(op, *given, grad_output=grad_output, input=input, **given)
    check_shape(op, "grad_output", dy, *x.shape)
    _check_channels(op, x, {"weight": w, "bias": b, "running_mean": m, "running_var": v})
    s = _instance_statistics(op, x, m, v, use_input_stats, eps)
    return _backward(op, dy, s, _channels(x, w), _but_channels(x))


def _layer_shape(op: str, x: Array, normalized_shape: Sequence[int], parameters: dict[str, Array | None]) -> Axes:
    """The axes that `normalized_shape` names."""
    shape = size(op, "normalized_shape", normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"{op}: input has shape {x.shape} (expected (..., *{shape}), at least one axis)")
    for name, value in parameters.items():
        check_shape(op, name, value, *shape)
    return tuple(range(x.ndim - len(shape), x.ndim))


def layer_norm(
    input: ArrayLike,
    normalized_shape: Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, the statistics over the last axes."""
    op = "layer_norm"
    x, w, b = _arrays.floating(op, "weight", "bias", input=input, weight=weight, bias=bias)
    axes = _layer_shape(op, x, normalized_shape, {"weight": w, "bias": b})
    return _forward(op, x, _standardise(op, x, axes, eps), w, b, out)


def layer_norm_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    normalized_shape: Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Gradients:
    """Gradients of `layer_norm` with respect to input, weight and bias."""
    op = "layer_norm_backward"
    dy, x, w, b = _arrays.floating(op, "weight", "bias", grad_output=grad_output, input=input, weight=weight, bias=bias)
    check_shape(op, "grad_output", dy, *x.shape)
    axes = _layer_shape(op, x, normalized_shape, {"weight": w, "bias": b})
    return _backward(op, dy, _standardise(op, x, axes, eps), w, tuple(range(axes[0])))


def _grouped(op: str, x: Array, num_groups: int, parameters: dict[str, Array | None]) -> Array:
    """x as (N, groups, points)."""
    _check_channels(op, x, parameters)
    groups = integer(op, "num_groups", num_groups, 1)
    if x.shape[1] % groups:
        raise ValueError(f"{op}: input has {x.shape[1]} channels (expected a multiple of num_groups, {groups})")
    if x.size == groups:
        raise ValueError(f"{op}: input has one value per group, shape {x.shape} (expected more)")
    return x.reshape(x.shape[0], groups, x.size // max(x.shape[0] * groups, 1))


def group_norm(
    input: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, the statistics over a group of channels of an image."""
    op = "group_norm"
    x, w, b = _arrays.floating(op, "weight", "bias", input=input, weight=weight, bias=bias)
    view = _grouped(op, x, num_groups, {"weight": w, "bias": b})
    return _forward(op, x, _standardise(op, view, (2,), eps), _channels(x, w), _channels(x, b), out)


def group_norm_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Gradients:
    """Gradients of `group_norm` with respect to input, weight and bias."""
    op = "group_norm_backward"
    dy, x, w, b = _arrays.floating(op, "weight", "bias", grad_output=grad_output, input=input, weight=weight, bias=bias)
    check_shape(op, "grad_output", dy, *x.shape)
    view = _grouped(op, x, num_groups, {"weight": w, "bias": b})
    return _backward(op, dy, _standardise(op, view, (2,), eps), _channels(x, w), _but_channels(x))


def _across(x: Array, low: int, high: int) -> Array:
    """Sum over the channels c - low ... c + high."""
    total, channels = np.zeros_like(x), x.shape[1]
    for shift in range(-low, high + 1):
        kept = slice(max(0, -shift), max(0, min(channels, channels - shift)))
        seen = slice(max(0, shift), max(0, min(channels, channels + shift)))
        total[:, kept] += x[:, seen]
    return total


def _response(op: str, x: Array, size: int, alpha: float, k: float) -> tuple[Array, int]:
    """(``k + alpha * mean of x**2 over the channels around``, the number of those channels)."""
    if x.ndim < 3:
        raise ValueError(f"{op}: input has shape {x.shape} (expected at least 3 dimensions)")
    width = integer(op, "size", size, 1)
    squares = _across(x.astype(np.float64) ** 2, width // 2, (width - 1) // 2)
    return number(op, "k", k) + number(op, "alpha", alpha) / width * squares, width


def local_response_norm(
    input: ArrayLike,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    out: Array | None = None,
) -> Array:
    """``x / (k + alpha * mean of x**2 over size channels around) ** beta``, channels outside being 0."""
    op = "local_response_norm"
    (x,) = _arrays.floating(op, input=input)
    response, _ = _response(op, x, size, alpha, k)
    with np.errstate(all="ignore"):
        return give(op, x / response ** number(op, "beta", beta), x.dtype, out)


def local_response_norm_backward(
    grad_output: ArrayLike, input: ArrayLike, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """``dy * r**-beta - 2 * alpha * beta / size * x * (sum of dy * x * r**(-beta - 1) where x is seen)``."""
    op = "local_response_norm_backward"
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    check_shape(op, "grad_output", dy, *x.shape)
    response, width = _response(op, x, size, alpha, k)
    power = number(op, "beta", beta)
    with np.errstate(all="ignore"):
        through = _across(dy * x * response ** (-power - 1), (width - 1) // 2, width // 2)
        return give(op, dy * response**-power - 2 * alpha * power / width * x * through, x.dtype)
