"""Max, average and adaptive pooling in 1, 2 and 3 dimensions, unpooling, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from cnnfast.functional import _pooling as nd
from cnnfast.functional._naming import named
from cnnfast.functional._pooling import Array, Ints

_MAX_DOC = """Largest element of each window of each plane.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    kernel_size : int or tuple of ints
    stride : int or tuple of ints, optional
        None or () means `kernel_size`.
    padding : int or tuple of ints
        Points of -inf around each plane, at most half of the window.
    dilation : int or tuple of ints
    ceil_mode : bool
        Keep a last window that is partly outside, if it starts inside the input or its low padding.
    return_indices : bool
        Also return where each maximum was: its flat index in the plane, int64.  The first of equals wins; NaN wins.
    out : ndarray, optional

    Returns
    -------
    ndarray, or (ndarray, ndarray of int64) with `return_indices`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, and for arguments out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_poolRANKd
    >>> max_poolRANKd(np.zeros((1, 2, SHAPE)), 2).shape == (1, 2, *(4,) * RANK)
    True
    """

_MAX_BACKWARD_DOC = """Gradient of `max_poolRANKd`: each gradient goes to the place of the maximum, where several meet they add up.

    Parameters
    ----------
    grad_output : array_like, shape of the output
    indices : array_like of ints, as `max_poolRANKd` returns them
    input_size : shape of the input
    kernel_size, stride, padding, dilation, ceil_mode : as in `max_poolRANKd`

    Returns
    -------
    ndarray, shape `input_size`

    Raises
    ------
    TypeError, ValueError
        As `max_poolRANKd`, and for indices outside of the plane.
    """

_AVG_DOC = """Mean of each window of each plane.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    kernel_size : int or tuple of ints
    stride : int or tuple of ints, optional
        None or () means `kernel_size`.
    padding : int or tuple of ints
        Zeros around each plane, at most half of the window.
    ceil_mode : bool
        Keep a last window that is partly outside, if it starts inside the input or its low padding.
    count_include_pad : bool
        Divide by the points of the window including those on padding.
    divisor_override : int, optional
        Divide by this instead.
    out : ndarray, optional

    Returns
    -------
    ndarray, dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, and for arguments out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_poolRANKd
    >>> float(avg_poolRANKd(np.ones((1, 2, SHAPE)), 2).min())
    1.0
    """

_AVG_BACKWARD_DOC = """Gradient of `avg_poolRANKd` with respect to an input of shape `input_size`; arguments as there."""

_ADAPTIVE_DOC = """KIND of windows that divide each plane into `output_size` parts.

    Output point i of an axis covers ``[floor(i * size / out), ceil((i + 1) * size / out))``.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    output_size : int or tuple of ints and None
        None keeps the size of an axis.

    Returns
    -------
    ndarray, dtype of `input` (with `return_indices` also the int64 flat index of each maximum)

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, and for arguments out of range.
    """

_UNPOOL_DOC = """Put each element where its index says, zeros elsewhere: a partial inverse of `max_poolRANKd`.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    indices : array_like of ints, shape of `input`
    kernel_size, stride, padding : as in `max_poolRANKd`
    output_size : shape, optional
        Spatial or full shape, less than a stride away from the default.

    Returns
    -------
    ndarray, dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, arguments out of range, indices outside of the plane.
    """


def _max_pool(rank: int):  # type: ignore[no-untyped-def]
    name = f"max_pool{rank}d"

    def function(
        input: ArrayLike,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
        *,
        out: Array | None = None,
    ) -> Any:
        arguments = kernel_size, stride, padding, dilation, ceil_mode, return_indices, out
        return nd.max_pool(name, rank, input, *arguments)

    return named(function, __name__, name, rank, _MAX_DOC)


def _max_pool_backward(rank: int):  # type: ignore[no-untyped-def]
    name = f"max_pool{rank}d_backward"

    def function(
        grad_output: ArrayLike,
        indices: ArrayLike,
        input_size: Sequence[int],
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
    ) -> Array:
        arguments = kernel_size, stride, padding, dilation, ceil_mode
        return nd.max_pool_backward(name, rank, grad_output, indices, input_size, *arguments)

    return named(function, __name__, name, rank, _MAX_BACKWARD_DOC)


def _avg_pool(rank: int):  # type: ignore[no-untyped-def]
    name = f"avg_pool{rank}d"

    def function(
        input: ArrayLike,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        out: Array | None = None,
    ) -> Array:
        arguments = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, out
        return nd.avg_pool(name, rank, input, *arguments)

    return named(function, __name__, name, rank, _AVG_DOC)


def _avg_pool_backward(rank: int):  # type: ignore[no-untyped-def]
    name = f"avg_pool{rank}d_backward"

    def function(
        grad_output: ArrayLike,
        input_size: Sequence[int],
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Array:
        arguments = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        return nd.avg_pool_backward(name, rank, grad_output, input_size, *arguments)

    return named(function, __name__, name, rank, _AVG_BACKWARD_DOC)


def _adaptive_avg_pool(rank: int):  # type: ignore[no-untyped-def]
    name = f"adaptive_avg_pool{rank}d"

    def function(input: ArrayLike, output_size: Any, *, out: Array | None = None) -> Array:
        return nd.adaptive_avg_pool(name, rank, input, output_size, out)

    return named(function, __name__, name, rank, _ADAPTIVE_DOC.replace("KIND", "Mean"))


def _adaptive_avg_pool_backward(rank: int):  # type: ignore[no-untyped-def]
    name = f"adaptive_avg_pool{rank}d_backward"

    def function(grad_output: ArrayLike, input_size: Sequence[int], output_size: Any) -> Array:
        return nd.adaptive_avg_pool_backward(name, rank, grad_output, input_size, output_size)

    return named(function, __name__, name, rank, f"Gradient of `{name.removesuffix('_backward')}`.")


def _adaptive_max_pool(rank: int):  # type: ignore[no-untyped-def]
    name = f"adaptive_max_pool{rank}d"

    def function(
        input: ArrayLike, output_size: Any, return_indices: bool = False, *, out: Array | None = None
    ) -> Any:
        return nd.adaptive_max_pool(name, rank, input, output_size, return_indices, out)

    return named(function, __name__, name, rank, _ADAPTIVE_DOC.replace("KIND", "Largest element"))


def _adaptive_max_pool_backward(rank: int):  # type: ignore[no-untyped-def]
    name = f"adaptive_max_pool{rank}d_backward"

    def function(
        grad_output: ArrayLike, indices: ArrayLike, input_size: Sequence[int], output_size: Any
    ) -> Array:
        return nd.adaptive_max_pool_backward(name, rank, grad_output, indices, input_size, output_size)

    return named(function, __name__, name, rank, f"Gradient of `{name.removesuffix('_backward')}`.")


def _max_unpool(rank: int):  # type: ignore[no-untyped-def]
    name = f"max_unpool{rank}d"

    def function(
        input: ArrayLike,
        indices: ArrayLike,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        output_size: Sequence[int] | None = None,
    ) -> Array:
        return nd.max_unpool(name, rank, input, indices, kernel_size, stride, padding, output_size)

    return named(function, __name__, name, rank, _UNPOOL_DOC)


def _max_unpool_backward(rank: int):  # type: ignore[no-untyped-def]
    name = f"max_unpool{rank}d_backward"

    def function(
        grad_output: ArrayLike,
        indices: ArrayLike,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        output_size: Sequence[int] | None = None,
    ) -> Array:
        return nd.max_unpool_backward(name, rank, grad_output, indices, kernel_size, stride, padding, output_size)

    return named(function, __name__, name, rank, f"Gradient of `max_unpool{rank}d`; arguments as there.")


_RANKS = (1, 2, 3)
max_pool1d, max_pool2d, max_pool3d = map(_max_pool, _RANKS)
max_pool1d_backward, max_pool2d_backward, max_pool3d_backward = map(_max_pool_backward, _RANKS)
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, _RANKS)
avg_pool1d_backward, avg_pool2d_backward, avg_pool3d_backward = map(_avg_pool_backward, _RANKS)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, _RANKS)
adaptive_avg_pool1d_backward, adaptive_avg_pool2d_backward, adaptive_avg_pool3d_backward = map(
    _adaptive_avg_pool_backward, _RANKS
)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, _RANKS)
adaptive_max_pool1d_backward, adaptive_max_pool2d_backward, adaptive_max_pool3d_backward = map(
    _adaptive_max_pool_backward, _RANKS
)
max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool, _RANKS)
max_unpool1d_backward, max_unpool2d_backward, max_unpool3d_backward = map(_max_unpool_backward, _RANKS)

_FAMILIES = ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "max_unpool")
__all__ = [f"{family}{rank}d{suffix}" for family in _FAMILIES for rank in _RANKS for suffix in ("", "_backward")]  # noqa: PLE0605
