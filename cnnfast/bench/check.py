"""Results compared before anything is timed."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.bench.tasks import Call
from cnnfast.testing import Array

# Of the largest element.  The operands are whole numbers, on which only transforms round: ours keep what they promise.
PEER_TOLERANCE = 1e-4
OUR_TOLERANCE = 1e-5


class WrongResult(Exception):
    """A contender computed something else than NumPy did."""


def check(name: str, call: Call, expected: Any, tolerance: float) -> None:
    """Run `call` and compare its arrays with those of the NumPy baseline.

    Raises
    ------
    WrongResult
        If they differ by more than `tolerance` times the largest element.
    """
    for got, wanted in zip(_arrays(call()), _arrays(expected), strict=True):
        if got.size != wanted.size:
            raise WrongResult(f"{name} gives shape {got.shape} (expected {wanted.shape})")
        error = np.max(np.abs(got.reshape(wanted.shape) - wanted), initial=0)
        allowed = tolerance * np.max(np.abs(wanted), initial=1)
        if not error <= allowed:
            raise WrongResult(f"{name} is wrong by up to {error:g}")


def _arrays(result: Any) -> list[Array]:
    items = result if isinstance(result, tuple | list) else (result,)
    return [item if isinstance(item, np.ndarray) else item.numpy() for item in items]
