"""Ops whose plans are remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfast import _arrays, _config, _core

Settings = tuple[int, int, bool, bool]


def settings(array: NDArray[Any]) -> Settings:
    """How to plan for arrays of this dtype."""
    isa, threads, _ = _config.how()
    return isa, threads, array.dtype == np.float64, _config.current().exact


class Op(_core.Op):
    """A public op of arrays with these names, of which the last may be missing where they end in '?'; see `_core.Op`.

    `plan(settings, *shapes, *arguments)` gets (isa, threads, double, exact), the shapes of the arrays, None for a
    missing one, and the other arguments, and raises what is to be raised for them.
    """

    def __init__(self, name: str, plan: Callable[..., _core.Plan], *arrays: str) -> None:
        self.name, self.arrays = name, [array.rstrip("?") for array in arrays]
        self.optional = [array.rstrip("?") for array in arrays if array.endswith("?")]
        super().__init__(plan, len(self.arrays) - len(self.optional))

    def accept(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(_arrays.floating(self.name, *self.optional, **dict(zip(self.arrays, arrays, strict=True))))

    def check_out(self, out: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        _arrays.check_out(self.name, out, shape, dtype)
