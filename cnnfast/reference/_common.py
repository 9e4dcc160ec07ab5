"""What all families share: a name per rank, the dtype of results, checks of shapes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnnfast import _arrays
from cnnfast._geometry.tuples import same_shape

Array = NDArray[Any]
Ints = int | Sequence[int]

P = ParamSpec("P")
R = TypeVar("R")


def _of_rank(function: Callable[Concatenate[int, P], R], rank: int) -> Callable[P, R]:
    @functools.wraps(function)
    def op(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(rank, *args, **kwargs)

    signature = inspect.signature(function)
    op.__name__ = op.__qualname__ = function.__name__.replace("Nd", f"{rank}d")
    op.__doc__ = (function.__doc__ or "").replace("Nd", f"{rank}d")
    op.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return op


def ranks(function: Callable[Concatenate[int, P], R]) -> tuple[Callable[P, R], Callable[P, R], Callable[P, R]]:
    """fooNd(rank, ...) as foo1d(...), foo2d(...), foo3d(...)."""
    return _of_rank(function, 1), _of_rank(function, 2), _of_rank(function, 3)


def give(op: str, value: Array, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """The float64 result in the dtype of the input, in `out` if there is one."""
    y = _arrays.target(op, out, value.shape, dtype)
    with np.errstate(over="ignore"):
        y[...] = value
    return _arrays.deliver(y, out)


def check_shape(op: str, name: str, array: Array | None, *expected: int) -> None:
    if array is not None:
        same_shape(op, name, array.shape, expected)
