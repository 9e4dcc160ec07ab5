"""Fully connected layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast.reference._common import Array, check_shape, give

__all__ = [
    "linear",
    "linear_backward",
]


def _check(op: str, x: Array, w: Array, b: Array | None) -> tuple[int, ...]:
    """Shape of the output."""
    if w.ndim not in (1, 2):
        raise ValueError(f"{op}: weight has shape {w.shape} (expected (out, in) or (in,))")
    if x.ndim == 0 or x.shape[-1] != w.shape[-1]:
        raise ValueError(f"{op}: input has shape {x.shape}, weight {w.shape} (expected the same last axis)")
    shape = (*x.shape[:-1], *w.shape[:-1])
    if b is None:
        return shape
    if w.ndim == 1 and shape:
        raise ValueError(f"{op}: bias has shape {b.shape}, weight {w.shape} (expected no bias with such a weight)")
    if b.ndim > len(shape) or any(e not in (1, s) for e, s in zip(b.shape[::-1], shape[::-1], strict=False)):
        raise ValueError(f"{op}: bias has shape {b.shape} (expected {w.shape[:1]}, or what broadcasts to {shape})")
    return shape


def linear(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, out: Array | None = None) -> Array:
    """``out[..., k] = bias[k] + sum_c weight[k, c] input[..., c]``."""
    x, w, b = _arrays.floating("linear", "bias", input=input, weight=weight, bias=bias)
    _check("linear", x, w, b)
    y = x.astype(np.float64) @ w.T.astype(np.float64)
    return give("linear", np.asarray(y if b is None else y + b), x.dtype, out)


def linear_backward(grad_output: ArrayLike, input: ArrayLike, weight: ArrayLike) -> tuple[Array, Array, Array]:
    """``grad_output @ weight``, ``grad_output.T @ input`` and the sum of `grad_output`, over all rows."""
    op = "linear_backward"
    dy, x, w = _arrays.floating(op, grad_output=grad_output, input=input, weight=weight)
    check_shape(op, "grad_output", dy, *_check(op, x, w, None))
    matrix = np.atleast_2d(w).astype(np.float64)
    count = int(np.prod(x.shape[:-1]))
    rows, grads = x.reshape(count, x.shape[-1]), dy.reshape(count, matrix.shape[0]).astype(np.float64)
    dx = give(op, (grads @ matrix).reshape(x.shape), x.dtype)
    dw = give(op, (grads.T @ rows).reshape(w.shape), x.dtype)
    return dx, dw, give(op, grads.sum(axis=0).reshape(w.shape[:-1]), x.dtype)
