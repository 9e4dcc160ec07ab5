"""Pooling of any rank: each output point reduces its window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast._geometry.pooling import Pool
from cnnfast._geometry.tuples import Ints as Tuple
from cnnfast.reference._common import Array, check_shape, give


def _span(p: Pool, axis: int, o: int) -> tuple[slice, int]:
    """What output point o of an axis sees of the input, and how many points of its window are input or padding."""
    extent = p.input[axis]
    if p.kernel is None:
        low, high = o * extent // p.output[axis], -(-(o + 1) * extent // p.output[axis])
        return slice(low, high), high - low
    k, d, pad = p.kernel[axis], p.dilation[axis], p.pad[axis]
    start = o * p.stride[axis] - pad
    first = start if start >= 0 else start - start // d * d
    stop = min(start + d * (k - 1) + 1, extent)
    return slice(first, max(first, stop), d), min(start + k, extent + p.pad_hi[axis]) - start


def _windows(p: Pool) -> Iterator[tuple[Any, Any, int]]:
    """For each output point: its index, the index of its window, and the size of the window with padding."""
    for point in np.ndindex(*p.output):
        spans, sizes = zip(*(_span(p, axis, o) for axis, o in enumerate(point)), strict=True)
        yield (..., *point), (..., *spans), int(np.prod(sizes))


def _argmax(values: Array) -> Array:
    """Where a scan of the last axis by ``v > best or isnan(v)`` ends: at the first maximum, or the last NaN."""
    nan = np.isnan(values)
    last_nan = values.shape[-1] - 1 - np.argmax(nan[..., ::-1], axis=-1)
    return np.asarray(np.where(nan.any(axis=-1), last_nan, np.argmax(values, axis=-1)))


def maximum(p: Pool, x: Array) -> tuple[Array, Array]:
    """The largest element of each window, and its flat place in the plane."""
    values = np.full(p.output_shape, -np.inf, x.dtype)
    indices = np.full(p.output_shape, -1)
    plane = np.arange(np.prod(p.input)).reshape(p.input)
    for point, window, _ in _windows(p):
        places = plane[window].reshape(-1)
        if places.size:
            inside = x[window].reshape(*p.lead, places.size)
            indices[point] = places[_argmax(inside)]
            values[point] = np.max(inside, axis=-1)
    return values, indices


def planes(op: str, indices: Array, shape: Tuple, rank: int) -> tuple[Array, Array]:
    """Zeros for planes of `shape`, and the flat place in them of each of `indices`."""
    points = int(np.prod(shape[-rank:]))
    if indices.size and not 0 <= indices.min() <= indices.max() < points:
        raise ValueError(f"{op}: indices has values outside of the plane (expected 0 to {points - 1})")
    count = int(np.prod(shape[:-rank]))
    first = np.arange(count).reshape(*shape[:-rank], *(1,) * rank) * points
    return np.zeros(shape), first + indices


def maximum_backward(op: str, p: Pool, grad_output: ArrayLike, indices: ArrayLike) -> Array:
    """``x[indices[o]] += grad_output[o]``, but for indices of -1."""
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    (index,) = _arrays.integers(op, indices=indices)
    check_shape(op, "grad_output", dy, *p.output_shape)
    check_shape(op, "indices", index, *p.output_shape)
    nowhere = index == -1
    dx, places = planes(op, np.where(nowhere, 0, index), p.input_shape, len(p.input))
    np.add.at(dx.reshape(-1), places, np.where(nowhere, 0, dy))
    return give(op, dx, dy.dtype)


def _averaged(p: Pool, count_include_pad: bool, override: int | None) -> Iterator[tuple[Any, Any, int]]:
    """For each output point: its index, the index of its window, and what the sum is divided by."""
    plane = np.empty(p.input)
    for point, window, padded in _windows(p):
        yield point, window, override or (padded if count_include_pad else plane[window].size)


def mean(p: Pool, x: Array, count_include_pad: bool = True, override: int | None = None) -> Array:
    """``y[o] = sum(x[window of o]) / divisor``."""
    y, axes = np.zeros(p.output_shape), tuple(range(-len(p.input), 0))
    for point, window, divisor in _averaged(p, count_include_pad, override):
        y[point] = x[window].sum(axis=axes, dtype=np.float64) / divisor
    return y


def mean_backward(p: Pool, dy: Array, count_include_pad: bool = True, override: int | None = None) -> Array:
    """``x[window of o] += dy[o] / divisor``."""
    dx, ones = np.zeros(p.input_shape), (1,) * len(p.input)
    for point, window, divisor in _averaged(p, count_include_pad, override):
        dx[window] += dy[point].astype(np.float64).reshape(*p.lead, *ones) / divisor
    return dx
