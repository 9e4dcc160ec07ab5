"""Dropout: Philox4x32-10 (J. Salmon et al., SC'11) decides by seed and index which elements or planes are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _random
from cnnfast._geometry.tuples import channel_axes, flag, integer, number
from cnnfast.reference._common import Array, give, ranks

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

Words = NDArray[np.uint64]

ROUNDS = 10
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(seed: int, blocks: Words) -> Words:
    """The four 32-bit words of each counter (block low, block high, 0, 0) under the key (seed low, seed high)."""
    zero = np.zeros_like(blocks)
    a, b, c, d = blocks & _LOW, blocks >> _HALF, zero, zero
    keys = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(ROUNDS):
        p, q = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b = (q >> _HALF) ^ b ^ np.uint64(keys[0]), q & _LOW
        c, d = (p >> _HALF) ^ d ^ np.uint64(keys[1]), p & _LOW
        keys = [(key + step) & 0xFFFFFFFF for key, step in zip(keys, KEY_STEPS, strict=True)]
    return np.stack([a, b, c, d], axis=-1)


def _factors(p: float, seed: int, count: int) -> Array:
    """0 or 1 / (1 - p) for each of `count` draws; draw e is kept if its word is at least floor(p * 2**32)."""
    words = philox(seed, np.arange(-(-count // 4), dtype=np.uint64)).reshape(-1)[:count]
    return np.where(words >= np.uint64(int(p * 2**32)), 1 / (1 - p) if p < 1 else 0.0, 0.0)


def _drop(op: str, x: Array, p: float, seed: int | None, planes: int, out: Array | None = None) -> Array:
    chosen = integer(op, "seed", _random.seed() if seed is None else seed, 0)
    if chosen >= 2**64:
        raise ValueError(f"{op}: seed is {seed!r} (expected an int of 64 bits)")
    factors = _factors(p, chosen, int(np.prod(x.shape[:planes])))
    factors = factors.reshape((*x.shape[:planes], *(1,) * (x.ndim - planes)))
    with np.errstate(invalid="ignore"):
        return give(op, np.where(factors == 0, 0, factors * x), x.dtype, out)


def _probability(op: str, p: float, training: bool = True) -> float:
    if not 0 <= number(op, "p", p) <= 1:
        raise ValueError(f"{op}: p is {p!r} (expected a probability)")
    return p if flag(op, "training", training) else 0.0


def _target(op: str, input: object, inplace: bool, out: Array | None) -> Array | None:
    return _arrays.in_place(op, input, out) if inplace else out


def dropout(
    input: ArrayLike,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    seed: int | None = None,
    out: Array | None = None,
) -> Array:
    """``x / (1 - p)`` for elements that are kept, else 0; the draw of an element is its flat index."""
    (x,) = _arrays.floating("dropout", input=input)
    target = _target("dropout", input, inplace, out)
    return _drop("dropout", x, _probability("dropout", p, training), seed, x.ndim, target)


def dropout_backward(grad_output: ArrayLike, p: float = 0.5, seed: int = 0) -> Array:
    """Gradient of `dropout` with that seed: the same factors on `grad_output`."""
    (dy,) = _arrays.floating("dropout_backward", grad_output=grad_output)
    return _drop("dropout_backward", dy, _probability("dropout_backward", p), seed, dy.ndim)


def dropoutNd(
    rank: int,
    input: ArrayLike,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    seed: int | None = None,
    out: Array | None = None,
) -> Array:
    """``x / (1 - p)`` for planes that are kept, else 0; the draw of plane (n, c) is n * C + c."""
    op = f"dropout{rank}d"
    (x,) = _arrays.floating(op, input=input)
    axes = channel_axes(op, "input", x.shape, rank)
    return _drop(op, x, _probability(op, p, training), seed, axes, _target(op, input, inplace, out))


def dropoutNd_backward(rank: int, grad_output: ArrayLike, p: float = 0.5, seed: int = 0) -> Array:
    """Gradient of `dropoutNd` with that seed: the same factors on `grad_output`."""
    op = f"dropout{rank}d_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    axes = channel_axes(op, "grad_output", dy.shape, rank)
    return _drop(op, dy, _probability(op, p), seed, axes)


dropout1d, dropout2d, dropout3d = ranks(dropoutNd)
dropout1d_backward, dropout2d_backward, dropout3d_backward = ranks(dropoutNd_backward)
