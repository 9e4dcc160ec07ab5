"""Channels last: the definition for channels first, with the axes moved before and after."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast import _arrays
from cnnfast._geometry.convolution import size
from cnnfast._geometry.layout import channels_last, to_first
from cnnfast.reference._common import Array

_KEYWORD = inspect.Parameter("data_format", inspect.Parameter.KEYWORD_ONLY, default="channels_first", annotation="str")


def _first(rank: int, array: Any) -> Array:
    array = np.asarray(array)
    return np.moveaxis(array, -1, -rank - 1) if array.ndim in (rank + 1, rank + 2) else array


def _last(rank: int, array: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(array, -rank - 1, -1))


def in_any_layout(function: Callable[..., Any]) -> Callable[..., Any]:
    """fooNd(rank, ...) with the keyword `data_format`, which tells how all arrays but weight and bias lie."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def op(rank: int, *args: Any, data_format: str = "channels_first", **named: Any) -> Any:
        name = function.__name__.replace("Nd", f"{rank}d")
        if not channels_last(name, rank, data_format):
            return function(rank, *args, **named)
        call = signature.bind(rank, *args, **named)
        given, out = call.arguments, call.arguments.pop("out", None)
        given |= {key: _first(rank, given[key]) for key in ("input", "grad_output", "indices") if key in given}
        if "input_size" in given:
            given["input_size"] = to_first(size(name, "input_size", given["input_size"]), rank)
        result = function(*call.args, **call.kwargs)
        if name.endswith("_weight"):
            return result
        if isinstance(result, tuple) and "backward" in name:
            return None if result[0] is None else _last(rank, result[0]), *result[1:]
        values, *places = result if isinstance(result, tuple) else (result,)
        moved = _arrays.given(name, _last(rank, values), out)
        return (moved, *(_last(rank, a) for a in places)) if places else moved

    parameters = list(signature.parameters.values())
    op.__signature__ = signature.replace(parameters=[*parameters, _KEYWORD])  # type: ignore[attr-defined]
    return op
