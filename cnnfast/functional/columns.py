"""Columns of images: `im2col` in any order, PyTorch's `unfold`, and their adjoints `col2im` and `fold`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry import columns as geometry
from cnnfast._geometry.convolution import Conv, Padding, size
from cnnfast._geometry.tuples import ints, same_shape
from cnnfast.functional import _strided_columns

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

Array = NDArray[Any]
Ints = int | Sequence[int]
_UNFOLD_ORDER = (0, 1, 2, 3)


def _extents(p: Conv) -> tuple[int, int, int, int]:
    """Images, channels, points of the kernel, points of the output: the axes N, C, K, O of the columns."""
    return p.n, p.in_channels, math.prod(p.kernel), math.prod(p.output)


def _strides(p: Conv, axes: Sequence[int]) -> tuple[int, ...]:
    """Distance of neighbours along N, C, K, O in packed columns whose axes have the order `axes`."""
    extents, strides, step = _extents(p), [0] * 4, 1
    for axis in reversed(axes):
        strides[axis] = step
        step *= extents[axis]
    return tuple(strides)


def _shape(p: Conv, axes: Sequence[int], words: Sequence[int]) -> tuple[int, ...]:
    """Shape of the columns: `words` says how many of `axes` each axis joins."""
    extents = iter(_extents(p)[axis] for axis in axes)
    return tuple(math.prod(next(extents) for _ in range(word)) for word in words)


def _gather(
    op: str, p: Conv, axes: Sequence[int], shape: tuple[int, ...], x: Array, pad_value: float, out: Any
) -> Array:
    if x.dtype not in _arrays.FLOATS:
        return _arrays.given(op, _strided_columns.gather(p, axes, pad_value, x).reshape(shape), out)
    columns = _arrays.target(op, out, shape, x.dtype, x)
    _core.columns(_config.how(), False, p, _strides(p, axes), pad_value, x, columns)
    return _arrays.deliver(columns, out)


def _scatter(op: str, p: Conv, axes: Sequence[int], shape: tuple[int, ...], columns: Array, out: Any) -> Array:
    if columns.dtype not in _arrays.FLOATS:
        return _arrays.given(op, _strided_columns.scatter(p, axes, columns).reshape(shape), out)
    x = _arrays.target(op, out, shape, columns.dtype, columns)
    _core.columns(_config.how(), True, p, _strides(p, axes), 0.0, x, columns)
    return _arrays.deliver(x, out)


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
    """Copy what each point of the kernel sees at each point of the output, in any order of the axes.

    ``columns[n, c, k, o] = input[n, c, o * stride + k * dilation - padding]``, and a convolution is a matrix product.

    Parameters
    ----------
    input : array_like, shape (N, C, L), (N, C, H, W) or (N, C, D, H, W)
        Booleans or numbers of any dtype; float32 and float64 have kernels.
    kernel_size, stride, dilation : int or tuple of ints, one an axis
    padding : int, tuple of ints, tuple of pairs ((low, high), ...), 'valid' or 'same'
        As in `conv2d`.
    order : str
        The letters N (images), C (channels), K (points of the kernel) and O (points of the output) in the order that
        the columns shall have, from the outermost to the innermost axis.  The letters of a word share one axis:

        =========== =================================== ==========================================
        order       shape                               used by
        =========== =================================== ==========================================
        ``N CK O``  (N, C * K, O)                       `unfold` of PyTorch
        ``N C K O`` (N, C, K, O)                        Chainer, DeZero, PyDyNet
        ``CK ON``   (C * K, O * N)                      CS231n, numpy-ml
        ``CK NO``   (C * K, N * O)                      ONNX, CS231n with strides
        ``NO CK``   (N * O, C * K)                      Deep Learning from Scratch, DeZero's matrix
        ``N O K C`` (N, O, K, C)                        channels-last patches: SmallPebble, JAX
        =========== =================================== ==========================================

        K and O are flat; a reshape, which copies nothing, splits them into one axis a dimension.
    pad_value : float
        What the padding holds, a value of the dtype of `input`.
    out : ndarray, optional
        Where to put the result; it may be strided and may overlap the input.

    Returns
    -------
    ndarray, dtype of `input`

    Raises
    ------
    TypeError
        For an input of no numbers, or arguments that are no ints.
    ValueError
        For an unknown order, a kernel that does not fit, or values out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import im2col
    >>> im2col(np.arange(9.0).reshape(1, 1, 3, 3), 2, order="NO CK")
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    op = "im2col"
    x = _arrays.numeric(op, "input", input)
    axes, words = geometry.order_axes(op, order)
    p = geometry.windows(op, x.shape, kernel_size, stride, padding, dilation)
    value = geometry.pad_value(op, pad_value, x.dtype)
    return _gather(op, p, axes, _shape(p, axes, words), x, value, out)


def _col2im(
    op: str,
    name: str,
    columns: ArrayLike,
    input_size: Sequence[int],
    windows: tuple[Ints, Ints, Padding, Ints],
    order: str,
    out: Array | None,
) -> Array:
    array = _arrays.numeric(op, name, columns)
    axes, words = geometry.order_axes(op, order)
    p = geometry.windows(op, size(op, "input_size", input_size), *windows)
    same_shape(op, name, array.shape, _shape(p, axes, words))
    return _scatter(op, p, axes, p.input_shape, array, out)


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
    """Add up columns where `im2col` took them from: its adjoint.

    ``image[n, c, o * stride + k * dilation - padding] += columns[n, c, k, o]``; what lies on padding is dropped.

    Parameters
    ----------
    columns : array_like
        Booleans or numbers of any dtype, of the shape that `im2col` gives for these arguments.
    input_size : shape of the image, (N, C, ...)
    kernel_size, stride, padding, dilation, order : as in `im2col`
    out : ndarray, optional

    Returns
    -------
    ndarray, shape `input_size`, dtype of `columns`

    Raises
    ------
    TypeError, ValueError
        As `im2col`, and if `columns` has another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import col2im
    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2, order="NO CK")
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    windows = kernel_size, stride, padding, dilation
    return _col2im("col2im", "columns", columns, input_size, windows, order, out)


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
    """Gradient of `im2col` with respect to an input of shape `input_size`, which is `col2im`; arguments as there."""
    windows = kernel_size, stride, padding, dilation
    return _col2im("im2col_backward", "grad_output", grad_output, input_size, windows, order, None)


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
    """Gradient of `col2im` with respect to the columns, which is `im2col`; `grad_output` has the shape `input_size`."""
    op = "col2im_backward"
    dy = _arrays.numeric(op, "grad_output", grad_output)
    axes, words = geometry.order_axes(op, order)
    p = geometry.windows(op, size(op, "input_size", input_size), kernel_size, stride, padding, dilation)
    same_shape(op, "grad_output", dy.shape, p.input_shape)
    return _gather(op, p, axes, _shape(p, axes, words), dy, 0.0, None)


def _unfolded_shape(p: Conv, batched: bool) -> tuple[int, ...]:
    n, channels, kernel, points = _extents(p)
    return (n, channels * kernel, points)[not batched :]


def unfold(
    input: ArrayLike,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Columns of images in PyTorch's order: `im2col` of two spatial axes, with or without a batch.

    Parameters
    ----------
    input : array_like, shape (N, C, H, W) or (C, H, W), float32 or float64
    kernel_size, dilation, padding, stride : int or pair of ints
    out : ndarray, optional

    Returns
    -------
    ndarray, shape (N, C * kernel points, output points) or without N, dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, arguments out of range, or a kernel that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import unfold
    >>> unfold(np.arange(9.0).reshape(1, 3, 3), 2)
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    op = "unfold"
    (x,) = _arrays.floating(op, input=input)
    p = geometry.unfolding(op, x.shape, kernel_size, dilation, padding, stride)
    return _gather(op, p, _UNFOLD_ORDER, _unfolded_shape(p, x.ndim == 4), x, 0.0, out)


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
    """Add up columns in PyTorch's order where `unfold` took them from: its adjoint.

    Parameters
    ----------
    input : array_like, shape (N, C * kernel points, output points) or without N, float32 or float64
    output_size : int or pair of ints
        Height and width of the image.
    kernel_size, dilation, padding, stride : int or pair of ints, as in `unfold`
    out : ndarray, optional

    Returns
    -------
    ndarray, shape (N, C, H, W) or (C, H, W), dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, arguments out of range, or a shape that `unfold` would not give.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import fold
    >>> fold(np.ones((4, 4)), 3, 2)
    array([[[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]]])
    """
    op = "fold"
    (columns,) = _arrays.floating(op, input=input)
    p = geometry.folding(op, columns.shape, output_size, kernel_size, dilation, padding, stride)
    return _scatter(op, p, _UNFOLD_ORDER, p.input_shape[columns.ndim == 2 :], columns, out)


def unfold_backward(
    grad_output: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Array:
    """Gradient of `unfold` with respect to an input of shape `input_size`; arguments as there."""
    op = "unfold_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    shape = size(op, "input_size", input_size)
    p = geometry.unfolding(op, shape, kernel_size, dilation, padding, stride)
    same_shape(op, "grad_output", dy.shape, _unfolded_shape(p, len(shape) == 4))
    return _scatter(op, p, _UNFOLD_ORDER, shape, dy, None)


def fold_backward(
    grad_output: ArrayLike,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Array:
    """Gradient of `fold` with respect to the columns; arguments as there."""
    op = "fold_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    image = ints(op, "output_size", output_size, 2, 1)
    same_shape(op, "grad_output", dy.shape, (*dy.shape[:-2], *image))
    p = geometry.unfolding(op, dy.shape, kernel_size, dilation, padding, stride)
    return _gather(op, p, _UNFOLD_ORDER, _unfolded_shape(p, dy.ndim == 4), dy, 0.0, None)
