"""Cross entropy of a problem whose arguments were checked once, for the loss and for its gradient."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry.tuples import integer, number, same_shape

Array = NDArray[Any]
REDUCTIONS = ("none", "mean", "sum")


class Problem(NamedTuple):
    """Arguments of cross entropy, checked: logits (outer, classes, inner), the rest as the boundary takes it."""

    logits: Array
    target: Array | None
    probabilities: Array | None
    weight: Array | None
    ignore_index: int
    smoothing: float
    lines: tuple[int, ...]
    shape: tuple[int, ...]

    def denominator(self) -> float:
        """What 'mean' divides by: the weights of the targets that count, or the number of lines."""
        if self.target is None:
            return float(math.prod(self.lines))
        counted = self.target[self.target != self.ignore_index]
        return float(counted.size if self.weight is None else self.weight[counted].sum())


def problem(
    op: str, input: ArrayLike, target: Any, weight: Any, ignore_index: Any, reduction: str, label_smoothing: Any
) -> Problem:
    x, w = _arrays.floating(op, "weight", input=input, weight=weight)
    if reduction not in REDUCTIONS:
        raise ValueError(f"{op}: reduction is {reduction!r} (expected one of {', '.join(map(repr, REDUCTIONS))})")
    smoothing = number(op, "label_smoothing", label_smoothing)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"{op}: label_smoothing is {smoothing} (expected between 0 and 1)")
    if x.ndim == 0:
        raise ValueError(f"{op}: input has no axes (expected (C,) or (N, C, ...))")
    batch, classes = ((), x.shape[0]) if x.ndim == 1 else (x.shape[:1], x.shape[1])
    lines = (*batch, *x.shape[2:])
    if w is not None:
        same_shape(op, "weight", w.shape, (classes,))
    logits = x.reshape(math.prod(batch), classes, math.prod(x.shape[2:]))
    ignored, goal = integer(op, "ignore_index", ignore_index), np.asarray(target)
    settings = None if w is None else w.astype(np.float64), ignored, smoothing, lines, x.shape
    if goal.dtype.kind == "f":
        if ignored >= 0:
            raise ValueError(f"{op}: ignore_index is {ignored} (expected none where the target is probabilities)")
        (t,) = _arrays.floating(op, target=goal.astype(x.dtype, copy=False))
        same_shape(op, "target", t.shape, x.shape)
        return Problem(logits, None, t, *settings)
    (t,) = _arrays.integers(op, target=goal)
    same_shape(op, "target", t.shape, lines)
    return Problem(logits, t, None, *settings)


def _call(op: str, p: Problem, losses: Array, dx: Array | None) -> None:
    """Losses of all lines, or dx from the gradient of each loss; the C code checks the targets before it writes."""
    arguments = p.logits, p.target, p.probabilities, p.weight, p.ignore_index, p.smoothing, losses, dx
    if not _core.cross_entropy(_config.how(), *arguments):
        classes = p.logits.shape[1]
        raise ValueError(f"{op}: target has what is no class (expected 0 to {classes - 1}, or {p.ignore_index})")


def loss(op: str, p: Problem, reduction: str) -> Array:
    losses = np.zeros(p.lines)
    if losses.size:
        _call(op, p, losses, None)
    with np.errstate(all="ignore"):
        if reduction == "none":
            return losses.astype(p.logits.dtype)
        total = losses.sum()
        return np.asarray(total / p.denominator() if reduction == "mean" else total, p.logits.dtype)


def gradient(op: str, p: Problem, reduction: str, grad_output: ArrayLike) -> Array:
    (grad,) = _arrays.floating(op, grad_output=grad_output)
    same_shape(op, "grad_output", grad.shape, p.lines if reduction == "none" else ())
    dy = grad.astype(np.float64)
    if reduction == "mean":
        with np.errstate(all="ignore"):
            dy = dy / np.float64(p.denominator())
    dx = _core.empty(p.shape, p.logits.dtype)
    if p.target is not None or dx.size:
        _call(op, p, np.full(p.lines, dy), dx)
    return dx
