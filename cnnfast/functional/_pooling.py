"""Pooling of any rank and its gradients; pooling.py gives them their public names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry import pooling as geometry
from cnnfast._geometry.convolution import size
from cnnfast._geometry.pooling import Pool
from cnnfast._geometry.tuples import flag, same_shape

Array = NDArray[Any]
Ints = int | Sequence[int]


def _max(op: str, windows: Pool, x: Array, return_indices: bool, out: Any) -> Any:
    need = return_indices or windows.kernel is None
    indices = np.empty(windows.output_shape, np.int64) if need else None
    with _arrays.into(op, out, windows.output_shape, x.dtype, x) as y:
        _core.max_pool(_config.how(), windows, x, y, indices)
    y = y if out is None else out
    return (y, indices) if return_indices else y


def max_pool(
    op: str,
    rank: int,
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
    return_indices: bool,
    out: Array | None,
) -> Any:
    (x,) = _arrays.floating(op, input=input)
    arguments = kernel_size, stride, padding, dilation, ceil_mode
    return _max(op, geometry.pool(op, rank, x.shape, *arguments), x, return_indices, out)


def adaptive_max_pool(
    op: str, rank: int, input: ArrayLike, output_size: Any, return_indices: bool, out: Array | None
) -> Any:
    (x,) = _arrays.floating(op, input=input)
    return _max(op, geometry.adaptive(op, rank, x.shape, output_size, False), x, return_indices, out)


def _scatter(op: str, kind: int, planes: int, indices: Array, x: Array, result: Array) -> Array:
    if not _core.scatter(_config.how(), kind, planes, indices, x, result):
        raise ValueError(f"{op}: indices has values outside of the plane")
    return result


def _max_backward(op: str, windows: Pool, grad_output: ArrayLike, indices: ArrayLike) -> Array:
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    (index,) = _arrays.integers(op, indices=indices)
    same_shape(op, "grad_output", dy.shape, windows.output_shape)
    same_shape(op, "indices", index.shape, windows.output_shape)
    dx = np.empty(windows.input_shape, dy.dtype)
    return _scatter(op, _core.SCATTER_ADD, windows.planes, index, dy, dx)


def max_pool_backward(
    op: str,
    rank: int,
    grad_output: ArrayLike,
    indices: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
) -> Array:
    shape = size(op, "input_size", input_size)
    arguments = kernel_size, stride, padding, dilation, ceil_mode
    windows = geometry.pool(op, rank, shape, *arguments)
    return _max_backward(op, windows, grad_output, indices)


def adaptive_max_pool_backward(
    op: str, rank: int, grad_output: ArrayLike, indices: ArrayLike, input_size: Sequence[int], output_size: Any
) -> Array:
    shape = size(op, "input_size", input_size)
    windows = geometry.adaptive(op, rank, shape, output_size, False)
    return _max_backward(op, windows, grad_output, indices)


def _divisor(op: str, value: Any) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{op}: divisor_override is {value!r} (expected an int or None)")
    if value == 0:
        raise ValueError(f"{op}: divisor_override is 0 (expected another number)")
    return float(value)


def _average(op: str, windows: Pool, x: Array, count_pad: bool, divisor: float, out: Any) -> Array:
    with _arrays.into(op, out, windows.output_shape, x.dtype, x) as y:
        _core.average_pool(_config.how(), windows, False, x, y, count_pad, divisor)
    return y if out is None else out  # type: ignore[no-any-return]


def _average_backward(op: str, windows: Pool, grad_output: ArrayLike, count_pad: bool, divisor: float) -> Array:
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    same_shape(op, "grad_output", dy.shape, windows.output_shape)
    dx = np.empty(windows.input_shape, dy.dtype)
    _core.average_pool(_config.how(), windows, True, dy, dx, count_pad, divisor)
    return dx


def avg_pool(
    op: str,
    rank: int,
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    out: Array | None,
) -> Array:
    (x,) = _arrays.floating(op, input=input)
    divisor = _divisor(op, divisor_override)
    arguments = kernel_size, stride, padding, 1, ceil_mode
    windows = geometry.pool(op, rank, x.shape, *arguments)
    return _average(op, windows, x, flag(op, "count_include_pad", count_include_pad), divisor, out)


def avg_pool_backward(
    op: str,
    rank: int,
    grad_output: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    divisor, shape = _divisor(op, divisor_override), size(op, "input_size", input_size)
    arguments = kernel_size, stride, padding, 1, ceil_mode
    windows = geometry.pool(op, rank, shape, *arguments)
    return _average_backward(op, windows, grad_output, flag(op, "count_include_pad", count_include_pad), divisor)


def adaptive_avg_pool(op: str, rank: int, input: ArrayLike, output_size: Any, out: Array | None) -> Array:
    (x,) = _arrays.floating(op, input=input)
    return _average(op, geometry.adaptive(op, rank, x.shape, output_size, True), x, False, 0.0, out)


def adaptive_avg_pool_backward(
    op: str, rank: int, grad_output: ArrayLike, input_size: Sequence[int], output_size: Any
) -> Array:
    windows = geometry.adaptive(op, rank, size(op, "input_size", input_size), output_size, True)
    return _average_backward(op, windows, grad_output, False, 0.0)


def max_unpool(
    op: str,
    rank: int,
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    output_size: Any,
) -> Array:
    (x,) = _arrays.floating(op, input=input)
    (index,) = _arrays.integers(op, indices=indices)
    same_shape(op, "indices", index.shape, x.shape)
    arguments = kernel_size, stride, padding, output_size
    planes, shape = geometry.unpool(op, rank, x.shape, *arguments)
    return _scatter(op, _core.SCATTER_SET, planes, index, x, np.empty(shape, x.dtype))


def max_unpool_backward(
    op: str,
    rank: int,
    grad_output: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    output_size: Any,
) -> Array:
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    (index,) = _arrays.integers(op, indices=indices)
    arguments = kernel_size, stride, padding, output_size
    planes, shape = geometry.unpool(op, rank, index.shape, *arguments)
    same_shape(op, "grad_output", dy.shape, shape)
    return _scatter(op, _core.GATHER, planes, index, dy, np.empty(index.shape, dy.dtype))
