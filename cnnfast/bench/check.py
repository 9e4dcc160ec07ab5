"""Results compared before anything is timed."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.bench.tasks import Call
from cnnfast.testing import Array

# A peer may use a transform that rounds; ours may not, on operands that are whole numbers.
PEER_TOLERANCE = 1e-4


class WrongResult(Exception):
    """A contender computed something else than NumPy did."""


def check(name: str, call: Call, expected: Any, exact: bool) -> None:
    """Run `call` and compare its arrays with those of the NumPy baseline.

    Raises
    ------
    WrongResult
        If they differ: at all where `exact`, else by more than 1e-4 of the largest element.
    """
    for got, wanted in zip(_arrays(call()), _arrays(expected), strict=True):
        if got.size != wanted.size:
            raise WrongResult(f"{name} gives shape {got.shape} (expected {wanted.shape})")
        error = np.max(np.abs(got.reshape(wanted.shape) - wanted), initial=0)
        allowed = 0 if exact else PEER_TOLERANCE * np.max(np.abs(wanted), initial=1)
        if not error <= allowed:
            raise WrongResult(f"{name} is wrong by up to {error:g}")


def _arrays(result: Any) -> list[Array]:
    items = result if isinstance(result, tuple | list) else (result,)
    return [item if isinstance(item, np.ndarray) else item.numpy() for item in items]
