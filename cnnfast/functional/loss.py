"""Softmax and cross entropy."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry.tuples import integer, same_shape
from cnnfast.functional import _cross_entropy as _ce

__all__ = [
    "cross_entropy",
    "cross_entropy_backward",
    "log_softmax",
    "log_softmax_backward",
    "softmax",
    "softmax_backward",
]

Array = NDArray[Any]


def _axis_view(op: str, x: Array, dim: Any) -> Array:
    """x as (outer, classes, inner) around the axis `dim`; None is the first of 0, 1 or 3 axes, else the second."""
    axis, rank = integer(op, "dim", int(x.ndim not in (0, 1, 3)) if dim is None else dim), max(x.ndim, 1)
    if not -rank <= axis < rank:
        raise ValueError(f"{op}: dim is {axis} (expected between {-rank} and {rank - 1})")
    shape = x.shape or (1,)
    axis %= rank
    return x.reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))


def _softmax(op: str, logarithm: bool, input: ArrayLike, dim: Any, out: Array | None) -> Array:
    (x,) = _arrays.floating(op, input=input)
    view = _axis_view(op, x, dim)
    y = _arrays.target(op, out, x.shape, x.dtype, x)
    if x.size:
        _core.softmax(_config.how(), logarithm, view, None, y)
    return _arrays.deliver(y, out)


def _softmax_backward(op: str, logarithm: bool, grad_output: ArrayLike, input: ArrayLike, dim: Any) -> Array:
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    same_shape(op, "grad_output", dy.shape, x.shape)
    y = _softmax(op, logarithm, x, dim, None)
    dx = _core.empty(x.shape, x.dtype)
    if x.size:
        _core.softmax(_config.how(), logarithm, _axis_view(op, y, dim), dy, dx)
    return dx


def softmax(input: ArrayLike, dim: int | None = None, *, out: Array | None = None) -> Array:
    """``exp(input) / sum(exp(input))`` along an axis, computed without overflow.

    Parameters
    ----------
    input : array_like, float32 or float64
    dim : int, optional
        By default 0 for an input of 0, 1 or 3 axes, else 1, which PyTorch calls deprecated.
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, and an axis that is not there.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import softmax
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]), 1).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    return _softmax("softmax", False, input, dim, out)


def softmax_backward(grad_output: ArrayLike, input: ArrayLike, dim: int | None = None) -> Array:
    """Gradient of `softmax`: ``y * (grad_output - sum(grad_output * y))`` with ``y = softmax(input, dim)``."""
    return _softmax_backward("softmax_backward", False, grad_output, input, dim)


def log_softmax(input: ArrayLike, dim: int | None = None, *, out: Array | None = None) -> Array:
    """Logarithm of `softmax`, computed without cancellation; see there for arguments and errors."""
    return _softmax("log_softmax", True, input, dim, out)


def log_softmax_backward(grad_output: ArrayLike, input: ArrayLike, dim: int | None = None) -> Array:
    """Gradient of `log_softmax`: ``grad_output - softmax(input, dim) * sum(grad_output)``."""
    return _softmax_backward("log_softmax_backward", True, grad_output, input, dim)


def cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """Cross entropy between targets and the softmax of logits.

    ``loss = -sum_c weight[c] * q[c] * log_softmax(input)[c]``, q being the target distribution t mixed with the uniform
    one: ``q[c] = (1 - label_smoothing) * t[c] + label_smoothing / C``.

    Parameters
    ----------
    input : array_like, shape (C,), (N, C) or (N, C, d1, ...), float32 or float64
        Logits.
    target : array_like
        Classes: ints of shape (), (N,) or (N, d1, ...); or probabilities: floats of the shape of `input`.
    weight : array_like, shape (C,), optional
    ignore_index : int
        A class that counts nothing.
    reduction : {'mean', 'sum', 'none'}
        'mean' divides by the weights of the targets that count (by the number of losses for probabilities).
    label_smoothing : float, between 0 and 1

    Returns
    -------
    ndarray, 0-d, or the shape of the losses for 'none'; dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, shapes that do not fit, targets that are no class.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import cross_entropy
    >>> round(float(cross_entropy(np.zeros((2, 4)), [0, 3])), 6)
    1.386294
    """
    op = "cross_entropy"
    return _ce.loss(op, _ce.problem(op, input, target, weight, ignore_index, reduction, label_smoothing), reduction)


def cross_entropy_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """Gradient of `cross_entropy` with respect to the logits.

    Parameters
    ----------
    grad_output : array_like, shape of the loss
    input, target, weight, ignore_index, reduction, label_smoothing : as in `cross_entropy`

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        As `cross_entropy`, and if `grad_output` has not the shape of the loss.
    """
    op = "cross_entropy_backward"
    p = _ce.problem(op, input, target, weight, ignore_index, reduction, label_smoothing)
    return _ce.gradient(op, p, reduction, grad_output)
