"""Checks of arrays at the door of every op: dtype, layout, and what `out` may be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfast import _core

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_LAYOUT: Any = ("C_CONTIGUOUS", "ALIGNED")

Array = NDArray[Any]


def _as_array(op: str, name: str, value: object) -> Array:
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{op}: {name} is {type(value).__name__} (expected an array)") from error


def floating(op: str, *optional: str, **arrays: Any) -> list[Any]:
    """Each array as an aligned, native, C-contiguous ndarray, all of one dtype, float32 or float64.

    Those named in `optional` may be None, and stay None.

    Raises
    ------
    TypeError
        If an array is missing or of another dtype, or they differ.
    """
    if _core.are_ready(arrays, optional):
        return list(arrays.values())
    result: list[Any] = []
    common: np.dtype[Any] | None = None
    first = ""
    for name, value in arrays.items():
        if value is None:
            if name not in optional:
                raise TypeError(f"{op}: {name} is None (expected an array)")
            result.append(None)
            continue
        array = value if type(value) is np.ndarray else _as_array(op, name, value)
        dtype = array.dtype.newbyteorder("=")
        if dtype not in FLOATS:
            raise TypeError(f"{op}: {name} is {array.dtype} (expected float32 or float64)")
        if common is None:
            common, first = dtype, name
        elif dtype != common:
            raise TypeError(f"{op}: {name} is {dtype}, {first} is {common} (expected one dtype)")
        flags = array.flags
        if not (flags.c_contiguous and flags.aligned and array.dtype.isnative):
            array = np.require(array, dtype, _LAYOUT)
        result.append(array)
    return result


def numeric(op: str, name: str, value: object) -> Array:
    """`value` as an aligned, native, C-contiguous ndarray of booleans or numbers of any dtype.

    Raises
    ------
    TypeError
        If it holds anything else.
    """
    array = _as_array(op, name, value)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{op}: {name} is {array.dtype} (expected booleans or numbers)")
    return np.require(array, array.dtype.newbyteorder("="), _LAYOUT)


def integers(op: str, **arrays: Any) -> list[Array]:
    """Each array as an aligned, C-contiguous int64 ndarray; other integer dtypes convert.

    Raises
    ------
    TypeError
        If an array holds no integers.
    """
    result = []
    for name, value in arrays.items():
        array = _as_array(op, name, value)
        if array.dtype.kind not in "iu":
            raise TypeError(f"{op}: {name} is {array.dtype} (expected integers)")
        result.append(np.require(array, np.int64, _LAYOUT))
    return result


def check_out(op: str, out: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{op}: out is {type(out).__name__} (expected an ndarray)")
    if out.dtype.newbyteorder("=") != dtype:
        raise TypeError(f"{op}: out is {out.dtype} (expected {dtype})")
    if out.shape != shape:
        raise ValueError(f"{op}: out has shape {out.shape} (expected {shape})")
    if not out.flags.writeable:
        raise ValueError(f"{op}: out is read-only")


def in_place(op: str, input: object, out: object) -> Array:
    """The `out` of a call with inplace=True: its input."""
    if out is not None:
        raise ValueError(f"{op}: inplace and out are given (expected one of them)")
    if not isinstance(input, np.ndarray) or not input.flags.writeable:
        raise ValueError(f"{op}: input is {type(input).__name__} (expected a writable ndarray, since inplace is True)")
    return input


def target(op: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], *inputs: Array | None) -> Array:
    """A packed array of `shape` to compute into, whose content `deliver` brings to `out`.

    It is `out` itself where that can be written directly, else an array of its own: an `out` with gaps, or one that
    overlaps an input, is right too, and nothing is written if the computation raises.
    """
    if out is None:
        return _core.empty(shape, dtype)
    check_out(op, out, shape, dtype)
    flags = out.flags
    overlaps = any(i is not None and np.may_share_memory(out, i) for i in inputs)
    if flags.c_contiguous and flags.aligned and out.dtype.isnative and not overlaps:
        return out  # type: ignore[no-any-return]
    return _core.empty(shape, dtype)


def given(op: str, result: Array, out: Array | None) -> Array:
    """What the caller gets of a result that lies in an array of its own."""
    if out is not None:
        check_out(op, out, result.shape, result.dtype)
    return deliver(result, out)


def deliver(result: Array, out: Array | None) -> Array:
    """What the caller gets of the array that `target` gave: `out` if there is one."""
    if out is None:
        return result
    if result is not out:
        out[...] = result
    return out
