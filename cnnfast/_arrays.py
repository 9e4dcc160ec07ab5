"""Checks of arrays at the door of every op: dtype, layout, and what `out` may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def _check_out(op: str, out: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{op}: out is {type(out).__name__} (expected an ndarray)")
    if out.dtype.newbyteorder("=") != dtype:
        raise TypeError(f"{op}: out is {out.dtype} (expected {dtype})")
    if out.shape != shape:
        raise ValueError(f"{op}: out has shape {out.shape} (expected {shape})")
    if not out.flags.writeable:
        raise ValueError(f"{op}: out is read-only")
    return out


def in_place(op: str, input: object, out: object) -> Array:
    """The `out` of a call with inplace=True: its input."""
    if out is not None:
        raise ValueError(f"{op}: inplace and out are given (expected one of them)")
    if not isinstance(input, np.ndarray) or not input.flags.writeable:
        raise ValueError(f"{op}: input is {type(input).__name__} (expected a writable ndarray, since inplace is True)")
    return input


@contextmanager
def _through_copy(out: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    result = np.empty(shape, out.dtype.newbyteorder("="))
    yield result
    out[...] = result


class _Direct:
    """A context that hands out its array: cheaper than a generator where nothing is to be done afterwards."""

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array

    def __enter__(self) -> Array:
        return self.array

    def __exit__(self, *_: object) -> None:
        return None


def into(op: str, out: object, shape: tuple[int, ...], dtype: np.dtype[Any], *inputs: Array | None) -> Any:
    """Context manager whose value is a packed array of `shape` to compute into.

    It is `out` itself where that can be written directly, else an array that is copied to `out` at the end: an `out`
    with gaps, or one that overlaps an input, is right too.  Nothing is written if the computation raises.
    """
    if out is None:
        return _Direct(np.empty(shape, dtype))
    checked = _check_out(op, out, shape, dtype)
    flags = checked.flags
    overlaps = any(i is not None and np.may_share_memory(checked, i) for i in inputs)
    if flags.c_contiguous and flags.aligned and checked.dtype.isnative and not overlaps:
        return _Direct(checked)
    return _through_copy(checked, shape)
