"""Adaptive max and average pooling in 1, 2 and 3 dimensions, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from cnnfast._geometry.convolution import size
from cnnfast.functional import _pooling as ops
from cnnfast.functional._naming import ranks
from cnnfast.functional._pooling import Array, maximum_backward

_FAMILIES = ("adaptive_avg_pool", "adaptive_max_pool")
__all__ = [f"{family}{rank}d{suffix}" for family in _FAMILIES for rank in (1, 2, 3) for suffix in ("", "_backward")]


@ranks
def adaptive_avg_poolNd(
    rank: int,
    input: ArrayLike,
    output_size: Any,
    *,
    out: Array | None = None,
    data_format: str = "channels_first",
) -> Array:
    """Mean of windows that cut each plane into `output_size` parts.

    Output point i of an axis covers ``[floor(i * size / out), ceil((i + 1) * size / out))``: windows differ by at most
    one point, and may share points.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    output_size : int or tuple of ints and None
        None keeps the size of an axis.
    out : ndarray, optional
        Where to put the result; it may be strided and may overlap the input.
    data_format : str
        'channels_last' (or 'NWC', 'NHWC', 'NDHWC'): all arrays are (N, AXES, C).

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
    >>> from cnnfast.functional import adaptive_avg_poolNd
    >>> adaptive_avg_poolNd(np.ones((1, 2, SHAPE)), 3).shape == (1, 2, *(3,) * RANK)
    True
    """
    return ops.ADAPTIVE_AVG_POOL[rank]((input,), (output_size, data_format), out)


@ranks
def adaptive_avg_poolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    input_size: Sequence[int],
    output_size: Any,
    *,
    data_format: str = "channels_first",
) -> Array:
    """Gradient of `adaptive_avg_poolNd` with respect to an input of shape `input_size`; arguments as there."""
    return ops.ADAPTIVE_AVG_POOL_BACKWARD[rank]((grad_output,), (input_size, output_size, data_format))


@ranks
def adaptive_max_poolNd(
    rank: int,
    input: ArrayLike,
    output_size: Any,
    return_indices: bool = False,
    *,
    out: Array | None = None,
    data_format: str = "channels_first",
) -> Any:
    """Largest element of windows that cut each plane into `output_size` parts, as in `adaptive_avg_poolNd`.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    output_size : int or tuple of ints and None
        None keeps the size of an axis.
    return_indices : bool
        Also return where each maximum was, as `max_poolNd` does.
    out : ndarray, optional
    data_format : str
        'channels_last' (or 'NWC', 'NHWC', 'NDHWC'): all arrays are (N, AXES, C).

    Returns
    -------
    ndarray of the dtype of `input`, or (ndarray, ndarray of int64) with `return_indices`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, and for arguments out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import adaptive_max_poolNd
    >>> adaptive_max_poolNd(np.ones((1, 2, SHAPE)), 3).shape == (1, 2, *(3,) * RANK)
    True
    """
    return ops.ADAPTIVE_MAX_POOL[rank]((input,), (output_size, return_indices, data_format), out)


@ranks
def adaptive_max_poolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    indices: ArrayLike,
    input_size: Sequence[int],
    output_size: Any,
    *,
    data_format: str = "channels_first",
) -> Array:
    """Gradient of `adaptive_max_poolNd`, to where the maxima were; arguments as in `max_poolNd_backward`."""
    op = f"adaptive_max_pool{rank}d_backward"
    windows = ops.adaptive(op, rank, size(op, "input_size", input_size), output_size, False, data_format)
    return maximum_backward(op, windows, grad_output, indices)


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = adaptive_avg_poolNd
adaptive_avg_pool1d_backward, adaptive_avg_pool2d_backward, adaptive_avg_pool3d_backward = adaptive_avg_poolNd_backward
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = adaptive_max_poolNd
adaptive_max_pool1d_backward, adaptive_max_pool2d_backward, adaptive_max_pool3d_backward = adaptive_max_poolNd_backward
