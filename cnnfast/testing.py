"""Problems as strings, and operands on which every result is exact.

Tests, benchmarks, verbose lines and bug reports name a call in this one grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from math import isqrt, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cnnfast._geometry import convolution as geometry
from cnnfast._geometry.tuples import Ints, ints

Array = NDArray[Any]
PASSES = ("forward", "backward_data", "backward_weights")

_HEAD = re.compile(r"n(\d+)c(\d+)(?:(?:(?:d(\d+))?h(\d+))?w(\d+))?")
_TAIL = re.compile(r"([otkspdag])(\d+(?:x\d+)*)")
_AXES = {"k": "kernel", "s": "stride", "p": "padding", "d": "dilation", "a": "output_padding"}
_DEFAULT = {"d": 1, "a": 0}
_EXAMPLE = "n8c128h28w28_o128k3s1p1"


class Arrays(NamedTuple):
    """The operands of all passes; `weight` is None where the op has none."""

    input: Array
    weight: Array | None
    grad_output: Array


@dataclass(frozen=True)
class Problem:
    """Shapes and arguments of one call, written as a string such as ``n8c128h28w28_o128k3s1p1``.

    Before the underscore stand the batch n, the channels c and the extents: w in 1D, h and w in
    2D, d, h and w in 3D, none for a fully connected layer. After it: o output channels (t those
    of a transposed convolution), k kernel, s stride, p padding, d dilation, a output padding,
    g groups. A value that differs between axes is written ``k1x7``. What is left out is p0, d1,
    a0, g1 and s1, but in pooling the stride of the kernel.

    ============================  ==========================================
    ``n8c3h224w224_o64k7s2p3``    convolution
    ``n4c64w8000_o64k2s1p0d64``   dilated convolution in 1D
    ``n8c256h16w16_t128k4s2p1``   transposed convolution
    ``n8c64h112w112_k3s2p1``      pooling
    ``n64c400_o120``              fully connected layer
    ``n64c6h28w28``               elementwise
    ============================  ==========================================

    Raises
    ------
    ValueError
        If the numbers do not make a problem, such as a kernel that does not fit.

    Examples
    --------
    >>> problem = Problem.parse("n8c3h224w224_o64k7s2p3")
    >>> problem.output_shape
    (8, 64, 112, 112)
    >>> f"{problem.flops / 1e9:.2f} GFLOP in {problem}"
    '1.89 GFLOP in n8c3h224w224_o64k7s2p3'
    """

    n: int
    channels: int
    extent: Ints = ()
    outputs: int | None = None
    kernel: Ints = ()
    stride: Ints = field(default=(), kw_only=True)
    padding: Ints = field(default=(), kw_only=True)
    dilation: Ints = field(default=(), kw_only=True)
    output_padding: Ints = field(default=(), kw_only=True)
    groups: int = field(default=1, kw_only=True)
    transposed: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.outputs == 0 or (self.transposed and not self.kernel):
            raise ValueError("expected output channels, and a kernel if transposed")
        step = 1 if self.outputs else self.kernel
        usual = {"stride": step, "padding": 0, "dilation": 1, "output_padding": 0}
        if not self.kernel and (self.groups > 1 or any(getattr(self, name) for name in usual)):
            raise ValueError("without a kernel there is nothing to stride, pad, dilate or group")
        if any(self.output_padding) and not self.transposed:
            raise ValueError("output padding belongs to transposed convolution")
        for name, value in {"kernel": (), **usual}.items() if self.kernel else ():
            axes = ints("problem", name, getattr(self, name) or value, self.rank, 0)
            object.__setattr__(self, name, axes)
        if self.kernel:
            _ = self.conv

    @classmethod
    def parse(cls, text: str) -> Problem:
        """Return the problem that a string describes.

        Raises
        ------
        ValueError
            If it describes none.
        """
        head, underscore, tail = text.partition("_")
        start, items = _HEAD.fullmatch(head), _TAIL.findall(tail)
        values = {letter: tuple(map(int, numbers.split("x"))) for letter, numbers in items}
        whole = "".join(map("".join, items)) == tail and bool(tail) == bool(underscore)
        if not start or not whole or len(values) < len(items):
            raise ValueError(f"{text!r} is no problem string (expected one like {_EXAMPLE})")
        n, channels, *extent = (int(number) for number in start.groups() if number)
        try:
            return cls._from_values(n, channels, tuple(extent), values)
        except ValueError as error:
            raise ValueError(f"{text!r} is no problem string: {error}") from error

    @classmethod
    def _from_values(cls, n: int, channels: int, extent: Ints, values: dict[str, Ints]) -> Problem:
        if {"o", "t"} <= values.keys() or any(len(values.get(one, "1")) > 1 for one in "otg"):
            raise ValueError("expected one number of output channels, and one of groups")
        if {"o", "t"} & values.keys() and bool(extent) != ("k" in values):
            raise ValueError("expected a kernel where there are extents, and nowhere else")
        axes = {name: values[key] for key, name in _AXES.items() if key in values}
        return cls(
            n,
            channels,
            extent,
            values.get("t", values.get("o", (None,)))[0],
            groups=values.get("g", (1,))[0],
            transposed="t" in values,
            **axes,
        )

    def __str__(self) -> str:
        extents = zip("dhw"[3 - self.rank :], self.extent, strict=True)
        text = f"n{self.n}c{self.channels}" + "".join(f"{name}{size}" for name, size in extents)
        text += "_" if self.outputs or self.kernel else ""
        text += f"{'t' if self.transposed else 'o'}{self.outputs}" if self.outputs else ""
        for letter, name in _AXES.items():
            values = getattr(self, name)
            if values and (letter in "ksp" or set(values) != {_DEFAULT[letter]}):
                text += letter + "x".join(map(str, values if len(set(values)) > 1 else values[:1]))
        return text + (f"g{self.groups}" if self.groups > 1 else "")

    @classmethod
    def random(cls, rng: np.random.Generator, rank: int | None = None, *, transposed: bool = False) -> Problem:
        """Return a convolution with any arguments, small enough to check in milliseconds."""

        def draw(*values: int) -> int:
            return int(rng.choice(values))

        axes = range(rank or draw(1, 2, 2, 3))
        kernel = tuple(draw(1, 2, 3, 3, 5) for _ in axes)
        stride = tuple(draw(1, 1, 2, 3) for _ in axes)
        dilation = tuple(draw(1, 1, 2, 3) for _ in axes)
        windows = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        room = {1: 150, 2: 20, 3: 8}[len(axes)]
        groups = draw(1, 1, 1, 2, 3)
        # A transposed convolution with more padding than half a window may have no output.
        most = [(w - 1) // 2 if transposed else 2 for w in windows]
        extra = [max(s, d) if transposed else 1 for s, d in zip(stride, dilation, strict=True)]
        return cls(
            draw(1, 2, 5),
            groups * draw(1, 2, 3, 8, 17),
            tuple(int(rng.integers(w, w + room)) for w in windows),
            groups * draw(1, 2, 5, 16, 29),
            kernel,
            stride=stride,
            padding=tuple(min(draw(0, 0, 1, 2), m) for m in most),
            dilation=dilation,
            output_padding=tuple(draw(*range(e)) for e in extra) if transposed else (),
            groups=groups,
            transposed=transposed,
        )

    @property
    def rank(self) -> int:
        return len(self.extent)

    @property
    def op(self) -> str:
        """The op that the string alone names; pooling and elementwise problems leave it open."""
        if self.outputs is None:
            return ""
        return "linear" if not self.extent else "conv_transpose" if self.transposed else "conv"

    @cached_property
    def conv(self) -> geometry.Conv:
        """The convolution, or the one whose adjoint this is; pooling is taken as depthwise."""
        shapes = "problem", self.rank, self.input_shape, self._weight, None
        windows, groups = (self.stride, self.padding), self._groups
        if not self.transposed:
            return geometry.conv(*shapes, *windows, self.dilation, groups)
        return geometry.conv_transpose(*shapes, *windows, self.output_padding, groups, self.dilation)

    @property
    def _groups(self) -> int:
        return self.groups if self.outputs else self.channels

    @property
    def _weight(self) -> Ints:
        first, second = self.outputs or self.channels, self.channels
        if self.transposed:
            first, second = second, first
        return (first, second // max(self._groups, 1), *self.kernel) if self.kernel else (first, second)

    @property
    def input_shape(self) -> Ints:
        return (self.n, self.channels, *self.extent)

    @property
    def weight_shape(self) -> Ints | None:
        return self._weight if self.outputs else None

    @property
    def output_shape(self) -> Ints:
        if not self.kernel:
            return (self.n, self.outputs or self.channels, *self.extent)
        return self.conv.input_shape if self.transposed else self.conv.output_shape

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of the functional op, without the kernel size of pooling."""
        names = ["stride", "padding", "dilation"] if self.kernel else []
        names += ["groups"] if self.kernel and self.outputs else []
        names += ["output_padding"] if self.transposed else []
        return {name: getattr(self, name) for name in names}

    @property
    def flops(self) -> int:
        """Operations of one pass, nominal: taps that fall on padding count."""
        if self.kernel:
            windows = self.n * prod(self.conv.output) * prod(self._weight)
        else:
            windows = prod(self.output_shape) * (self.channels if self.outputs else 1)
        return windows * (2 if self.outputs else 1)

    @property
    def elements(self) -> int:
        """Elements that a pass moves at least: input, weight and output, each read or written."""
        return sum(prod(shape) for shape in self._shapes if shape)

    @property
    def _shapes(self) -> tuple[Ints, Ints | None, Ints]:
        return self.input_shape, self.weight_shape, self.output_shape

    def arrays(self, rng: np.random.Generator, dtype: DTypeLike = np.float32, *, exact: bool = True) -> Arrays:
        """Return operands on which all passes are exact in any order, or normal random floats.

        Exact ones are whole numbers. Products and sums of them stay below 2**24, which float32
        holds, so they get smaller as sums get longer. Those of pooling are multiples of the
        window's size, so that averages are whole too.
        """
        if not exact:
            fills = [s and rng.standard_normal(s).astype(dtype) for s in self._shapes]
        else:
            # A pass sums this many products in each element of its result.
            longest = self.flops // (2 * max(1, min(prod(s) for s in self._shapes if s)))
            largest = max(1, min(8, isqrt(2**24 // max(longest, 1)))) if self.outputs else 8
            unit = 1 if self.outputs else prod(self.kernel)
            fills = [s and unit * integers(rng, s, dtype, largest) for s in self._shapes]
        return Arrays(*fills)  # type: ignore[arg-type]


def integers(rng: np.random.Generator, shape: Ints, dtype: DTypeLike = np.float32, largest: int = 8) -> Array:
    """Return whole numbers from -largest to largest."""
    return rng.integers(-largest, largest + 1, shape).astype(dtype)
