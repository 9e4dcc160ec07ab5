"""Convolution of any rank, transposed convolution and their gradients; conv.py gives them their public names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry import convolution as geometry
from cnnfast._geometry.convolution import Conv, Padding

Array = NDArray[Any]
Ints = int | Sequence[int]
Mask = tuple[bool, bool, bool]
ALGORITHMS = ("auto", "direct", "winograd")


@lru_cache(maxsize=1024)
def _plan(which: int, problem: Conv, isa: int, threads: int, double: bool) -> _core.ConvPlan:
    return _core.ConvPlan(which, problem, isa, threads, double)


def _run(which: int, problem: Conv, first: Array, second: Array, bias: Array | None, out: Array) -> None:
    isa, threads, verbose = _config.how()
    plan = _plan(which, problem, isa, threads, out.dtype == np.float64)
    _core.conv(plan, first, second, bias, out, verbose)


def _check_algorithm(op: str, algo: str) -> None:
    if algo not in ALGORITHMS:
        raise ValueError(f"{op}: algo is {algo!r} (expected one of {', '.join(map(repr, ALGORITHMS))})")


def _shape(array: Array | None) -> tuple[int, ...] | None:
    return None if array is None else array.shape


def _apply(
    which: int, op: str, problem: Conv, rank: int, x: Array, weight: Array, bias: Array | None, out: Any
) -> Array:
    """Forward or backward-data of a batch, or of one image."""
    shape = problem.output_shape if which == _core.FORWARD else problem.input_shape
    final = shape if x.ndim == rank + 2 else shape[1:]
    with _arrays.into(op, out, final, x.dtype, x, weight, bias) as y:
        _run(which, problem, x, weight, bias, y)
    return y if out is None else out  # type: ignore[no-any-return]


def conv(
    rank: int,
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    out: Array | None,
    algo: str,
) -> Array:
    op = f"conv{rank}d"
    _check_algorithm(op, algo)
    x, w, b = _arrays.floating(op, input=input, weight=weight, bias=bias)
    problem = geometry.conv(op, rank, x.shape, w.shape, _shape(b), stride, padding, dilation, groups)
    return _apply(_core.FORWARD, op, problem, rank, x, w, b, out)


def conv_transpose(
    rank: int,
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
    out: Array | None,
    algo: str,
) -> Array:
    op = f"conv_transpose{rank}d"
    _check_algorithm(op, algo)
    x, w, b = _arrays.floating(op, input=input, weight=weight, bias=bias)
    problem = geometry.conv_transpose(
        op, rank, x.shape, w.shape, _shape(b), stride, padding, output_padding, groups, dilation
    )
    return _apply(_core.BACKWARD_DATA, op, problem, rank, x, w, b, out)


def _check_gradient(op: str, name: str, grad: Array, expected: tuple[int, ...]) -> None:
    if grad.shape != expected:
        raise ValueError(f"{op}: {name} has shape {grad.shape} (expected {expected})")


def _grad_bias(grad_output: Array, rank: int) -> Array:
    batch = grad_output.reshape(-1, *grad_output.shape[-rank - 1 :])
    result = np.empty(batch.shape[1], batch.dtype)
    _core.conv_backward_bias(_config.how(), batch, result)
    return result


def _grad_weight(problem: Conv, first: Array, second: Array) -> Array:
    result = np.empty(problem.weight_shape, first.dtype)
    _run(_core.BACKWARD_WEIGHTS, problem, first, second, None, result)
    return result


def conv_backward(
    rank: int,
    grad_output: ArrayLike,
    input: ArrayLike,
    weight: ArrayLike,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    mask: Mask,
) -> tuple[Array | None, Array | None, Array | None]:
    op = f"conv{rank}d_backward"
    dy, x, w = _arrays.floating(op, grad_output=grad_output, input=input, weight=weight)
    problem = geometry.conv(op, rank, x.shape, w.shape, None, stride, padding, dilation, groups)
    _check_gradient(op, "grad_output", dy, problem.output_shape[x.ndim == rank + 1 :])
    return (
        _apply(_core.BACKWARD_DATA, op, problem, rank, dy, w, None, None) if mask[0] else None,
        _grad_weight(problem, x, dy) if mask[1] else None,
        _grad_bias(dy, rank) if mask[2] else None,
    )


def conv_transpose_backward(
    rank: int,
    grad_output: ArrayLike,
    input: ArrayLike,
    weight: ArrayLike,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
    mask: Mask,
) -> tuple[Array | None, Array | None, Array | None]:
    op = f"conv_transpose{rank}d_backward"
    dy, x, w = _arrays.floating(op, grad_output=grad_output, input=input, weight=weight)
    problem = geometry.conv_transpose(
        op, rank, x.shape, w.shape, None, stride, padding, output_padding, groups, dilation
    )
    _check_gradient(op, "grad_output", dy, problem.input_shape[x.ndim == rank + 1 :])
    return (
        _apply(_core.FORWARD, op, problem, rank, dy, w, None, None) if mask[0] else None,
        _grad_weight(problem, dy, x) if mask[1] else None,
        _grad_bias(dy, rank) if mask[2] else None,
    )


def conv_input(
    rank: int,
    input_size: Sequence[int],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
) -> Array:
    op = f"conv{rank}d_input"
    w, dy = _arrays.floating(op, weight=weight, grad_output=grad_output)
    size = geometry.size(op, "input_size", input_size)
    problem = geometry.conv(op, rank, size, w.shape, None, stride, padding, dilation, groups)
    _check_gradient(op, "grad_output", dy, problem.output_shape[len(size) == rank + 1 :])
    return _apply(_core.BACKWARD_DATA, op, problem, rank, dy, w, None, None)


def conv_weight(
    rank: int,
    input: ArrayLike,
    weight_size: Sequence[int],
    grad_output: ArrayLike,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
) -> Array:
    op = f"conv{rank}d_weight"
    x, dy = _arrays.floating(op, input=input, grad_output=grad_output)
    size = geometry.size(op, "weight_size", weight_size)
    problem = geometry.conv(op, rank, x.shape, size, None, stride, padding, dilation, groups)
    _check_gradient(op, "grad_output", dy, problem.output_shape[x.ndim == rank + 1 :])
    return _grad_weight(problem, x, dy)
