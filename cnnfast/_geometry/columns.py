"""Geometry of im2col, unfold and their adjoints: the windows of a convolution, and the order of their columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast._geometry import convolution
from cnnfast._geometry.convolution import Conv
from cnnfast._geometry.tuples import Ints, ints, number

AXES = "NCKO"


def windows(op: str, x: Ints, kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> Conv:
    """The windows over images of shape (N, C, ...) as a convolution with one output channel."""
    if len(x) < 3:
        raise ValueError(f"{op}: input has shape {x} (expected (N, C, and at least one spatial axis))")
    rank = len(x) - 2
    weight = (1, x[1], *ints(op, "kernel_size", kernel_size, rank, 1))
    return convolution.conv(op, rank, x, weight if x[1] else (1, 1, *weight[2:]), None, stride, padding, dilation, 1)


def pad_value(op: str, value: Any, dtype: np.dtype[Any]) -> float | int:
    """`value`, which booleans and integers must be able to hold."""
    filler = number(op, "pad_value", value)
    if dtype.kind in "fc":
        return filler
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if not filler.is_integer() or not least <= int(value) <= most:
        raise ValueError(f"{op}: pad_value is {value!r} (expected a value of {dtype})")
    return int(value)


def unfolding(op: str, x: Ints, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Conv:
    """The windows of `unfold`, over (N, C, H, W) or (C, H, W); no 1-tuples, as in PyTorch."""
    values = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    for name, value in values.items():
        least = {"padding": 0}.get(name, 1)
        if isinstance(value, tuple | list) and len(value) != 2:
            raise ValueError(f"{op}: {name} is {value!r} (expected an int or 2 of them)")
        ints(op, name, value, 2, least)
    if len(x) not in (3, 4):
        raise ValueError(f"{op}: input has shape {x} (expected (N, C, H, W) or (C, H, W))")
    return windows(op, x if len(x) == 4 else (1, *x), kernel_size, stride, padding, dilation)


def folding(
    op: str, columns: Ints, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> Conv:
    """The windows of `fold`, from columns of shape (N, C * points of the kernel, L) or without N."""
    if len(columns) not in (2, 3) or 0 in columns[-2:]:
        raise ValueError(f"{op}: input has shape {columns} (expected (N, C * kernel, L) or (C * kernel, L))")
    if isinstance(output_size, tuple | list) and len(output_size) != 2:
        raise ValueError(f"{op}: output_size is {output_size!r} (expected an int or 2 of them)")
    size, kernel = ints(op, "output_size", output_size, 2, 1), ints(op, "kernel_size", kernel_size, 2, 1)
    channels, rest = divmod(columns[-2], kernel[0] * kernel[1])
    if rest:
        raise ValueError(f"{op}: input has shape {columns} (expected a multiple of the points of kernel {kernel} rows)")
    n = columns[0] if len(columns) == 3 else 1
    p = unfolding(op, (n, channels, *size), kernel_size, dilation, padding, stride)
    if p.output[0] * p.output[1] != columns[-1]:
        raise ValueError(f"{op}: input has shape {columns} (expected {p.output[0] * p.output[1]} columns)")
    return p


def order_axes(op: str, order: str) -> tuple[Ints, Ints]:
    """'N CK O' as (the axes of (N, C, K, O) in that order, how many of them each word joins)."""
    letters = order.replace(" ", "") if isinstance(order, str) else ""
    if sorted(letters) != sorted(AXES):
        raise ValueError(f"{op}: order is {order!r} (expected N, C, K, O once each, in words such as 'N CK O')")
    return tuple(AXES.index(letter) for letter in letters), tuple(len(word) for word in order.split())
