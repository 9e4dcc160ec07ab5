"""Columns of images: im2col in any order, unfold, and their adjoints col2im and fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast._geometry import columns as geometry
from cnnfast._geometry.convolution import Conv, Padding, size
from cnnfast._geometry.tuples import ints
from cnnfast.reference._common import Array, Ints, check_shape, give
from cnnfast.reference._windows import interior, pad, padded_zeros, taps

__all__ = [
    "col2im",
    "col2im_backward",
    "fold",
    "fold_backward",
    "im2col",
    "im2col_backward",
    "unfold",
    "unfold_backward",
]


def _wide(x: Array) -> np.dtype[Any]:
    """float64 for floats, else the dtype of the array: integers wrap, booleans are joined by or."""
    return np.result_type(x, np.float64) if x.dtype.kind == "f" else x.dtype


def _gather(p: Conv, x: Array, pad_value: float = 0) -> Array:
    """columns[n, c, t, o] = x[n, c, o * stride + t * dilation - padding]."""
    padded = pad(p, x, pad_value, _wide(x))
    return np.stack([padded[points] for _, points in taps(p)], axis=2).reshape(_column_shape(p))


def _scatter(p: Conv, columns: Array) -> Array:
    """x[n, c, o * stride + t * dilation - padding] += columns[n, c, t, o] over all t, o."""
    padded = padded_zeros(p, _wide(columns))
    columns = columns.reshape(_column_shape(p))
    for t, (_, points) in enumerate(taps(p)):
        padded[points] += columns[:, :, t].reshape(p.n, p.in_channels, *p.output)
    return interior(p, padded)


def _column_shape(p: Conv) -> tuple[int, int, int, int]:
    return p.n, p.in_channels, int(np.prod(p.kernel)), int(np.prod(p.output))


def _ordered_shape(p: Conv, axes: Sequence[int], words: Sequence[int]) -> list[int]:
    extents = iter(_column_shape(p)[axis] for axis in axes)
    return [int(np.prod([next(extents) for _ in range(word)])) for word in words]


def _give(op: str, value: Array, dtype: np.dtype[Any], out: Array | None) -> Array:
    return _arrays.given(op, value.astype(dtype), out)


def im2col(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    *,
    order: str = "N CK O",
    pad_value: float = 0,
    out: Array | None = None,
) -> Array:
    """``columns[n, c, t, o] = input[n, c, o * stride + t * dilation - padding]``, its axes joined to words by `order`.

    The letters are N images, C channels, K points of the kernel, O points of the output; 'N CK O' is that of `unfold`.
    """
    x = _arrays.numeric("im2col", "input", input)
    axes, words = geometry.order_axes("im2col", order)
    p = geometry.windows("im2col", x.shape, kernel_size, stride, padding, dilation)
    value = geometry.pad_value("im2col", pad_value, x.dtype)
    columns = _gather(p, x, value).transpose(axes).reshape(_ordered_shape(p, axes, words))
    return _give("im2col", columns, x.dtype, out)


def col2im(
    columns: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    *,
    order: str = "N CK O",
    out: Array | None = None,
) -> Array:
    """Adjoint of `im2col`: ``image[n, c, o * stride + t * dilation - padding] += columns[n, c, t, o]``."""
    y = _arrays.numeric("col2im", "columns", columns)
    axes, words = geometry.order_axes("col2im", order)
    p = geometry.windows("col2im", size("col2im", "input_size", input_size), kernel_size, stride, padding, dilation)
    check_shape("col2im", "columns", y, *_ordered_shape(p, axes, words))
    ordered = y.reshape([_column_shape(p)[axis] for axis in axes])
    return _give("col2im", _scatter(p, ordered.transpose(np.argsort(axes))), y.dtype, out)


def im2col_backward(
    grad_output: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    *,
    order: str = "N CK O",
) -> Array:
    """Gradient of `im2col`: `col2im`."""
    return col2im(grad_output, input_size, kernel_size, stride, padding, dilation, order=order)


def col2im_backward(
    grad_output: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    *,
    order: str = "N CK O",
) -> Array:
    """Gradient of `col2im`: `im2col`."""
    dy = _arrays.numeric("col2im_backward", "grad_output", grad_output)
    check_shape("col2im_backward", "grad_output", dy, *size("col2im_backward", "input_size", input_size))
    return im2col(dy, kernel_size, stride, padding, dilation, order=order)


def unfold(
    input: ArrayLike,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
    *,
    out: Array | None = None,
) -> Array:
    """``out[n, (c, t), o] = input[n, c, o * stride + t * dilation - padding]``."""
    (x,) = _arrays.floating("unfold", input=input)
    p = geometry.unfolding("unfold", x.shape, kernel_size, dilation, padding, stride)
    n, channels, kernel, points = _column_shape(p)
    shape = (n, channels * kernel, points)[x.ndim == 3 :]
    return give("unfold", _gather(p, x.reshape(p.input_shape)).reshape(shape), x.dtype, out)


def fold(
    input: ArrayLike,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Adjoint of `unfold`: ``out[n, c, o * stride + t * dilation - padding] += input[n, (c, t), o]``."""
    (y,) = _arrays.floating("fold", input=input)
    p = geometry.folding("fold", y.shape, output_size, kernel_size, dilation, padding, stride)
    return give("fold", _scatter(p, y).reshape(p.input_shape[y.ndim == 2 :]), y.dtype, out)


def unfold_backward(
    grad_output: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Array:
    """Gradient of `unfold`: `fold`."""
    op = "unfold_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    shape = size(op, "input_size", input_size)
    p = geometry.unfolding(op, shape, kernel_size, dilation, padding, stride)
    n, channels, kernel, points = _column_shape(p)
    check_shape(op, "grad_output", dy, *(n, channels * kernel, points)[len(shape) == 3 :])
    return give(op, _scatter(p, dy).reshape(shape), dy.dtype)


def fold_backward(
    grad_output: ArrayLike,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Array:
    """Gradient of `fold`: `unfold`."""
    op = "fold_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    check_shape(op, "grad_output", dy, *dy.shape[:-2], *ints(op, "output_size", output_size, 2, 1))
    p = geometry.unfolding(op, dy.shape, kernel_size, dilation, padding, stride)
    n, channels, kernel, points = _column_shape(p)
    shape = (n, channels * kernel, points)[dy.ndim == 3 :]
    return give(op, _gather(p, dy.reshape(p.input_shape)).reshape(shape), dy.dtype)
