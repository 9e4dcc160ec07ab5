"""What backends do to arrays on the way in and out: one dtype, channels first, windows that fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfast.backends._backend import NotCovered

Array = NDArray[Any]


def alike(*arrays: Array) -> list[Array]:
    """The arrays in the dtype that NumPy's arithmetic would give; NotCovered unless it is float32 or float64."""
    dtype = np.result_type(*arrays)
    if dtype.kind != "f" or dtype.itemsize not in (4, 8):
        raise NotCovered
    return [np.asarray(array, dtype) for array in arrays]


def channels_first(array: Array) -> Array:
    """A view (N, C, ...) of an array (N, ..., C)."""
    return np.moveaxis(array, -1, 1)


def channels_last(array: Array) -> Array:
    """A view (N, ..., C) of an array (N, C, ...)."""
    return np.moveaxis(array, 1, -1)
