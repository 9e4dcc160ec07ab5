"""Convolution, transposed and integer convolution, and col2im."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast import functional as F
from cnnfast.backends._backend import NotCovered
from cnnfast.backends.onnx._node import Array, Node, Run, of_rank
from cnnfast.backends.onnx._windows import Pairs, Windows, halves, split
from cnnfast.functional import _fused
from cnnfast.functional._convolution import Prepared

_CONV = "conv1d", "conv2d", "conv3d"
_TRANSPOSE = F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d
# Integers up to here are exact in a float32, and so are sums of products below it.
_EXACT = 2**24


def conv(node: Node, **options: Any) -> Run:
    """X, W, B, and of what fusion made an array that is added to the result."""
    groups = node.get("group", 1)
    auto_pad = node.text("auto_pad", "NOTSET")
    pads = split(node.ints("pads", ())) if auto_pad == "NOTSET" else ()
    fixed = node.ints("strides", 1), pads or 0, node.ints("dilations", 1)
    prepared: list[Prepared] = []

    def windows(x: Array, w: Array) -> tuple[Any, Any, Any]:
        found = Windows.of(node, x.shape[2:], w.shape[2:])
        return found.stride, found.pads, found.dilation

    def run(x: Array, w: Array, b: Array | None = None, z: Array | None = None, out: Array | None = None) -> Array:
        op = of_rank(_CONV, x)
        if not node.constant or auto_pad.startswith("SAME"):
            arguments = windows(x, w) if auto_pad.startswith("SAME") else fixed
            return _fused.convolution(op, x, w, b, (*arguments, groups), None, z, node.clamp, out, **options)
        if not prepared:
            prepared.append(Prepared(op, lambda: w, (*fixed, groups), **options))
        result: Array = prepared[0]((x, b, None, z), (node.clamp,), out)
        return result

    return run


def conv_transpose(node: Node) -> Run:
    """X, W, B."""
    groups = node.get("group", 1)

    def run(x: Array, w: Array, b: Array | None = None, out: Array | None = None) -> Array:
        function = of_rank(_TRANSPOSE, x)
        windows = Windows.of(node, x.shape[2:], w.shape[2:])
        extra = node.ints("output_padding", (0,) * len(windows.kernel))
        pads = _transposed_pads(node, x.shape[2:], windows, extra)
        # What lies beyond the last tap of the kernel is output padding, the rest of it is padding not cut away.
        padding = tuple((low, max(high, 0)) for low, high in pads)
        beyond = tuple(max(-high, 0) for _, high in pads)
        if min(low for low, _ in pads) < 0 or any(map(_is_refused, beyond, windows.stride, windows.dilation)):
            raise NotCovered
        return function(x, w, b, windows.stride, padding, beyond, groups, windows.dilation, out=out)

    return run


def _is_refused(beyond: int, stride: int, dilation: int) -> bool:
    return beyond >= max(stride, dilation)


def _transposed_pads(node: Node, extent: tuple[int, ...], windows: Windows, extra: tuple[int, ...]) -> Pairs:
    """What is cut off the full result at either side; less than nothing where it is added to."""
    axes = list(zip(extent, windows.kernel, windows.stride, windows.dilation, strict=True))
    full = [(e - 1) * s + d * (k - 1) + 1 for e, k, s, d in axes]
    auto_pad, wanted = node.text("auto_pad", "NOTSET"), node.ints("output_shape", None)
    if wanted is None and not auto_pad.startswith("SAME"):
        return tuple((low, high - a) for (low, high), a in zip(windows.pads, extra, strict=True))
    wanted = wanted[-len(full) :] if wanted is not None else [e * s for e, _, s, _ in axes]
    totals = [f + a - size for f, a, size in zip(full, extra, wanted, strict=True)]
    pairs = halves([max(total, 0) for total in totals], more_below=auto_pad != "SAME_UPPER")
    return tuple((low, high + min(t, 0) - a) for (low, high), t, a in zip(pairs, totals, extra, strict=True))


def conv_integer(node: Node) -> Run:
    """X, W, zero point of X, zero points of W."""
    floating = conv(node, algo="direct")

    def run(x: Array, w: Array, x_zero: Array | None = None, w_zero: Array | None = None) -> Array:
        # Differences of bytes are below 256, so that a sum is exact in float64, and if it is short, in float32.
        dtype = np.float32 if math.prod(w.shape[1:]) * 255 * 255 < _EXACT else np.float64
        return floating(_centred(x, x_zero, dtype), _centred(w, w_zero, dtype)).astype(np.int32)

    return run


def _centred(values: Array, zero: Array | None, dtype: Any) -> Array:
    """Bytes less their zero point, which may be one for each of the first axis of weights."""
    if values.dtype.itemsize > 1:
        raise NotCovered
    if zero is None:
        return values.astype(dtype)
    zero = np.asarray(zero, dtype)
    return np.subtract(values, zero if zero.size == 1 else zero.reshape(-1, *(1,) * (values.ndim - 1)), dtype=dtype)


def qlinear_conv(node: Node) -> Run:
    """x, its scale and zero point, those of w, scale and zero point of y, B."""
    integer = conv_integer(node)

    def run(
        x: Array,
        x_scale: Array,
        x_zero: Array,
        w: Array,
        w_scale: Array,
        w_zero: Array,
        y_scale: Array,
        y_zero: Array,
        b: Array | None = None,
    ) -> Array:
        channels = (-1, *(1,) * (x.ndim - 2))
        sums = integer(x, w, x_zero, w_zero)
        if b is not None:
            sums = sums + b.reshape(channels)
        scale = x_scale * w_scale / y_scale
        dtype = x.dtype if y_zero is None else y_zero.dtype
        y = np.rint(sums * (scale if scale.size == 1 else scale.reshape(channels)))
        y += 0 if y_zero is None else y_zero
        limits = np.iinfo(dtype)
        return np.clip(y, limits.min, limits.max).astype(dtype)

    return run


def col2im(node: Node) -> Run:
    """Columns, shape of the image, shape of the block."""

    def run(columns: Array, image: Array, block: Array, out: Array | None = None) -> Array:
        kernel = tuple(map(int, block))
        if len(kernel) > 3:
            raise NotCovered
        size = columns.shape[0], columns.shape[1] // math.prod(kernel), *map(int, image)
        pads = split(node.ints("pads", (0,) * 2 * len(kernel)))
        return F.col2im(columns, size, kernel, node.ints("strides", 1), pads, node.ints("dilations", 1), out=out)

    return run
