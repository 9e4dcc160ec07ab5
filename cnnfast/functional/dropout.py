"""Dropout of elements and of whole planes; the mask is a function of seed and index alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core, _random

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


def _drop(op: str, x: Array, p: Any, seed: Any, run: int, out: Array | None) -> Array:
    if isinstance(p, bool) or not isinstance(p, int | float | np.number) or not 0 <= p <= 1:
        raise ValueError(f"{op}: p is {p!r} (expected a probability)")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(f"{op}: seed is {seed!r} (expected an int of 64 bits)")
    with _arrays.into(op, out, x.shape, x.dtype) as y:
        if p == 1:
            y[...] = 0
        else:
            _core.dropout(_config.how(), float(p), int(seed), run, x, y)
    return y if out is None else out


def dropout(
    input: ArrayLike, p: float = 0.5, training: bool = True, inplace: bool = False, *, seed: int | None = None
) -> Array:
    """Zero each element with probability p and scale the others by ``1 / (1 - p)``; N. Srivastava et al., JMLR 15, 2014.

    Parameters
    ----------
    input : array_like, float32 or float64
    p : float
        Probability to drop.
    training : bool
        If False, return a copy of the input.
    inplace : bool
        Write the result into `input`.
    seed : int, optional
        The same seed gives the same mask on any machine and for any number of threads (Philox4x32-10, J. Salmon et al., SC'11).
        By default the next one of the sequence that `cnnfast.manual_seed` starts.

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, p outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import dropout
    >>> dropout(np.ones(8), 0.5, seed=1).tolist() == dropout(np.ones(8), 0.5, seed=1).tolist()
    True
    """
    (x,) = _arrays.floating("dropout", input=input)
    if inplace and (x is not input or not x.flags.writeable):
        raise ValueError("dropout: inplace needs a writable, C-contiguous ndarray as input")
    return _drop("dropout", x, p if training else 0.0, _random.seed() if seed is None else seed, 1, x if inplace else None)


def dropout_backward(grad_output: ArrayLike, p: float = 0.5, seed: int = 0) -> Array:
    """Gradient of `dropout` with that seed: the same mask and scale on `grad_output`."""
    (dy,) = _arrays.floating("dropout_backward", grad_output=grad_output)
    return _drop("dropout_backward", dy, p, seed, 1, None)


def _run_of(op: str, x: Array, rank: int) -> int:
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError(f"{op}: input has shape {x.shape} (expected {rank + 2} axes, or {rank + 1} without a batch)")
    return max(1, math.prod(x.shape[-rank:]))


def _plane_dropout(rank: int):  # type: ignore[no-untyped-def]
    op = f"dropout{rank}d"

    def function(
        input: ArrayLike, p: float = 0.5, training: bool = True, inplace: bool = False, *, seed: int | None = None
    ) -> Array:
        (x,) = _arrays.floating(op, input=input)
        if inplace and (x is not input or not x.flags.writeable):
            raise ValueError(f"{op}: inplace needs a writable, C-contiguous ndarray as input")
        run, chosen = _run_of(op, x, rank), _random.seed() if seed is None else seed
        return _drop(op, x, p if training else 0.0, chosen, run, x if inplace else None)

    function.__name__ = function.__qualname__ = op
    function.__doc__ = f"Zero whole channels, an input being (N, C, {rank} axes) or (C, {rank} axes); else as `dropout`."
    return function


def _plane_dropout_backward(rank: int):  # type: ignore[no-untyped-def]
    op = f"dropout{rank}d_backward"

    def function(grad_output: ArrayLike, p: float = 0.5, seed: int = 0) -> Array:
        (dy,) = _arrays.floating(op, grad_output=grad_output)
        return _drop(op, dy, p, seed, _run_of(op, dy, rank), None)

    function.__name__ = function.__qualname__ = op
    function.__doc__ = f"Gradient of `dropout{rank}d` with that seed."
    return function


dropout1d, dropout2d, dropout3d = map(_plane_dropout, (1, 2, 3))
dropout1d_backward, dropout2d_backward, dropout3d_backward = map(_plane_dropout_backward, (1, 2, 3))
