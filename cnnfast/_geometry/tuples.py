"""Integers and n-tuples of integers as arguments."""

from __future__ import annotations

import operator
from collections.abc import Sequence

Ints = tuple[int, ...]
IntOrTuple = int | Sequence[int]

MAX_ELEMENTS = 2**62


def integer(op: str, name: str, value: object, least: int | None = None) -> int:
    """`value` as an int; bools and floats are no ints, NumPy integers are."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{op}: {name} is {value!r} (expected an int)")
    number = operator.index(value)
    if least is not None and number < least:
        raise ValueError(f"{op}: {name} is {number} (expected at least {least})")
    return number


def ints(op: str, name: str, value: object, rank: int, least: int | None = None) -> Ints:
    """`value` for each of `rank` axes: an int or a sequence of one stands for all of them."""
    if type(value) is int:
        return (integer(op, name, value, least),) * rank
    if not isinstance(value, tuple | list):
        return (integer(op, name, value, least),) * rank
    numbers = tuple(integer(op, name, v, least) for v in value)
    if len(numbers) == 1:
        return numbers * rank
    if len(numbers) != rank:
        raise ValueError(f"{op}: {name} is {value!r} (expected an int or {rank} of them)")
    return numbers


def check_size(op: str, shape: Sequence[int]) -> None:
    """Refuse results whose number of elements no machine could hold."""
    elements = 1
    for extent in shape:
        elements *= max(extent, 1)
    if elements > MAX_ELEMENTS:
        raise ValueError(f"{op}: the result would have shape {tuple(shape)} (too large)")


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
