"""Columns of images of any dtype, by the strides of NumPy: what the kernels do for float32 and float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfast._geometry.convolution import Conv

Array = NDArray[Any]


def _padded(p: Conv, dtype: np.dtype[Any], value: Any) -> tuple[Array, Array]:
    """Images of `value` with their padding, and the part of them without, a view."""
    edges = tuple(zip(p.pad_lo, p.input, p.pad_hi, strict=True))
    padded = np.full((p.n, p.in_channels, *map(sum, edges)), value, dtype)
    inside: Any = (..., *(slice(low, low + extent) for low, extent, _ in edges))
    return padded, padded[inside]


def _windows(p: Conv, padded: Array) -> Array:
    """What each point of the kernel sees, a view of shape (N, C, *kernel, *output)."""
    images, points = padded.strides[:2], padded.strides[2:]
    strides = *np.multiply(p.dilation, points), *np.multiply(p.stride, points)
    shape = *padded.shape[:2], *p.kernel, *p.output
    return np.lib.stride_tricks.as_strided(padded, shape, images + strides)


def _order(p: Conv, axes: Sequence[int]) -> list[int]:
    """`axes` of (N, C, K, O) as axes of (N, C, *kernel, *output)."""
    rank = len(p.kernel)
    places = (0,), (1,), range(2, 2 + rank), range(2 + rank, 2 + 2 * rank)
    return [place for axis in axes for place in places[axis]]


def gather(p: Conv, axes: Sequence[int], pad_value: Any, x: Array) -> Array:
    """``columns[n, c, k, o] = x[n, c, o * stride + k * dilation - padding]``, with its axes in the order `axes`."""
    padded, inside = _padded(p, x.dtype, pad_value)
    inside[...] = x
    return _windows(p, padded).transpose(_order(p, axes)).copy()


def scatter(p: Conv, axes: Sequence[int], columns: Array) -> Array:
    """The adjoint of `gather`; what is narrower than float32 is summed up in float32, and integers wrap."""
    wide = np.float32 if columns.dtype.kind == "f" else columns.dtype
    padded, inside = _padded(p, np.result_type(columns, wide), 0)
    windows, order = _windows(p, padded), _order(p, axes)
    ordered = columns.reshape([windows.shape[axis] for axis in order]).transpose(np.argsort(order))
    for tap in np.ndindex(*p.kernel):
        windows[(slice(None), slice(None), *tap)] += ordered[(slice(None), slice(None), *tap)]
    return inside.astype(columns.dtype)
