"""Where arrays have their channels: `data_format`, and the shapes that follow from it."""

from __future__ import annotations

from typing import Any

from cnnfast._geometry.tuples import Ints

_NAMES = {1: ("NCW", "NCL", "NWC", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def channels_last(op: str, rank: int, data_format: Any) -> bool:
    names = "channels_first", "channels_last", *_NAMES[rank]
    if data_format not in names:
        raise ValueError(f"{op}: data_format is {data_format!r} (expected one of {', '.join(map(repr, names))})")
    return bool(data_format == "channels_last" or data_format.endswith("C"))


def to_first(shape: Ints, rank: int) -> Ints:
    """(N, ..., C) as (N, C, ...), both also without N; other shapes stay, and are refused where ranks are checked."""
    if len(shape) not in (rank + 1, rank + 2):
        return shape
    return (*shape[: -rank - 1], shape[-1], *shape[-rank - 1 : -1])


def to_last(shape: Ints, rank: int) -> Ints:
    """(N, C, ...) as (N, ..., C), both also without N."""
    return (*shape[: -rank - 1], *shape[-rank:], shape[-rank - 1])
