"""Normalisation of (n, channels, points): what batch, instance, group and layer normalisation share."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry.tuples import number, same_shape

Array = NDArray[Any]
Gradients = tuple[Array, Array, Array]
NO_CLAMP = (-math.inf, math.inf)
OPTIONAL = ("weight", "bias", "running_mean", "running_var")


def gradient_arrays(op: str, *values: Any) -> list[Any]:
    """Checked arrays of a gradient: grad_output and input, then those that may be missing."""
    return _arrays.floating(op, *OPTIONAL, **dict(zip(("grad_output", "input", *OPTIONAL), values, strict=True)))


class Problem(NamedTuple):
    """What the boundary takes: x (n, channels, points), and units that share mean and variance.

    A unit is a channel of the batch if `groups` is 0, else each of `groups` groups of channels of a sample.
    """

    x: Array
    groups: int
    weight: Array | None
    bias: Array | None
    eps: float

    def units(self) -> int:
        return int(self.x.shape[0] * self.groups or self.x.shape[1])

    def statistics(self) -> tuple[Array, Array]:
        return np.empty(self.units()), np.empty(self.units())


def problem(
    op: str,
    shape: tuple[int, int, int],
    groups: int,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    eps: Any,
    parameter: tuple[int, ...] = (),
) -> Problem:
    """Weight and bias have the shape `parameter`, by default (channels,)."""
    view = x.reshape(shape)
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None:
            same_shape(op, name, array.shape, parameter or shape[1:2])
    if weight is None and bias is not None:
        weight = np.ones_like(bias)
    elif bias is None and weight is not None:
        bias = np.zeros_like(weight)
    return Problem(view, groups, weight, bias, number(op, "eps", eps))


def forward(op: str, p: Problem, own: bool, mean: Array, variance: Array, x: Array, out: Array | None) -> Array:
    y = _arrays.target(op, out, x.shape, x.dtype, x, p.weight, p.bias)
    if x.size:
        statistics = _core.NORM_COMPUTE if own else _core.NORM_GIVEN
        _core.norm_forward(_config.how(), p.x, p.groups, statistics, p.weight, p.bias, p.eps, mean, variance, y)
    return _arrays.deliver(y, out)


def backward(
    op: str, p: Problem, own: bool, mean: Array, variance: Array, dy: Array, x: Array, parameter: tuple[int, ...]
) -> Gradients:
    statistics = _core.NORM_COMPUTE if own else _core.NORM_GIVEN
    return gradients(op, p, statistics, mean, variance, dy, x, parameter)


def gradients(
    op: str,
    p: Problem,
    statistics: int,
    mean: Array,
    variance: Array,
    dy: Array,
    x: Array,
    parameter: tuple[int, ...],
    clamp: tuple[float, float] = NO_CLAMP,
) -> Gradients:
    same_shape(op, "grad_output", dy.shape, x.shape)
    dx = _core.empty(x.shape, x.dtype)
    dw, db = np.zeros((2, p.x.shape[1]))
    if x.size:
        _core.norm_backward(
            *(_config.how(), dy, p.x, p.groups, statistics, p.weight, p.bias, p.eps),
            *(mean, variance, dx, dw, db, *clamp),
        )
    return dx, dw.astype(x.dtype).reshape(parameter), db.astype(x.dtype).reshape(parameter)


def batch(op: str, x: Array) -> tuple[int, int, int]:
    """x as (N, C, points); nothing has no channels to speak of, whatever its rank."""
    if x.ndim < 2 and x.size:
        raise ValueError(f"{op}: input has shape {x.shape} (expected at least (N, C))")
    if x.ndim < 2:
        return 0, 0, 0
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


def check_running(op: str, mean: Any, variance: Any, channels: int, updated: bool) -> None:
    """Both running statistics or none; they are updated in place, so that only arrays will do."""
    if (mean is None) != (variance is None):
        raise ValueError(f"{op}: one of running_mean and running_var is None (expected both or neither)")
    for name, value in (("running_mean", mean), ("running_var", variance)):
        if value is None:
            continue
        if updated and not isinstance(value, np.ndarray):
            raise TypeError(f"{op}: {name} is {type(value).__name__} (expected an ndarray, which is updated)")
        same_shape(op, name, np.shape(value), (channels,))
        if updated and not value.flags.writeable:
            raise ValueError(f"{op}: {name} is read-only (expected an array that can be updated)")


def running(op: str, mean: Any, variance: Any) -> tuple[Array, Array]:
    """The running statistics as the boundary takes them."""
    if mean is None or variance is None:
        raise ValueError(f"{op}: running_mean and running_var are None (expected both where none are computed)")
    return np.asarray(mean, np.float64), np.asarray(variance, np.float64)


def update(running: Any, momentum: float, value: Array) -> None:
    if running is not None:
        running[...] = (1 - momentum) * running.astype(np.float64) + momentum * value


def samples(op: str, x: Array) -> tuple[int, int, int]:
    if x.ndim < 2:
        raise ValueError(f"{op}: input has shape {x.shape} (expected (N, C, ...))")
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


def check_points(op: str, x: Array, points: int) -> None:
    if points == 1:
        raise ValueError(f"{op}: input has one point per channel, shape {x.shape} (expected more)")
