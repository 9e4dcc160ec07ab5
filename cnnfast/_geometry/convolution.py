"""Geometry of convolution and transposed convolution, by V. Dumoulin and F. Visin, arXiv:1603.07285."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cnnfast._geometry.tuples import Ints, cached, check_not_empty, check_rank, check_size, integer, ints

Padding = int | str | Sequence[int] | Sequence[tuple[int, int]]


class Conv(NamedTuple):
    """A convolution problem; the tuples have one entry a spatial axis.

    Transposed convolution is the adjoint of the convolution described here: `input` is what the convolution reads, and
    what its adjoint writes.
    """

    n: int
    groups: int
    in_channels: int
    out_channels: int
    input: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    pad_lo: Ints
    pad_hi: Ints
    output: Ints

    @property
    def input_shape(self) -> Ints:
        return (self.n, self.in_channels, *self.input)

    @property
    def output_shape(self) -> Ints:
        return (self.n, self.out_channels, *self.output)

    @property
    def weight_shape(self) -> Ints:
        return (self.out_channels, self.in_channels // self.groups, *self.kernel)

    def __str__(self) -> str:
        names = "dhw"[3 - len(self.input) :]

        def per_axis(letter: str, values: Ints) -> str:
            return letter + "x".join(map(str, values if len(set(values)) > 1 else values[:1]))

        extents = "".join(f"{name}{extent}" for name, extent in zip(names, self.input, strict=True))
        text = f"n{self.n}c{self.in_channels}{extents}_o{self.out_channels}"
        text += per_axis("k", self.kernel) + per_axis("s", self.stride) + per_axis("p", self.pad_lo)
        text += per_axis("d", self.dilation) if set(self.dilation) != {1} else ""
        return text + (f"g{self.groups}" if self.groups > 1 else "")


def size(op: str, name: str, value: Sequence[int]) -> Ints:
    """A whole shape given as an argument."""
    if isinstance(value, int) or not isinstance(value, Sequence):
        raise TypeError(f"{op}: {name} is {value!r} (expected a shape)")
    shape = tuple(integer(op, name, v, 0) for v in value)
    check_size(op, shape)
    return shape


def _pairs(op: str, padding: Any, rank: int) -> tuple[Ints, Ints] | None:
    """padding=((lo, hi), ...) as (all lo, all hi); None if it has another form."""
    if not isinstance(padding, tuple) or not any(isinstance(p, tuple) for p in padding):
        return None
    if len(padding) == 1:
        padding = padding * rank
    if len(padding) != rank or not all(isinstance(p, tuple) and len(p) == 2 for p in padding):
        raise ValueError(f"{op}: padding is {padding!r} (expected {rank} pairs of ints)")
    low, high = zip(*padding, strict=True)
    return ints(op, "padding", low, rank, 0), ints(op, "padding", high, rank, 0)


def paddings(op: str, padding: Any, extent: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> tuple[Ints, Ints]:
    """(low, high) padding of each axis.

    'same' gives ceil(extent / stride) outputs, and where the padding is odd the high side gets one more: PyTorch's rule
    for stride 1, TensorFlow's for others.
    """
    rank = len(extent)
    if padding == "valid":
        return (0,) * rank, (0,) * rank
    if padding == "same":
        total = [
            max((-(-e // s) - 1) * s + d * (k - 1) + 1 - e, 0)
            for e, k, s, d in zip(extent, kernel, stride, dilation, strict=True)
        ]
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    if isinstance(padding, str):
        raise ValueError(f"{op}: padding is {padding!r} (expected 'same', 'valid' or ints)")
    pairs = _pairs(op, padding, rank)
    if pairs is not None:
        return pairs
    low = ints(op, "padding", padding, rank, 0)
    return low, low


def _check_bias(op: str, bias: Ints | None, channels: int) -> None:
    if bias is not None and bias != (channels,):
        raise ValueError(f"{op}: bias has shape {bias} (expected ({channels},))")


def _check_weight(op: str, weight: Ints, rank: int, groups: int) -> None:
    if len(weight) != rank + 2:
        raise ValueError(f"{op}: weight has {len(weight)} dimensions, shape {weight} (expected {rank + 2})")
    if 0 in weight:
        raise ValueError(f"{op}: weight has shape {weight} (expected no empty axis)")
    if weight[0] % groups:
        raise ValueError(f"{op}: weight has shape {weight} (expected weight.shape[0] a multiple of {groups} groups)")


@cached
def conv(
    op: str, rank: int, x: Ints, weight: Ints, bias: Ints | None, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Conv:
    """The problem of a convolution of arrays of these shapes; raises TypeError or ValueError as `op` should."""
    groups = integer(op, "groups", groups, 1)
    stride = ints(op, "stride", stride, rank, 1)
    dilation = ints(op, "dilation", dilation, rank, 1)
    check_rank(op, "input", x, rank)
    _check_weight(op, weight, rank, groups)
    channels, extent, kernel = x[-rank - 1], x[-rank:], weight[2:]
    if channels != weight[1] * groups:
        raise ValueError(
            f"{op}: weight has {weight[1]} input channels per group, input has {channels} channels in {groups} groups "
            f"(expected weight.shape[1] == {channels // groups})"
        )
    _check_bias(op, bias, weight[0])
    low, high = paddings(op, padding, extent, kernel, stride, dilation)
    check_not_empty(op, "input", x, len(x) - rank - 1)
    output = []
    for e, k, s, d, lo, hi in zip(extent, kernel, stride, dilation, low, high, strict=True):
        window, padded = d * (k - 1) + 1, e + lo + hi
        if window > padded:
            raise ValueError(
                f"{op}: kernel {kernel} spans {window} points, the padded input has {padded} "
                "(expected the kernel to fit)"
            )
        output.append((padded - window) // s + 1)
    n = x[0] if len(x) == rank + 2 else 1
    problem = Conv(n, groups, channels, weight[0], extent, kernel, stride, dilation, low, high, tuple(output))
    check_size(op, problem.output_shape)
    return problem


@cached
def conv_transpose(
    op: str,
    rank: int,
    x: Ints,
    weight: Ints,
    bias: Ints | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> Conv:
    """The convolution whose adjoint is this transposed convolution; raises TypeError or ValueError as `op` should."""
    groups = integer(op, "groups", groups, 1)
    stride = ints(op, "stride", stride, rank, 1)
    dilation = ints(op, "dilation", dilation, rank, 1)
    extra = ints(op, "output_padding", output_padding, rank, 0)
    if isinstance(padding, str):
        raise TypeError(f"{op}: padding is {padding!r} (expected ints)")
    check_rank(op, "input", x, rank)
    _check_weight(op, weight, rank, groups)
    channels, extent, kernel = x[-rank - 1], x[-rank:], weight[2:]
    if channels != weight[0]:
        raise ValueError(
            f"{op}: weight has shape {weight}, input has {channels} channels (expected weight.shape[0] == {channels})"
        )
    _check_bias(op, bias, weight[1] * groups)
    low, high = paddings(op, padding, extent, kernel, stride, dilation)
    check_not_empty(op, "input", x, len(x) - rank - 1)
    result = []
    for e, k, s, d, lo, hi, a in zip(extent, kernel, stride, dilation, low, high, extra, strict=True):
        if a >= max(s, d):
            raise ValueError(
                f"{op}: output_padding is {extra} (expected less than stride {stride} or dilation {dilation} an axis)"
            )
        result.append((e - 1) * s - lo - hi + d * (k - 1) + a + 1)
    if min(result) < 1:
        raise ValueError(f"{op}: padding is {padding!r}, the output would have size {tuple(result)} (expected above 0)")
    n = x[0] if len(x) == rank + 2 else 1
    problem = Conv(n, groups, weight[1] * groups, channels, tuple(result), kernel, stride, dilation, low, high, extent)
    check_size(op, problem.input_shape)
    return problem
