"""Batch normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core

__all__ = ["batch_norm", "batch_norm_backward"]

Array = NDArray[Any]


def _view(op: str, x: Array) -> Array:
    """x as (N, C, points)."""
    if x.ndim < 2:
        raise ValueError(f"{op}: input has shape {x.shape} (expected at least (N, C))")
    return x.reshape(x.shape[0], x.shape[1], math.prod(x.shape[2:]))


def _per_channel(op: str, name: str, value: Any, channels: int, default: float) -> Array:
    """A parameter or statistic as float64 (C,)."""
    if value is None:
        return np.full(channels, float(default))
    array = np.asarray(value)
    if array.shape != (channels,):
        raise ValueError(f"{op}: {name} has shape {array.shape} (expected ({channels},))")
    return array.astype(np.float64)


def _batch_statistics(op: str, view: Array) -> tuple[Array, Array]:
    n, channels, points = view.shape
    if n * points == 1:
        raise ValueError(f"{op}: input has one value per channel, shape {view.shape} (expected more in training)")
    mean, variance = np.empty(channels), np.empty(channels)
    _core.norm_statistics(_config.how(), view, mean, variance)
    return mean, variance


def _statistics(op: str, view: Array, running_mean: Any, running_var: Any, training: bool) -> tuple[Array, Array]:
    if training:
        return _batch_statistics(op, view)
    if running_mean is None or running_var is None:
        raise ValueError(f"{op}: running_mean or running_var is None (expected both where training is False)")
    channels = view.shape[1]
    mean = _per_channel(op, "running_mean", running_mean, channels, 0)
    return mean, _per_channel(op, "running_var", running_var, channels, 1)


def _check_running(op: str, name: str, value: Any, channels: int) -> None:
    if value is None:
        return
    if not isinstance(value, np.ndarray) or value.dtype not in _arrays.FLOATS:
        raise TypeError(f"{op}: {name} is {type(value).__name__} (expected an ndarray of floats, which is updated)")
    if value.shape != (channels,):
        raise ValueError(f"{op}: {name} has shape {value.shape} (expected ({channels},))")
    if not value.flags.writeable:
        raise ValueError(f"{op}: {name} is read-only (expected an array that can be updated)")


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
    """``(input - mean) / sqrt(variance + eps) * weight + bias`` per channel; S. Ioffe and C. Szegedy, arXiv:1502.03167.

    Parameters
    ----------
    input : array_like, shape (N, C, ...), float32 or float64
    running_mean, running_var : ndarray, shape (C,), or None
        The statistics if not `training`.  In training they are updated in place:
        ``running += momentum * (statistic of the batch - running)``, with the unbiased variance.
    weight, bias : array_like, shape (C,), optional
    training : bool
        Use mean and biased variance of the batch.
    momentum, eps : float
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, shapes that do not fit, one value per channel in training.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import batch_norm
    >>> batch_norm(np.array([[1.0], [3.0]]), None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    op = "batch_norm"
    x, w, b = _arrays.floating(op, input=input, weight=weight, bias=bias)
    view = _view(op, x)
    n, channels, points = view.shape
    scale, shift = _per_channel(op, "weight", w, channels, 1), _per_channel(op, "bias", b, channels, 0)
    if training:
        _check_running(op, "running_mean", running_mean, channels)
        _check_running(op, "running_var", running_var, channels)
    if x.size == 0:
        with _arrays.into(op, out, x.shape, x.dtype) as y:
            return y  # type: ignore[no-any-return]
    mean, variance = _statistics(op, view, running_mean, running_var, training)
    with _arrays.into(op, out, x.shape, x.dtype, x) as y:
        _core.norm_forward(_config.how(), view, mean, variance, scale, shift, eps, y)
    if training and running_mean is not None:
        running_mean += (momentum * (mean - running_mean)).astype(running_mean.dtype)
    if training and running_var is not None:
        unbiased = variance * (n * points / (n * points - 1))
        running_var += (momentum * (unbiased - running_var)).astype(running_var.dtype)
    return y if out is None else out  # type: ignore[no-any-return]


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
) -> tuple[Array, Array, Array]:
    """Gradients of `batch_norm` with respect to input, weight and bias; the running statistics are constants.

    Returns
    -------
    (grad_input, grad_weight, grad_bias)

    Raises
    ------
    TypeError, ValueError
        As `batch_norm`, and if `grad_output` has not the shape of `input`.
    """
    op = "batch_norm_backward"
    dy, x, w = _arrays.floating(op, grad_output=grad_output, input=input, weight=weight)
    if dy.shape != x.shape:
        raise ValueError(f"{op}: grad_output has shape {dy.shape} (expected {x.shape})")
    view = _view(op, x)
    channels = view.shape[1]
    scale = _per_channel(op, "weight", w, channels, 1)
    dx, dw, db = np.empty_like(x), np.zeros(channels), np.zeros(channels)
    if x.size:
        mean, variance = _statistics(op, view, running_mean, running_var, training)
        how = _config.how()
        _core.norm_backward(how, training, dy.reshape(view.shape), view, mean, variance, scale, eps, dx, dw, db)
    return dx, dw.astype(x.dtype), db.astype(x.dtype)
