"""Softmax and cross entropy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast._geometry.tuples import integer, number
from cnnfast.reference._common import Array, check_shape, give

__all__ = [
    "cross_entropy",
    "cross_entropy_backward",
    "log_softmax",
    "log_softmax_backward",
    "softmax",
    "softmax_backward",
]

REDUCTIONS = ("none", "mean", "sum")


def _log_softmax(x: Array, axis: int) -> Array:
    """``x - max - log(sum(exp(x - max)))``, at least one axis."""
    x = x.astype(np.float64).reshape(x.shape or (1,))
    with np.errstate(all="ignore"):
        shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)))


def _axis(op: str, x: Array, dim: int | None) -> int:
    """The axis `dim`; without it PyTorch takes the first of 0, 1 or 3 axes, else the second."""
    axis, rank = integer(op, "dim", int(x.ndim not in (0, 1, 3)) if dim is None else dim), max(x.ndim, 1)
    if not -rank <= axis < rank:
        raise ValueError(f"{op}: dim is {axis} (expected between {-rank} and {rank - 1})")
    return axis


def softmax(input: ArrayLike, dim: int | None = None, *, out: Array | None = None) -> Array:
    """``exp(x) / sum(exp(x))`` along `dim`."""
    (x,) = _arrays.floating("softmax", input=input)
    y = np.exp(_log_softmax(x, _axis("softmax", x, dim)))
    return give("softmax", y.reshape(x.shape), x.dtype, out)


def log_softmax(input: ArrayLike, dim: int | None = None, *, out: Array | None = None) -> Array:
    """``x - log(sum(exp(x)))`` along `dim`."""
    (x,) = _arrays.floating("log_softmax", input=input)
    y = _log_softmax(x, _axis("log_softmax", x, dim))
    return give("log_softmax", y.reshape(x.shape), x.dtype, out)


def softmax_backward(grad_output: ArrayLike, input: ArrayLike, dim: int | None = None) -> Array:
    """``y * (grad_output - sum(grad_output * y))`` with y = softmax(x)."""
    op = "softmax_backward"
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    check_shape(op, "grad_output", dy, *x.shape)
    axis = _axis(op, x, dim)
    y = np.exp(_log_softmax(x, axis))
    g = dy.reshape(y.shape)
    return give(op, (y * (g - (g * y).sum(axis=axis, keepdims=True))).reshape(x.shape), x.dtype)


def log_softmax_backward(grad_output: ArrayLike, input: ArrayLike, dim: int | None = None) -> Array:
    """``grad_output - softmax(x) * sum(grad_output)``."""
    op = "log_softmax_backward"
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    check_shape(op, "grad_output", dy, *x.shape)
    axis = _axis(op, x, dim)
    y = np.exp(_log_softmax(x, axis))
    g = dy.astype(np.float64).reshape(y.shape)
    return give(op, (g - y * g.sum(axis=axis, keepdims=True)).reshape(x.shape), x.dtype)


class _Problem(NamedTuple):
    """Checked arguments: the loss of a line is ``-sum over axis of mixture * log_softmax(logits)``."""

    logits: Array
    axis: int
    mixture: Array
    divisor: float


def _one_hot(op: str, target: Array, classes: int, axis: int, ignore_index: int) -> Array:
    """Probabilities (..., classes, ...) of targets; zeros for those that are ignored."""
    wrong = (target != ignore_index) & ((target < 0) | (target >= classes))
    if wrong.any():
        raise ValueError(f"{op}: target has a value that is no class (expected 0 to {classes - 1}, or {ignore_index})")
    hot = np.expand_dims(target, axis) == np.arange(classes).reshape(-1, *(1,) * (target.ndim - axis))
    return np.asarray(hot & np.expand_dims(target != ignore_index, axis), np.float64)


def _probabilities(op: str, x: Array, target: Any, axis: int, ignore_index: int) -> tuple[Array, bool]:
    """(Target distribution in the shape of x, whether it came as classes)."""
    goal = np.asarray(target)
    if goal.dtype.kind == "f":
        check_shape(op, "target", goal, *x.shape)
        if ignore_index >= 0:
            raise ValueError(f"{op}: ignore_index is {ignore_index} (expected none where the target is probabilities)")
        return goal.astype(np.float64), False
    (classes,) = _arrays.integers(op, target=goal)
    check_shape(op, "target", classes, *x.shape[:axis], *x.shape[axis + 1 :])
    return _one_hot(op, classes, x.shape[axis], axis, ignore_index), True


def _problem(
    op: str, input: ArrayLike, target: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> _Problem:
    x, w = _arrays.floating(op, "weight", input=input, weight=weight)
    if reduction not in REDUCTIONS:
        raise ValueError(f"{op}: reduction is {reduction!r} (expected one of {', '.join(map(repr, REDUCTIONS))})")
    smoothing = number(op, "label_smoothing", label_smoothing)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"{op}: label_smoothing is {smoothing} (expected between 0 and 1)")
    if x.ndim == 0:
        raise ValueError(f"{op}: input has no axes (expected (C,) or (N, C, ...))")
    axis = min(x.ndim - 1, 1)
    classes = x.shape[axis]
    check_shape(op, "weight", w, classes)
    weights = np.ones(classes) if w is None else w.astype(np.float64)
    weights = weights.reshape(-1, *(1,) * (x.ndim - axis - 1))
    goal, hot = _probabilities(op, x, target, axis, integer(op, "ignore_index", ignore_index))
    counted = goal.sum(axis=axis, keepdims=True) if hot else 1.0
    mixture = weights * ((1 - smoothing) * goal + smoothing / max(classes, 1) * counted)
    divisor = float((weights * goal).sum() if hot else x.size // max(classes, 1))
    return _Problem(x, axis, mixture, divisor if reduction == "mean" else 1.0)


def cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """``-sum_c weight[c] * q[c] * log_softmax(x)[c]``, with the target distribution t smoothed:

    ``q[c] = (1 - label_smoothing) * t[c] + label_smoothing / C``; 'mean' divides by the weights of the targets.
    """
    op = "cross_entropy"
    p = _problem(op, input, target, weight, ignore_index, reduction, label_smoothing)
    with np.errstate(all="ignore"):
        terms = np.where(p.mixture == 0, 0, -p.mixture * _log_softmax(p.logits, p.axis))
        losses = terms.sum(axis=p.axis)
        return give(op, np.asarray(losses if reduction == "none" else losses.sum() / p.divisor), p.logits.dtype)


def cross_entropy_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """``(softmax(x) * sum(weight * q) - weight * q) * grad_output``, over the divisor of 'mean'."""
    op = "cross_entropy_backward"
    p = _problem(op, input, target, weight, ignore_index, reduction, label_smoothing)
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    lines = p.mixture.sum(axis=p.axis).shape
    check_shape(op, "grad_output", dy, *(lines if reduction == "none" else ()))
    with np.errstate(all="ignore"):
        g = np.expand_dims(np.broadcast_to(dy / np.float64(p.divisor), lines), p.axis)
        slope = np.exp(_log_softmax(p.logits, p.axis)) * p.mixture.sum(axis=p.axis, keepdims=True) - p.mixture
        return give(op, np.where(p.mixture.any(axis=p.axis, keepdims=True), slope * g, 0), p.logits.dtype)
