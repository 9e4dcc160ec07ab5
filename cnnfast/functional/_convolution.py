"""What the functions of conv.py share: cached plans, outputs, checks of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry.convolution import Conv

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


def check_algorithm(op: str, algo: str) -> None:
    if algo not in ALGORITHMS:
        raise ValueError(f"{op}: algo is {algo!r} (expected one of {', '.join(map(repr, ALGORITHMS))})")


def shape_of(array: Array | None) -> tuple[int, ...] | None:
    return None if array is None else array.shape


def apply(
    which: int, op: str, problem: Conv, rank: int, x: Array, weight: Array, bias: Array | None, out: Any
) -> Array:
    """Forward or backward-data of a batch, or of one image."""
    shape = problem.output_shape if which == _core.FORWARD else problem.input_shape
    final = shape if x.ndim == rank + 2 else shape[1:]
    with _arrays.into(op, out, final, x.dtype, x, weight, bias) as y:
        _run(which, problem, x, weight, bias, y)
    return y if out is None else out  # type: ignore[no-any-return]


def check_gradient(op: str, name: str, grad: Array, expected: tuple[int, ...]) -> None:
    if grad.shape != expected:
        raise ValueError(f"{op}: {name} has shape {grad.shape} (expected {expected})")


def grad_bias(grad_output: Array, rank: int) -> Array:
    batch = grad_output.reshape(-1, *grad_output.shape[-rank - 1 :])
    result = np.empty(batch.shape[1], batch.dtype)
    _core.conv_backward_bias(_config.how(), batch, result)
    return result


def grad_weight(problem: Conv, first: Array, second: Array) -> Array:
    result = np.empty(problem.weight_shape, first.dtype)
    _run(_core.BACKWARD_WEIGHTS, problem, first, second, None, result)
    return result
