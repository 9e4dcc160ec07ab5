"""Max, average and Lp pooling, global pooling and unpooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast.backends._backend import NotCovered
from cnnfast.backends.onnx._node import Array, Node, Run, of_rank
from cnnfast.backends.onnx._windows import Windows
from cnnfast.functional import adaptive_pooling, conv, pooling

_MAX = pooling.max_pool1d, pooling.max_pool2d, pooling.max_pool3d
_AVERAGE = pooling.avg_pool1d, pooling.avg_pool2d, pooling.avg_pool3d
_CONV = conv.conv1d, conv.conv2d, conv.conv3d


def max_pool(node: Node) -> Run:
    """X; values, and flat indices in the whole tensor."""

    def run(x: Array, out: Array | None = None) -> Any:
        if x.dtype.kind in "iu":  # bytes, all of which a float32 holds
            values = run(x.astype(np.float32))
            return (values[0].astype(x.dtype), values[1]) if node.outputs > 1 else values.astype(x.dtype)
        function = of_rank(_MAX, x)
        windows = Windows.of(node, x.shape[2:], node.ints("kernel_shape", None))
        if not windows.within_half:
            if node.outputs > 1:
                raise NotCovered
            windows = windows.floored(x.shape[2:])
            x = np.pad(x, ((0, 0), (0, 0), *windows.pads), constant_values=-np.inf)
            windows = windows._replace(pads=((0, 0),) * len(windows.kernel))
        kernel, stride, dilation, pads, ceil = windows
        if node.outputs < 2:
            return function(x, kernel, stride, pads, dilation, ceil, out=out)
        values, places = function(x, kernel, stride, pads, dilation, ceil, True)
        return values, _in_tensor(places, x.shape, column_major=bool(node.get("storage_order", 0)))

    return run


def _in_tensor(places: Array, shape: tuple[int, ...], *, column_major: bool) -> Array:
    """Flat places in planes as flat places in the tensor, whose planes may be stored by columns."""
    extent, points = shape[2:], math.prod(shape[2:])
    if column_major:
        places = np.ravel_multi_index(np.unravel_index(places, extent), extent, order="F")
    planes = np.arange(math.prod(shape[:2]), dtype=np.int64) * points
    return places + planes.reshape(*shape[:2], *(1,) * len(extent))


def average_pool(node: Node) -> Run:
    """X."""
    count_pads = bool(node.get("count_include_pad", 0))

    def run(x: Array, out: Array | None = None) -> Array:
        function = of_rank(_AVERAGE, x)
        windows = Windows.of(node, x.shape[2:], node.ints("kernel_shape", None))
        if _is_plain(windows, x):
            return function(x, windows.kernel, windows.stride, windows.pads, windows.ceil, count_pads, out=out)
        ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
        reach = windows.floored(x.shape[2:])
        if count_pads:
            ones = np.pad(ones, ((0, 0), (0, 0), *windows.pads), constant_values=1)
            rest = (max(far - high, 0) for (_, high), (_, far) in zip(windows.pads, reach.pads, strict=True))
            counts = _sums(ones, reach._replace(pads=tuple((0, more) for more in rest)))
        else:
            counts = _sums(ones, reach)
        return np.divide(_sums(x, reach), counts, out=out)

    return run


def _is_plain(windows: Windows, x: Array) -> bool:
    """Whether `functional` averages over such windows."""
    fits = len(windows.kernel) < 3 or all(k <= e for k, e in zip(windows.kernel, x.shape[2:], strict=True))
    return fits and windows.within_half and set(windows.dilation) == {1}


def _sums(x: Array, windows: Windows) -> Array:
    """Sum of each window of each plane, as a convolution with ones."""
    planes = x.reshape(-1, 1, *x.shape[2:])
    ones = np.ones((1, 1, *windows.kernel), x.dtype)
    sums = of_rank(_CONV, x)(planes, ones, None, windows.stride, windows.pads, windows.dilation, algo="direct")
    return sums.reshape(*x.shape[:2], *sums.shape[2:])


def lp_pool(node: Node) -> Run:
    """X."""
    p = float(node.get("p", 2))

    def run(x: Array) -> Array:
        of_rank(_CONV, x)
        windows = Windows.of(node, x.shape[2:], node.ints("kernel_shape", None))
        return _norm(_sums(np.abs(x) ** p, windows.floored(x.shape[2:])), p)

    return run


def _norm(sums: Array, p: float) -> Array:
    return sums if p == 1 else np.sqrt(sums) if p == 2 else sums ** (1 / p)


def _planes(x: Array) -> Array:
    if x.ndim < 3 or 0 in x.shape:
        raise NotCovered
    return x.reshape(*x.shape[:2], -1)


def global_average_pool(node: Node) -> Run:
    """X."""

    def run(x: Array) -> Array:
        return adaptive_pooling.adaptive_avg_pool1d(_planes(x), 1).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))

    return run


def global_max_pool(node: Node) -> Run:
    """X."""

    def run(x: Array) -> Array:
        return adaptive_pooling.adaptive_max_pool1d(_planes(x), 1).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))

    return run


def global_lp_pool(node: Node) -> Run:
    """X."""
    p = float(node.get("p", 2))

    def run(x: Array) -> Array:
        planes = np.abs(_planes(x)) ** p
        sums = adaptive_pooling.adaptive_avg_pool1d(planes, 1) * planes.shape[2]
        return _norm(sums, p).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))

    return run


def max_unpool(node: Node) -> Run:
    """X, indices in the whole tensor, shape of the output."""

    def run(x: Array, places: Array, shape: Array | None = None) -> Array:
        of_rank(_MAX, x)
        windows = Windows.of(node, x.shape[2:], node.ints("kernel_shape", None))
        axes = zip(x.shape[2:], windows.kernel, windows.stride, windows.pads, strict=True)
        inferred = *x.shape[:2], *((e - 1) * s + k - sum(pair) for e, k, s, pair in axes)
        y = np.zeros(inferred, x.dtype)
        y.reshape(-1)[places.reshape(-1)] = x.reshape(-1)
        if shape is None or tuple(shape) == inferred:
            return y
        larger = np.zeros(tuple(shape), x.dtype)
        larger[tuple(map(slice, inferred))] = y
        return larger

    return run
