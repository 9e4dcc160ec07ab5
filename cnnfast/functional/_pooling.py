"""The ops behind the pools: how each plans its passes from shapes and arguments, and moving elements by index."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry import pooling as geometry
from cnnfast._geometry.convolution import size
from cnnfast._geometry.pooling import Pool
from cnnfast._geometry.tuples import cached, flag, integer, same_shape
from cnnfast.functional._op import Op, Settings, settings

Array = NDArray[Any]
Ints = int | Sequence[int]
Shape = tuple[int, ...]


def maximum(windows: Pool, how: Settings, return_indices: Any) -> _core.Plan:
    """Maxima, and with `return_indices` where they were found."""
    which = _core.MAX_POOL_INDEX if return_indices else _core.MAX_POOL
    return _core.PoolPlan(which, windows, *how)


def _has_places(windows: Pool) -> bool:
    """Whether a byte tells where in its window a maximum was; else an index does.

    Sums over windows a point apart go by indices, which were faster there (13x13 over 256 planes of 20x20, Zen 3), but
    where windows are as many as points, and few points each.
    """
    if windows.kernel is None:
        return False
    gathered = windows.input == windows.output and math.prod(windows.kernel) <= _core.GATHERED_MAX
    return math.prod(windows.kernel) <= _core.PLACES_MAX and (gathered or math.prod(windows.stride) > 1)


def average_backward(op: str, windows: Pool, how: Settings, dy: Shape, count_pad: bool, divisor: float) -> _core.Plan:
    same_shape(op, "grad_output", dy, windows.output_shape)
    return _core.PoolPlan(_core.AVERAGE_POOL_BACKWARD, windows, *how, count_pad, divisor)


def maximum_backward(op: str, windows: Pool, grad_output: ArrayLike, indices: ArrayLike) -> Array:
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    (index,) = _arrays.integers(op, indices=indices)
    same_shape(op, "grad_output", dy.shape, windows.output_shape)
    same_shape(op, "indices", index.shape, windows.output_shape)
    return by_index(op, _core.SCATTER_ADD, windows.planes, index, dy, windows.input_shape, windows.lanes)


_place_backward = cached(partial(_core.PlacePlan, True))


def placed_backward(op: str, windows: Pool, grad_output: ArrayLike, places: Array) -> Array:
    """Gradient of what `MAX_POOL_PLACES` made with these windows."""
    if not _has_places(windows):
        return maximum_backward(op, windows, grad_output, places)
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    same_shape(op, "grad_output", dy.shape, windows.output_shape)
    return _place_backward(windows, *settings(dy))(dy, places)


def by_index(op: str, kind: int, planes: int, indices: Array, x: Array, shape: Shape, lanes: int = 1) -> Array:
    """Scatter to, or gather from, the places in each plane, or each of its lanes, that `indices` names."""
    result = _core.empty(shape, x.dtype)
    if not _core.scatter(_config.how(), kind, planes, lanes, indices, x, result):
        raise ValueError(f"{op}: indices has values outside of the plane (expected flat places in each plane)")
    return result


def _divisor(op: str, value: Any) -> float:
    """0 stands for none."""
    if value is None:
        return 0.0
    divisor = integer(op, "divisor_override", value)
    if divisor == 0:
        raise ValueError(f"{op}: divisor_override is 0 (expected another number)")
    return float(divisor)


def _max_pool(op: str, rank: int, how: Settings, x: Shape, *arguments: Any) -> _core.Plan:
    *windows, return_indices, data_format = arguments
    layout = geometry.in_layout(geometry.pool, op, rank, x, *windows, data_format=data_format)
    return maximum(layout, how, return_indices)


def _max_pool_places(op: str, rank: int, how: Settings, x: Shape, *arguments: Any) -> _core.Plan:
    """Maxima and what `placed_backward` needs to find them."""
    windows = geometry.pool(op, rank, x, *arguments)
    return _core.PlacePlan(False, windows, *how) if _has_places(windows) else maximum(windows, how, True)


def _avg_windows(op: str, rank: int, x: Shape, *arguments: Any) -> tuple[Pool, bool, float]:
    *windows, count_include_pad, divisor_override, data_format = arguments
    divisor, count_pad = _divisor(op, divisor_override), flag(op, "count_include_pad", count_include_pad)
    layout = geometry.in_layout(geometry.average, op, rank, x, *windows, data_format=data_format)
    return layout, count_pad, divisor


def _avg_pool(op: str, rank: int, how: Settings, x: Shape, *arguments: Any) -> _core.Plan:
    windows, count_pad, divisor = _avg_windows(op, rank, x, *arguments)
    return _core.PoolPlan(_core.AVERAGE_POOL, windows, *how, count_pad, divisor)


def _avg_pool_backward(op: str, rank: int, how: Settings, dy: Shape, input_size: Any, *arguments: Any) -> _core.Plan:
    windows, count_pad, divisor = _avg_windows(op, rank, size(op, "input_size", input_size), *arguments)
    return average_backward(op, windows, how, dy, count_pad, divisor)


def adaptive(op: str, rank: int, x: Shape, output_size: Any, average: bool, data_format: Any) -> Pool:
    return geometry.in_layout(geometry.adaptive, op, rank, x, output_size, average, data_format=data_format)


def _adaptive_max_pool(
    op: str, rank: int, how: Settings, x: Shape, output_size: Any, return_indices: Any, data_format: Any
) -> _core.Plan:
    return maximum(adaptive(op, rank, x, output_size, False, data_format), how, return_indices)


def _adaptive_avg_pool(op: str, rank: int, how: Settings, x: Shape, output_size: Any, data_format: Any) -> _core.Plan:
    return _core.PoolPlan(_core.AVERAGE_POOL, adaptive(op, rank, x, output_size, True, data_format), *how, False)


def _adaptive_avg_pool_backward(
    op: str, rank: int, how: Settings, dy: Shape, input_size: Any, output_size: Any, data_format: Any
) -> _core.Plan:
    windows = adaptive(op, rank, size(op, "input_size", input_size), output_size, True, data_format)
    return average_backward(op, windows, how, dy, False, 0.0)


def _ops(name: str, plan: Callable[..., _core.Plan], array: str = "input") -> dict[int, Op]:
    """The op of each rank; N in the name stands for the rank."""
    names = {rank: name.replace("N", str(rank)) for rank in (1, 2, 3)}
    return {rank: Op(name, partial(plan, name, rank), array) for rank, name in names.items()}


MAX_POOL = _ops("max_poolNd", _max_pool)
MAX_POOL_PLACES = _ops("max_poolNd", _max_pool_places)
AVG_POOL = _ops("avg_poolNd", _avg_pool)
AVG_POOL_BACKWARD = _ops("avg_poolNd_backward", _avg_pool_backward, "grad_output")
ADAPTIVE_MAX_POOL = _ops("adaptive_max_poolNd", _adaptive_max_pool)
ADAPTIVE_AVG_POOL = _ops("adaptive_avg_poolNd", _adaptive_avg_pool)
ADAPTIVE_AVG_POOL_BACKWARD = _ops("adaptive_avg_poolNd_backward", _adaptive_avg_pool_backward, "grad_output")
