"""The ops behind the functions of conv.py: how each plans its passes from shapes and arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnfast import _core
from cnnfast._geometry import convolution as geometry
from cnnfast._geometry.convolution import Conv
from cnnfast._geometry.layout import channels_last, to_first, to_last
from cnnfast._geometry.tuples import same_shape
from cnnfast.functional._op import Op, Settings

Array = NDArray[Any]
Ints = int | Sequence[int]
Shape = tuple[int, ...]
Mask = tuple[bool, bool, bool]


class _Direction(NamedTuple):
    """Convolution or transposed convolution, each being the other's gradient with respect to the input."""

    name: str
    problem: Callable[..., Conv]
    forward: int
    backward: int
    weight_gradient: tuple[int, int]  # which of (grad_output, input) the convolution reads, and which it writes


_CONV = _Direction("conv", geometry.conv, _core.FORWARD, _core.BACKWARD_DATA, (1, 0))
_TRANSPOSE = _Direction("conv_transpose", geometry.conv_transpose, _core.BACKWARD_DATA, _core.FORWARD, (0, 1))


def _algorithm(op: str, algo: Any) -> int:
    if algo not in tuple(_core.ALGORITHMS):  # which may be unhashable
        raise ValueError(f"{op}: algo is {algo!r} (expected one of {', '.join(map(repr, _core.ALGORITHMS))})")
    return _core.ALGORITHMS[algo]


def _result_shape(which: int, problem: Conv, rank: int, batch: Shape) -> Shape:
    """Of a pass over a batch, or over one image as `batch`, the shape of the source, says."""
    shape = problem.output_shape if which == _core.FORWARD else problem.input_shape
    return shape[len(batch) == rank + 1 :]


class _Layout(NamedTuple):
    """How the arrays of one problem lie: their channels are at the end if `last`."""

    rank: int
    last: bool

    def first(self, shape: Shape) -> Shape:
        return to_first(shape, self.rank) if self.last else shape

    def own(self, shape: Shape) -> Shape:
        return to_last(shape, self.rank) if self.last else shape

    def check(self, op: str, dy: Shape, expected: Shape) -> None:
        same_shape(op, "grad_output", dy, self.own(expected))


def _layout(op: str, rank: int, data_format: Any) -> _Layout:
    return _Layout(rank, channels_last(op, rank, data_format))


def _pass(which: int, problem: Conv, how: Settings, shape: Shape, lay: _Layout, algorithm: int = 0) -> _core.Plan:
    """`shape` is that of the result with channels first."""
    plan = _core.ConvPlan(which, problem, *how, shape, algorithm)
    if not lay.last:
        return plan
    weights = which == _core.BACKWARD_WEIGHTS
    if plan.info()["algorithm"] == "depthwise":  # whose kernels know rows of points only
        return _core.ChannelsFirst(plan, lay.rank, 2 if weights else 1, None if weights else to_last(shape, lay.rank))
    shape = shape if weights else to_last(shape, lay.rank)
    return _core.ConvPlan(which, problem, *how, shape, algorithm, channels_last=True)


def _bias_gradient(dy: Shape, how: Settings, lay: _Layout) -> _core.Plan:
    """With channels last, of images of one point."""
    if lay.last:
        return _core.BiasPlan((math.prod(dy[:-1]), dy[-1], 1), 1, *how)
    return _core.BiasPlan(dy, lay.rank, *how)


def _forward(
    to: _Direction, op: str, rank: int, how: Settings, x: Shape, w: Shape, b: Shape | None, *arguments: Any
) -> _core.Plan:
    *windows, algo, data_format = arguments
    algorithm, lay = _algorithm(op, algo), _layout(op, rank, data_format)
    problem = to.problem(op, rank, lay.first(x), w, b, *windows)
    return _pass(to.forward, problem, how, _result_shape(to.forward, problem, rank, x), lay, algorithm)


def _fused(
    to: _Direction,
    op: str,
    rank: int,
    how: Settings,
    x: Shape,
    w: Shape,
    b: Shape | None,
    norm: Shape | None,
    residual: Shape | None,
    *arguments: Any,
    prepared: bool = False,
) -> _core.ConvPlan:
    """``clamp((op(...) - mean) * inverse * weight + bias + residual)``, the rows of `norm`, (4, channels), between."""
    *windows, algo, clamp = arguments
    problem = to.problem(op, rank, x, w, b, *windows)
    shape = _result_shape(to.forward, problem, rank, x)
    if norm is not None:
        same_shape(op, "norm", norm, (4, shape[-rank - 1]))
    if residual not in (None, shape):
        raise ValueError(f"Residual: body gives {shape}, shortcut gives {residual}")
    return _core.ConvPlan(to.forward, problem, *how, shape, _algorithm(op, algo), clamp, prepared)


class Prepared(Op):
    """An op like that of `FUSED` whose weight is given, and prepared once for each problem that it meets.

    Its arrays are input, bias, norm and residual, its argument the limits. It prepared the weight for `problems`, which
    takes `nbytes`.
    """

    def __init__(self, op: str, weight: Callable[[], Array], windows: tuple[Any, ...], algo: str = "auto") -> None:
        self.direction, self.weight, self.windows, self.algo = _direction(op), weight, windows, algo
        self.problems = self.nbytes = 0
        super().__init__(op, self._prepare, "input", "bias?", "norm?", "residual?")

    def _prepare(
        self, how: Settings, x: Shape, b: Shape | None, norm: Shape | None, residual: Shape | None, clamp: Any
    ) -> _core.Plan:
        weight = self.weight()
        if (weight.dtype == np.float64) != how[2]:
            raise TypeError(f"{self.name}: weight is {weight.dtype} (expected the dtype of the input)")
        shapes, arguments = (x, weight.shape, b, norm, residual), (*self.windows, self.algo, clamp)
        rank = int(self.name[-2])
        plan = _fused(self.direction, self.name, rank, how, *shapes, *arguments, prepared=True)
        found = _core.Prepared(plan, np.ascontiguousarray(weight))
        self.problems, self.nbytes = self.problems + 1, self.nbytes + found.weight.nbytes
        return found


def _direction(op: str) -> _Direction:
    return _TRANSPOSE if op.startswith(_TRANSPOSE.name) else _CONV


def _backward(
    to: _Direction, op: str, rank: int, how: Settings, dy: Shape, x: Shape, w: Shape, *arguments: Any
) -> _core.Plan:
    *windows, mask, data_format = arguments
    lay = _layout(op, rank, data_format)
    problem = to.problem(op, rank, lay.first(x), w, None, *windows)
    lay.check(op, dy, _result_shape(to.forward, problem, rank, x))
    return _core.Several(
        (_pass(to.backward, problem, how, lay.first(x), lay) if mask[0] else None, (0, 2)),
        (_pass(_core.BACKWARD_WEIGHTS, problem, how, w, lay) if mask[1] else None, to.weight_gradient),
        (_bias_gradient(dy, how, lay) if mask[2] else None, (0,)),
    )


def _input_gradient(
    to: _Direction, op: str, rank: int, how: Settings, dy: Shape, w: Shape, input_size: Any, *arguments: Any
) -> _core.Plan:
    *windows, data_format = arguments
    lay = _layout(op, rank, data_format)
    x = lay.first(geometry.size(op, "input_size", input_size))
    problem = to.problem(op, rank, x, w, None, *windows)
    lay.check(op, dy, _result_shape(to.forward, problem, rank, x))
    return _pass(to.backward, problem, how, x, lay)


def _weight_gradient(
    to: _Direction, op: str, rank: int, how: Settings, x: Shape, dy: Shape, weight_size: Any, *arguments: Any
) -> _core.Plan:
    *windows, data_format = arguments
    lay = _layout(op, rank, data_format)
    w = geometry.size(op, "weight_size", weight_size)
    problem = to.problem(op, rank, lay.first(x), w, None, *windows)
    lay.check(op, dy, _result_shape(to.forward, problem, rank, x))
    return _pass(_core.BACKWARD_WEIGHTS, problem, how, w, lay)


def _ops(to: _Direction, suffix: str, plan: Callable[..., _core.Plan], *arrays: str) -> dict[int, Op]:
    """The op of each rank."""
    names = {rank: f"{to.name}{rank}d{suffix}" for rank in (1, 2, 3)}
    return {rank: Op(name, partial(plan, to, name, rank), *arrays) for rank, name in names.items()}


CONV = _ops(_CONV, "", _forward, "input", "weight", "bias?")
CONV_BACKWARD = _ops(_CONV, "_backward", _backward, "grad_output", "input", "weight")
CONV_INPUT = _ops(_CONV, "_input", _input_gradient, "grad_output", "weight")
CONV_WEIGHT = _ops(_CONV, "_weight", _weight_gradient, "input", "grad_output")
TRANSPOSE = _ops(_TRANSPOSE, "", _forward, "input", "weight", "bias?")
FUSED = {
    op.name: op
    for to in (_CONV, _TRANSPOSE)
    for op in _ops(to, "", _fused, "input", "weight", "bias?", "norm?", "residual?").values()
}
TRANSPOSE_BACKWARD = _ops(_TRANSPOSE, "_backward", _backward, "grad_output", "input", "weight")
