"""What the pools share: running windows forward and backward, and moving elements by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry.pooling import Pool
from cnnfast._geometry.tuples import same_shape

Array = NDArray[Any]
Ints = int | Sequence[int]


def maximum(op: str, windows: Pool, x: Array, return_indices: bool, out: Any) -> Any:
    """Maxima, and with `return_indices` where they were found."""
    indices = np.empty(windows.output_shape, np.int64) if return_indices else None
    which = _core.MAX_POOL if indices is None else _core.MAX_POOL_INDEX
    with _arrays.into(op, out, windows.output_shape, x.dtype, x) as y:
        _core.pool(_config.how(), which, windows, x, y, indices)
    result = y if out is None else out
    return result if indices is None else (result, indices)


def maximum_backward(op: str, windows: Pool, grad_output: ArrayLike, indices: ArrayLike) -> Array:
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    (index,) = _arrays.integers(op, indices=indices)
    same_shape(op, "grad_output", dy.shape, windows.output_shape)
    same_shape(op, "indices", index.shape, windows.output_shape)
    return by_index(op, _core.SCATTER_ADD, windows.planes, index, dy, windows.input_shape)


def average(op: str, windows: Pool, x: Array, count_pad: bool, divisor: float, out: Any) -> Array:
    with _arrays.into(op, out, windows.output_shape, x.dtype, x) as y:
        _core.pool(_config.how(), _core.AVERAGE_POOL, windows, x, y, None, count_pad, divisor)
    return y if out is None else out  # type: ignore[no-any-return]


def average_backward(op: str, windows: Pool, grad_output: ArrayLike, count_pad: bool, divisor: float) -> Array:
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    same_shape(op, "grad_output", dy.shape, windows.output_shape)
    dx = np.empty(windows.input_shape, dy.dtype)
    _core.pool(_config.how(), _core.AVERAGE_POOL_BACKWARD, windows, dy, dx, None, count_pad, divisor)
    return dx


def by_index(op: str, kind: int, planes: int, indices: Array, x: Array, shape: tuple[int, ...]) -> Array:
    """Scatter to, or gather from, the places in each plane that `indices` names."""
    result = np.empty(shape, x.dtype)
    if not _core.scatter(_config.how(), kind, planes, indices, x, result):
        raise ValueError(f"{op}: indices has values outside of the plane (expected flat places in each plane)")
    return result
