"""Fully connected layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry.tuples import same_shape

__all__ = ["linear", "linear_backward"]

Array = NDArray[Any]


def _check(op: str, x: Array, weight: Array, bias: Array | None) -> tuple[int, ...]:
    """Shape of the output."""
    if weight.ndim not in (1, 2):
        raise ValueError(f"{op}: weight has shape {weight.shape} (expected (out, in) or (in,))")
    if x.ndim == 0 or x.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"{op}: weight takes {weight.shape[-1]} features, input has shape {x.shape} "
            f"(expected input.shape[-1] == {weight.shape[-1]})"
        )
    shape = (*x.shape[:-1], *weight.shape[:-1])
    if bias is None:
        return shape
    if weight.ndim == 1 and shape:
        raise ValueError(f"{op}: bias is given, weight has shape {weight.shape} (expected none)")
    if bias.ndim > len(shape) or any(b not in (1, s) for b, s in zip(bias.shape[::-1], shape[::-1], strict=False)):
        raise ValueError(f"{op}: bias has shape {bias.shape} (expected what broadcasts to {shape})")
    return shape


def _rows(array: Array, features: int) -> Array:
    """The array as a matrix of rows of `features`."""
    return array.reshape(math.prod(array.shape) // features if features else math.prod(array.shape[:-1]), features)


def linear(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, out: Array | None = None) -> Array:
    """``input @ weight.T + bias``.

    Parameters
    ----------
    input : array_like, shape (..., in), float32 or float64
    weight : array_like, shape (out, in) or (in,), dtype of `input`
    bias : array_like, shape (out,) or what broadcasts to the output, optional
    out : ndarray, optional

    Returns
    -------
    ndarray, shape (..., out) or (...)

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64 or dtypes that differ, and for shapes that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import linear
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.0, 1.0])).tolist()
    [[11.0, 18.0]]
    """
    x, w, b = _arrays.floating("linear", "bias", input=input, weight=weight, bias=bias)
    shape = _check("linear", x, w, b)
    rows, matrix = _rows(x, x.shape[-1]), np.atleast_2d(w)
    outputs = matrix.shape[0]
    vector = b is not None and (b.ndim < 2 or b.size == b.shape[-1])
    bias_row = np.broadcast_to(b.reshape(-1), outputs) if vector else None
    with _arrays.into("linear", out, shape, x.dtype, x, w, b) as y:
        packed = None if bias_row is None else np.ascontiguousarray(bias_row)
        _core.gemm(_config.how(), rows, False, matrix, True, packed, y.reshape(rows.shape[0], outputs))
        if b is not None and not vector:
            y += b
    return y if out is None else out


def linear_backward(grad_output: ArrayLike, input: ArrayLike, weight: ArrayLike) -> tuple[Array, Array, Array]:
    """Gradients of `linear` with respect to input, weight and bias.

    Parameters
    ----------
    grad_output : array_like, shape of the output of `linear`
    input, weight : array_like, as in `linear`

    Returns
    -------
    (grad_input, grad_weight, grad_bias)

    Raises
    ------
    TypeError, ValueError
        As `linear`, and if `grad_output` has not the shape of its output.
    """
    op = "linear_backward"
    dy, x, w = _arrays.floating(op, grad_output=grad_output, input=input, weight=weight)
    same_shape(op, "grad_output", dy.shape, _check(op, x, w, None))
    rows, matrix, how = _rows(x, x.shape[-1]), np.atleast_2d(w), _config.how()
    dy = dy.reshape(rows.shape[0], matrix.shape[0])
    dx, dw, db = np.empty(x.shape, x.dtype), np.empty(w.shape, w.dtype), np.empty(w.shape[:-1], w.dtype)
    _core.gemm(how, dy, False, matrix, False, None, dx.reshape(rows.shape))
    _core.gemm(how, dy, True, rows, False, None, dw.reshape(matrix.shape))
    ones = np.ones((1, dy.shape[0]), dy.dtype)
    _core.gemm(how, ones, False, dy, False, None, db.reshape(1, -1))
    return dx, dw, db
