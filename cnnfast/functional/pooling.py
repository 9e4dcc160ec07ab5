"""Max, average and Lp pooling in 1, 2 and 3 dimensions, unpooling, and their gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays, _config, _core
from cnnfast._geometry import pooling as geometry
from cnnfast._geometry.convolution import size
from cnnfast._geometry.pooling import Pool
from cnnfast._geometry.tuples import number, same_shape
from cnnfast.functional import _pooling as ops
from cnnfast.functional._naming import ranks
from cnnfast.functional._op import settings
from cnnfast.functional._pooling import Array, Ints, by_index, maximum_backward

_FAMILIES = ("max_pool", "avg_pool", "lp_pool", "max_unpool")
__all__ = [f"{family}{rank}d{suffix}" for family in _FAMILIES for rank in (1, 2, 3) for suffix in ("", "_backward")]


@ranks
def max_poolNd(
    rank: int,
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    out: Array | None = None,
    data_format: str = "channels_first",
) -> Any:
    """Largest element of each window of each plane: ``out[o] = max_t input[o * stride + t * dilation - padding]``.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    kernel_size : int or tuple of ints
    stride : int or tuple of ints, optional
        None or () means `kernel_size`.
    padding : int, tuple of ints or tuple of pairs ((low, high), ...)
        Points of -inf around each plane, at most half of `kernel_size`.
    dilation : int or tuple of ints
    ceil_mode : bool
        Keep a last window that is partly outside, if it starts inside the input or its low padding.
    return_indices : bool
        Also return where each maximum was: its flat place in the plane.  Of equal elements that is the first in scan
        order; NaN is larger than anything, and of several NaN it is the last.  A window of nothing but padding has
        the index -1.
    out : ndarray, optional
        Where to put the maxima; it may be strided and may overlap the input.
    data_format : str
        'channels_last' (or 'NWC', 'NHWC', 'NDHWC'): all arrays are (N, AXES, C); indices still count the points of a
        plane.

    Returns
    -------
    ndarray of the dtype of `input`, or (ndarray, ndarray of int64) with `return_indices`
        On each axis (size + padding - dilation * (kernel_size - 1) - 1) / stride + 1 points, rounded down, or up with
        `ceil_mode`.

    Raises
    ------
    TypeError
        For a dtype other than float32 and float64, or arguments that are no ints or bools.
    ValueError
        For a shape that has no window, or values out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_poolNd
    >>> max_poolNd(np.zeros((1, 2, SHAPE)), 2).shape == (1, 2, *(4,) * RANK)
    True
    """
    arguments = kernel_size, stride, padding, dilation, ceil_mode, return_indices, data_format
    return ops.MAX_POOL[rank]((input,), arguments, out)


@ranks
def max_poolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    indices: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    data_format: str = "channels_first",
) -> Array:
    """Gradient of `max_poolNd`: each gradient goes to where the maximum was; where several meet they add up.

    What has the index -1 goes nowhere.

    Parameters
    ----------
    grad_output : array_like, shape of the output
    indices : array_like of ints, as `max_poolNd` returns them
    input_size : shape of the input
    kernel_size, stride, padding, dilation, ceil_mode, data_format : as in `max_poolNd`

    Returns
    -------
    ndarray, shape `input_size`

    Raises
    ------
    TypeError, ValueError
        As `max_poolNd`, and for indices outside of the plane.
    """
    op = f"max_pool{rank}d_backward"
    shape = size(op, "input_size", input_size)
    arguments = kernel_size, stride, padding, dilation, ceil_mode
    windows = geometry.in_layout(geometry.pool, op, rank, shape, *arguments, data_format=data_format)
    return maximum_backward(op, windows, grad_output, indices)


@ranks
def avg_poolNd(
    rank: int,
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Array | None = None,
    data_format: str = "channels_first",
) -> Array:
    """Mean of each window of each plane: ``out[o] = sum_t input[o * stride + t - padding] / divisor``.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    kernel_size : int or tuple of ints
    stride : int or tuple of ints, optional
        None or () means `kernel_size`.
    padding : int, tuple of ints or tuple of pairs ((low, high), ...)
        Zeros around each plane, at most half of `kernel_size`.
    ceil_mode : bool
        Keep a last window that is partly outside, if it starts inside the input or its low padding.
    count_include_pad : bool
        Divide by the points of the window including those on padding, else by those of the input only.
    divisor_override : int, optional
        Divide by this instead.
    out : ndarray, optional
        Where to put the result; it may be strided and may overlap the input.
    data_format : str
        'channels_last' (or 'NWC', 'NHWC', 'NDHWC'): all arrays are (N, AXES, C).

    Returns
    -------
    ndarray, dtype of `input`
        Of the shape that `max_poolNd` has.

    Raises
    ------
    TypeError, ValueError
        As `max_poolNd`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_poolNd
    >>> float(avg_poolNd(np.ones((1, 2, SHAPE)), 2).min())
    1.0
    """
    arguments = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, data_format
    return ops.AVG_POOL[rank]((input,), arguments, out)


@ranks
def avg_poolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    data_format: str = "channels_first",
) -> Array:
    """Gradient of `avg_poolNd` with respect to an input of shape `input_size`; arguments as there."""
    windows = kernel_size, stride, padding, ceil_mode
    arguments = input_size, *windows, count_include_pad, divisor_override, data_format
    return ops.AVG_POOL_BACKWARD[rank]((grad_output,), arguments)


def _lp_windows(
    op: str, rank: int, x: Array, norm_type: Any, kernel_size: Any, stride: Any, ceil_mode: Any, data_format: Any
) -> tuple[Pool, float, int]:
    """(Windows, exponent, points of a whole window)."""
    exponent = number(op, "norm_type", norm_type)
    if exponent == 0:
        raise ValueError(f"{op}: norm_type is 0 (expected another number)")
    make = geometry.pool if math.isinf(exponent) else geometry.average
    more = (0, 1) if math.isinf(exponent) else (0,)
    windows = geometry.in_layout(
        make, op, rank, x.shape, kernel_size, stride, *more, ceil_mode, data_format=data_format
    )
    return windows, exponent, math.prod(windows.kernel or ())


def _mean_of_powers(windows: Pool, x: Array, exponent: float) -> Array:
    powers = np.empty_like(x)
    _core.power(_config.how(), 1.0, exponent, x, powers)
    return _core.PoolPlan(_core.AVERAGE_POOL, windows, *settings(x))(powers)


@ranks
def lp_poolNd(
    rank: int,
    input: ArrayLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    out: Array | None = None,
    data_format: str = "channels_first",
) -> Array:
    """Norm of each window of each plane: ``out[o] = (points * mean_t input[o * stride + t] ** p) ** (1 / p)``.

    p is `norm_type`.  As in PyTorch powers keep their sign, so that the root of a negative sum is NaN, and a last
    window that `ceil_mode` cuts counts as a whole one with the same mean.  For p = inf the result is the largest
    magnitude, for -inf the smallest.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    norm_type : float, not 0
    kernel_size, stride, ceil_mode : as in `avg_poolNd`
    out : ndarray, optional
    data_format : str
        'channels_last' (or 'NWC', 'NHWC', 'NDHWC'): all arrays are (N, AXES, C).

    Returns
    -------
    ndarray, dtype of `input`

    Raises
    ------
    TypeError, ValueError
        As `avg_poolNd`, and for a `norm_type` of 0.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_poolNd
    >>> float(lp_poolNd(np.full((1, 2, SHAPE), 3.0), 1, 2).max()) == 3 * 2**RANK
    True
    """
    op = f"lp_pool{rank}d"
    (x,) = _arrays.floating(op, input=input)
    windows, exponent, points = _lp_windows(op, rank, x, norm_type, kernel_size, stride, ceil_mode, data_format)
    y = _arrays.target(op, out, windows.output_shape, x.dtype, x)
    if math.isinf(exponent):
        sign = math.copysign(1, exponent)
        np.multiply(_core.PoolPlan(_core.MAX_POOL, windows, *settings(x))(sign * np.abs(x)), sign, out=y)
    else:
        mean = _mean_of_powers(windows, x, exponent)
        _core.power(_config.how(), float(points), 1 / exponent, mean, y)
    return _arrays.deliver(y, out)


@ranks
def lp_poolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    input: ArrayLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    data_format: str = "channels_first",
) -> Array:
    """Gradient of `lp_poolNd`, 0 for windows whose sum of powers is 0; arguments as there."""
    op = f"lp_pool{rank}d_backward"
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    windows, exponent, points = _lp_windows(op, rank, x, norm_type, kernel_size, stride, ceil_mode, data_format)
    same_shape(op, "grad_output", dy.shape, windows.output_shape)
    if math.isinf(exponent):
        magnitudes = math.copysign(1, exponent) * np.abs(x)
        _, indices = _core.PoolPlan(_core.MAX_POOL_INDEX, windows, *settings(x))(magnitudes)
        dx = maximum_backward(op, windows, dy, indices)
        dx *= np.sign(x)
        return dx
    grad = _mean_of_powers(windows, x, exponent)
    _core.power_backward(_config.how(), float(points), 1 / exponent, True, grad, dy, grad)
    dx = _core.PoolPlan(_core.AVERAGE_POOL_BACKWARD, windows, *settings(x))(grad)
    _core.power_backward(_config.how(), 1.0, exponent, False, x, dx, dx)
    return dx


@ranks
def max_unpoolNd(
    rank: int,
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Put each element where its index says, zeros elsewhere: a partial inverse of `max_poolNd`.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    indices : array_like of ints, shape of `input`
        Flat places in the planes of the output; of several elements with one place the last stays.
    kernel_size, stride, padding : as in `max_poolNd`
    output_size : shape, optional
        Spatial shape, or that of a batch, on each axis less than a stride away from the default
        (size - 1) * stride - 2 * padding + kernel_size.

    Returns
    -------
    ndarray, dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, arguments out of range, indices outside of the plane.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_poolNd, max_unpoolNd
    >>> x = np.zeros((1, 2, SHAPE))
    >>> max_unpoolNd(*max_poolNd(x, 2, return_indices=True), 2).shape == x.shape
    True
    """
    op = f"max_unpool{rank}d"
    (x,) = _arrays.floating(op, input=input)
    (index,) = _arrays.integers(op, indices=indices)
    same_shape(op, "indices", index.shape, x.shape)
    planes, shape = geometry.unpool(op, rank, x.shape, kernel_size, stride, padding, output_size)
    return by_index(op, _core.SCATTER_SET, planes, index, x, shape)


@ranks
def max_unpoolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Gradient of `max_unpoolNd`, ``grad_output[indices]`` in each plane; arguments as there."""
    op = f"max_unpool{rank}d_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    (index,) = _arrays.integers(op, indices=indices)
    planes, shape = geometry.unpool(op, rank, index.shape, kernel_size, stride, padding, output_size)
    same_shape(op, "grad_output", dy.shape, shape)
    return by_index(op, _core.GATHER, planes, index, dy, index.shape)


max_pool1d, max_pool2d, max_pool3d = max_poolNd
max_pool1d_backward, max_pool2d_backward, max_pool3d_backward = max_poolNd_backward
avg_pool1d, avg_pool2d, avg_pool3d = avg_poolNd
avg_pool1d_backward, avg_pool2d_backward, avg_pool3d_backward = avg_poolNd_backward
lp_pool1d, lp_pool2d, lp_pool3d = lp_poolNd
lp_pool1d_backward, lp_pool2d_backward, lp_pool3d_backward = lp_poolNd_backward
max_unpool1d, max_unpool2d, max_unpool3d = max_unpoolNd
max_unpool1d_backward, max_unpool2d_backward, max_unpool3d_backward = max_unpoolNd_backward
