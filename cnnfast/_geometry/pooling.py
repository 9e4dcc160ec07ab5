"""Geometry of pooling, adaptive pooling and unpooling."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from cnnfast._geometry.tuples import Ints, check_not_empty, check_rank, integer, ints


class Pool(NamedTuple):
    """Windows over the planes of an array; the tuples have one entry a spatial axis.  An adaptive pool has no kernel."""

    planes: int
    lead: Ints
    input: Ints
    output: Ints
    kernel: Ints | None
    stride: Ints
    dilation: Ints
    pad: Ints

    @property
    def input_shape(self) -> Ints:
        return (*self.lead, *self.input)

    @property
    def output_shape(self) -> Ints:
        return (*self.lead, *self.output)

    def __str__(self) -> str:
        extent, out = "x".join(map(str, self.input)), "x".join(map(str, self.output))
        if self.kernel is None:
            return f"{self.planes}x{extent} adaptive {out}"
        return f"{self.planes}x{extent} k{self.kernel} s{self.stride} p{self.pad} d{self.dilation}"


def freeze(value: Any) -> Any:
    """Lists as tuples, so that arguments can be keys of a cache."""
    return tuple(map(freeze, value)) if isinstance(value, list | tuple) else value


def _lead(op: str, x: Ints, rank: int) -> tuple[int, Ints]:
    check_rank(op, "input", x, rank)
    check_not_empty(op, "input", x, len(x) - rank - 1)
    planes = 1
    for extent in x[:-rank]:
        planes *= extent
    return planes, x[:-rank]


def _points(extent: int, kernel: int, stride: int, dilation: int, pad: int, ceil: bool) -> int:
    """Windows along an axis; with `ceil` one more that starts inside the input or its low padding."""
    window = dilation * (kernel - 1) + 1
    points = (extent + 2 * pad - window + (stride - 1 if ceil else 0)) // stride + 1
    return points - 1 if ceil and (points - 1) * stride >= extent + pad else points


def _stride(op: str, stride: Any, kernel: Ints, rank: int) -> Ints:
    return kernel if stride is None or stride == () else ints(op, "stride", stride, rank, 1)


@lru_cache(maxsize=4096, typed=True)
def pool(
    op: str, rank: int, x: Ints, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Pool:
    """Windows of max, average and Lp pooling; raises TypeError or ValueError as `op` should."""
    kernel = ints(op, "kernel_size", kernel_size, rank, 1)
    steps = _stride(op, stride, kernel, rank)
    pad, dil = ints(op, "padding", padding, rank, 0), ints(op, "dilation", dilation, rank, 1)
    planes, lead = _lead(op, x, rank)
    for k, d, p in zip(kernel, dil, pad, strict=True):
        if p > (d * (k - 1) + 1) // 2:
            raise ValueError(f"{op}: padding is {pad} (expected at most half of the window of kernel_size {kernel})")
    extent = x[-rank:]
    axes = zip(extent, kernel, steps, dil, pad, strict=True)
    output = tuple(_points(e, k, s, d, p, bool(ceil_mode)) for e, k, s, d, p in axes)
    if min(output) < 1:
        raise ValueError(f"{op}: input has shape {x}, the output would have size {output} (expected at least 1)")
    return Pool(planes, lead, extent, output, kernel, steps, dil, pad)


@lru_cache(maxsize=4096, typed=True)
def adaptive(op: str, rank: int, x: Ints, output_size: Any) -> Pool:
    """Windows of adaptive pooling; None in `output_size` keeps an axis."""
    planes, lead = _lead(op, x, rank)
    extent = x[-rank:]
    sizes = output_size if isinstance(output_size, tuple) else (output_size,)
    sizes = sizes * rank if len(sizes) == 1 else sizes
    if len(sizes) != rank:
        raise ValueError(f"{op}: output_size is {output_size!r} (expected an int or {rank} of them)")
    output = tuple(
        e if size is None else integer(op, "output_size", size, 0) for e, size in zip(extent, sizes, strict=True)
    )
    ones = (1,) * rank
    return Pool(planes, lead, extent, output, None, ones, ones, (0,) * rank)


@lru_cache(maxsize=4096, typed=True)
def unpool(
    op: str, rank: int, x: Ints, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> tuple[int, Ints]:
    """(planes, shape of the output) of max_unpool; `output_size` may be the spatial or the full shape."""
    kernel = ints(op, "kernel_size", kernel_size, rank, 1)
    steps, pad = _stride(op, stride, kernel, rank), ints(op, "padding", padding, rank, 0)
    planes, lead = _lead(op, x, rank)
    axes = list(zip(x[-rank:], kernel, steps, pad, strict=True))
    default = tuple((e - 1) * s + k - 2 * p for e, k, s, p in axes)
    if output_size is None:
        size = default
    else:
        size = tuple(integer(op, "output_size", v, 1) for v in output_size)
        size = size[-rank:] if len(size) == len(x) else size
    if len(size) != rank or min(size) < 1:
        raise ValueError(f"{op}: output_size is {output_size!r} (expected {rank} positive ints or a full shape)")
    if any(abs(o - d) >= s for o, d, (_, _, s, _) in zip(size, default, axes, strict=True)):
        raise ValueError(f"{op}: output_size is {size} (expected within {steps} of {default})")
    return planes, (*lead, *size)
