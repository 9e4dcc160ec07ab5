"""Geometry of pooling, adaptive pooling and unpooling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from cnnfast._geometry.convolution import paddings
from cnnfast._geometry.layout import channels_last, to_first
from cnnfast._geometry.tuples import (
    Ints,
    cached,
    check_not_empty,
    check_rank,
    check_size,
    flag,
    integer,
    ints,
)


class Pool(NamedTuple):
    """Windows over the planes of an array; tuples have one entry a spatial axis.  An adaptive pool has no kernel.

    With channels last a point has `lanes` elements, one a channel, and `last` is their number as a shape.
    """

    planes: int
    lead: Ints
    input: Ints
    output: Ints
    kernel: Ints | None
    stride: Ints
    dilation: Ints
    pad: Ints
    pad_hi: Ints
    last: Ints = ()

    @property
    def input_shape(self) -> Ints:
        return (*self.lead, *self.input, *self.last)

    @property
    def output_shape(self) -> Ints:
        return (*self.lead, *self.output, *self.last)

    @property
    def lanes(self) -> int:
        return math.prod(self.last)

    def with_channels_last(self) -> Pool:
        return self._replace(planes=math.prod(self.lead[:-1]), lead=self.lead[:-1], last=self.lead[-1:])

    def __str__(self) -> str:
        extent, out = "x".join(map(str, self.input)), "x".join(map(str, self.output))
        if self.kernel is None:
            return f"{self.planes}x{extent} adaptive {out}"
        return f"{self.planes}x{extent} k{self.kernel} s{self.stride} p{self.pad} d{self.dilation}"


def in_layout(
    windows: Callable[..., Pool], op: str, rank: int, x: Ints, *arguments: Any, data_format: Any = "channels_first"
) -> Pool:
    """`windows` of an array of this shape that lies as `data_format` says."""
    if not channels_last(op, rank, data_format):
        return windows(op, rank, x, *arguments)
    return windows(op, rank, to_first(x, rank), *arguments).with_channels_last()


def _lead(op: str, x: Ints, rank: int, may_be_empty: int) -> tuple[int, Ints]:
    """Number of planes, and the axes before the spatial ones, of which the first `may_be_empty` may be."""
    check_rank(op, "input", x, rank)
    check_not_empty(op, "input", x, may_be_empty)
    return math.prod(x[:-rank]), x[:-rank]


def _points(padded: int, kernel: int, stride: int, dilation: int, pad_hi: int, ceil: bool) -> int:
    """Windows along an axis; with `ceil` one more that starts inside the input or its low padding."""
    window = dilation * (kernel - 1) + 1
    points = (padded - window + (stride - 1 if ceil else 0)) // stride + 1
    return points - 1 if ceil and (points - 1) * stride >= padded - pad_hi else points


def _stride(op: str, stride: Any, kernel: Ints, rank: int) -> Ints:
    given = stride is not None and not (isinstance(stride, tuple) and not stride)
    return ints(op, "stride", stride, rank, 1) if given else kernel


def _paddings(op: str, padding: Any, kernel: Ints, extent: Ints) -> tuple[Ints, Ints]:
    """(low, high) padding; as in PyTorch, dilation does not widen the window that it is compared with."""
    if isinstance(padding, str):
        raise TypeError(f"{op}: padding is {padding!r} (expected ints)")
    low, high = paddings(op, padding, extent, kernel, kernel, kernel)
    if any(max(pads) > k // 2 for k, *pads in zip(kernel, low, high, strict=True)):
        raise ValueError(f"{op}: padding is {padding!r} (expected at most half of kernel_size {kernel})")
    return low, high


@cached
def pool(
    op: str, rank: int, x: Ints, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any
) -> Pool:
    """Windows of max, average and Lp pooling; raises TypeError or ValueError as `op` should."""
    kernel, ceil = ints(op, "kernel_size", kernel_size, rank, 1), flag(op, "ceil_mode", ceil_mode)
    steps, dil = _stride(op, stride, kernel, rank), ints(op, "dilation", dilation, rank, 1)
    planes, lead = _lead(op, x, rank, len(x) - rank - 1)
    extent = x[-rank:]
    low, high = _paddings(op, padding, kernel, extent)
    axes = zip(extent, kernel, steps, dil, low, high, strict=True)
    output = tuple(_points(e + lo + hi, k, s, d, hi, ceil) for e, k, s, d, lo, hi in axes)
    if min(output) < 1:
        raise ValueError(f"{op}: input has shape {x}, the output would have size {output} (expected at least 1)")
    return Pool(planes, lead, extent, output, kernel, steps, dil, low, high)


@cached
def average(op: str, rank: int, x: Ints, kernel_size: Any, stride: Any, padding: Any, ceil_mode: Any) -> Pool:
    """Windows of average and Lp pooling; as in PyTorch those over volumes do not exceed the input."""
    windows = pool(op, rank, x, kernel_size, stride, padding, 1, ceil_mode)
    if rank == 3 and any(k > e for k, e in zip(windows.kernel or (), windows.input, strict=True)):
        raise ValueError(f"{op}: kernel_size is {kernel_size!r}, input has shape {x} (expected at most its size)")
    return windows


@cached
def adaptive(op: str, rank: int, x: Ints, output_size: Any, average: bool = False) -> Pool:
    """Windows of adaptive pooling; None in `output_size` keeps an axis.

    As in PyTorch, averages may have no channels, but not those of volumes.
    """
    planes, lead = _lead(op, x, rank, len(x) - rank if average and rank < 3 else 1)
    extent = x[-rank:]
    sizes = output_size if isinstance(output_size, tuple) else (output_size,) * rank
    sizes = sizes * rank if len(sizes) == 1 else sizes
    if output_size is None or len(sizes) != rank:
        raise (TypeError if output_size is None else ValueError)(
            f"{op}: output_size is {output_size!r} (expected an int or {rank} of them)"
        )
    keep = [(e if size is None else size) for e, size in zip(extent, sizes, strict=True)]
    output = tuple(integer(op, "output_size", size, 0) for size in keep)
    check_size(op, (*lead, *output))
    ones, none = (1,) * rank, (0,) * rank
    return Pool(planes, lead, extent, output, None, ones, ones, none, none)


def _unpool_size(op: str, rank: int, output_size: Any) -> Ints:
    if not isinstance(output_size, tuple):
        raise TypeError(f"{op}: output_size is {output_size!r} (expected a shape)")
    if len(output_size) not in (rank, rank + 2):
        raise ValueError(f"{op}: output_size is {output_size!r} (expected {rank} or {rank + 2} ints)")
    return tuple(integer(op, "output_size", v, 1) for v in output_size[-rank:])


@cached
def unpool(
    op: str, rank: int, x: Ints, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> tuple[int, Ints]:
    """(planes, shape of the output) of max_unpool; `output_size` may be that of a batch, (N, C, ...)."""
    kernel = ints(op, "kernel_size", kernel_size, rank, 1)
    steps = kernel if stride is None else ints(op, "stride", stride, rank, 1)
    pad = ints(op, "padding", padding, rank, 0)
    planes, lead = _lead(op, x, rank, 1)
    axes = zip(x[-rank:], kernel, steps, pad, strict=True)
    default = tuple((e - 1) * s + k - 2 * p for e, k, s, p in axes)
    size = default if output_size is None else _unpool_size(op, rank, output_size)
    if any(abs(o - d) >= s for o, d, s in zip(size, default, steps, strict=True)):
        raise ValueError(f"{op}: output_size is {size} (expected less than {steps} away from {default})")
    if min(size) < 1:
        raise ValueError(f"{op}: input has shape {x}, the output would have size {size} (expected at least 1)")
    check_size(op, (*lead, *size))
    return planes, (*lead, *size)
