"""Numbers, flags and n-tuples of integers as arguments, and checks of shapes."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from cnnfast import _core

Ints = tuple[int, ...]
IntOrTuple = int | Sequence[int]

cached = _core.Remembering

_BOOLS = (bool, np.bool_)

# No array has more elements than fit an address space, and sums of a few such sizes still fit an int64.
MAX_ELEMENTS = 2**62
# Products of two arguments, such as stride and extent, fit an int64.
MAX_ARGUMENT = 2**31 - 1


def integer(op: str, name: str, value: Any, least: int | None = None) -> int:
    """`value` as an int; bools and floats are no ints, NumPy integers are."""
    try:
        number = None if isinstance(value, _BOOLS) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{op}: {name} is {value!r} (expected an int)")
    if least is not None and number < least:
        raise ValueError(f"{op}: {name} is {number} (expected at least {least})")
    return number


def ints(op: str, name: str, value: object, rank: int, least: int | None = None) -> Ints:
    """`value` for each of `rank` axes: an int or a sequence of one stands for all of them."""
    numbers = tuple(integer(op, name, v, least) for v in (value if isinstance(value, tuple | list) else (value,)))
    if len(numbers) not in (1, rank):
        raise ValueError(f"{op}: {name} is {value!r} (expected an int or {rank} of them)")
    if max(numbers) > MAX_ARGUMENT:
        raise ValueError(f"{op}: {name} is {value!r} (expected at most {MAX_ARGUMENT})")
    return numbers if len(numbers) == rank else numbers * rank


def flag(op: str, name: str, value: Any) -> bool:
    """`value` as a bool; as in PyTorch, numbers are no bools, and here NumPy's bools are."""
    if not isinstance(value, _BOOLS):
        raise TypeError(f"{op}: {name} is {value!r} (expected a bool)")
    return bool(value)


def number(op: str, name: str, value: Any) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"{op}: {name} is {value!r} (expected a number)")
    return float(value)


def same_shape(op: str, name: str, shape: Ints, expected: Ints) -> None:
    if shape != expected:
        raise ValueError(f"{op}: {name} has shape {shape} (expected {expected})")


def check_size(op: str, shape: Sequence[int]) -> None:
    """Refuse arrays that no machine could hold."""
    if math.prod(max(extent, 1) for extent in shape) > MAX_ELEMENTS:
        raise ValueError(f"{op}: an array of shape {tuple(shape)} would have over 2**62 elements (too large)")


def check_rank(op: str, name: str, shape: Ints, rank: int) -> None:
    """Arrays are (N, C, *spatial) or, unbatched, (C, *spatial)."""
    if len(shape) not in (rank + 1, rank + 2):
        raise ValueError(
            f"{op}: {name} has {len(shape)} dimensions, shape {shape} "
            f"(expected {rank + 2}, or {rank + 1} without a batch)"
        )


def check_not_empty(op: str, name: str, shape: Ints, first: int) -> None:
    """Only the batch may be empty; `first` is the index of the channel axis."""
    if 0 in shape[first:]:
        raise ValueError(f"{op}: {name} has shape {shape} (expected only the batch, if anything, to be empty)")


def channel_axes(op: str, name: str, shape: Ints, rank: int) -> int:
    """How many leading axes number the channels that dropout drops: N and C, or C alone.

    As in PyTorch, dropout1d takes a batch or one sample, dropout2d a batch of any further axes, and dropout3d takes
    what has not five axes as one sample.
    """
    least, most = {1: (2, 3), 2: (2, len(shape)), 3: (1, len(shape))}[rank]
    if not least <= len(shape) <= most:
        raise ValueError(f"{op}: {name} has shape {shape} (expected {rank + 2} axes)")
    single = {1: len(shape) == 2, 2: False, 3: len(shape) != 5}[rank]
    return 1 if single else 2
