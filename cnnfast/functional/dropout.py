"""Dropout of elements and of whole channels; the mask is a function of seed and index alone."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core, _random
from cnnfast._geometry.tuples import channel_axes, flag, integer, number
from cnnfast.functional._naming import named

__all__ = [
    "dropout",
    "dropout1d",
    "dropout1d_backward",
    "dropout2d",
    "dropout2d_backward",
    "dropout3d",
    "dropout3d_backward",
    "dropout_backward",
]

Array = NDArray[Any]
SEEDS = 2**64


def _probability(op: str, p: Any) -> float:
    probability = number(op, "p", p)
    if not 0 <= probability <= 1:
        raise ValueError(f"{op}: p is {p!r} (expected 0 to 1)")
    return probability


def _seed(op: str, seed: Any) -> int:
    value = integer(op, "seed", seed, 0)
    if value >= SEEDS:
        raise ValueError(f"{op}: seed is {value} (expected below 2**64)")
    return value


def _drop(op: str, name: str, rank: int, x: Array, p: float, seed: int, out: Array | None) -> Array:
    """Drop elements (rank 0), or what follows the axes that number the channels."""
    points = math.prod(x.shape[channel_axes(op, name, x.shape, rank) :]) if rank else 1
    y = _arrays.target(op, out, x.shape, x.dtype, None if x is out else x)
    if p == 1:
        y[...] = 0
    elif x.size:
        _core.dropout(_config.how(), p, seed, points, x, y)
    return _arrays.deliver(y, out)


def _forward(
    op: str, rank: int, input: ArrayLike, p: Any, training: bool, inplace: bool, seed: Any, out: Array | None
) -> Array:
    (x,) = _arrays.floating(op, input=input)
    probability = _probability(op, p)
    if inplace:
        out = _arrays.in_place(op, input, out)
    chosen = _random.seed() if seed is None else _seed(op, seed)
    return _drop(op, "input", rank, x, probability if flag(op, "training", training) else 0.0, chosen, out)


def dropout(
    input: ArrayLike,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    seed: int | None = None,
    out: Array | None = None,
) -> Array:
    """Zero each element with probability p, scale the others by ``1 / (1 - p)``; N. Srivastava et al., JMLR 15, 2014.

    Parameters
    ----------
    input : array_like, float32 or float64
    p : float, 0 to 1
        Probability to drop.  What is dropped is 0, also where it was not finite.
    training : bool
        If False, return a copy of the input.
    inplace : bool
        Write the result into `input`.
    seed : int, optional
        The same seed gives the same mask on any machine and for any number of threads: element i is kept if word
        ``i % 4`` of Philox4x32-10 (J. Salmon et al., SC'11) with counter ``i // 4`` and key `seed` is at least
        ``floor(p * 2**32)``.  By default the next one of the sequence that `cnnfast.manual_seed` starts.
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, and p or seed out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import dropout
    >>> dropout(np.ones(8), 0.5, seed=1).tolist() == dropout(np.ones(8), 0.5, seed=1).tolist()
    True
    """
    return _forward("dropout", 0, input, p, training, inplace, seed, out)


def dropout_backward(grad_output: ArrayLike, p: float = 0.5, seed: int = 0) -> Array:
    """Gradient of `dropout` with that seed: the same mask and scale on `grad_output`."""
    return _backward("dropout_backward", 0, grad_output, p, seed)


def _backward(op: str, rank: int, grad_output: ArrayLike, p: Any, seed: Any) -> Array:
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    return _drop(op, "grad_output", rank, dy, _probability(op, p), _seed(op, seed), None)


_DOC = """Zero whole channels of an input (N, C, AXES); J. Tompson et al., arXiv:1411.4280.

    Arguments and errors are those of `dropout`, with channels in the place of elements.  As in PyTorch, dropout1d also
    takes (C, L) and refuses other ranks, dropout2d sees (N, C, ...) in them, and dropout3d (C, ...).
    """


def _channel_dropout(rank: int):  # type: ignore[no-untyped-def]
    def function(
        input: ArrayLike,
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
        *,
        seed: int | None = None,
        out: Array | None = None,
    ) -> Array:
        return _forward(f"dropout{rank}d", rank, input, p, training, inplace, seed, out)

    return named(function, __name__, f"dropout{rank}d", rank, _DOC)


def _channel_dropout_backward(rank: int):  # type: ignore[no-untyped-def]
    def function(grad_output: ArrayLike, p: float = 0.5, seed: int = 0) -> Array:
        return _backward(f"dropout{rank}d_backward", rank, grad_output, p, seed)

    doc = "Gradient of `dropoutRANKd` with that seed: the same mask and scale on `grad_output`."
    return named(function, __name__, f"dropout{rank}d_backward", rank, doc)


dropout1d, dropout2d, dropout3d = map(_channel_dropout, (1, 2, 3))
dropout1d_backward, dropout2d_backward, dropout3d_backward = map(_channel_dropout_backward, (1, 2, 3))
