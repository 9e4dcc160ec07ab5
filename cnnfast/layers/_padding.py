"""Padding with values of the array itself, and its gradient: the ``padding_mode`` of `Conv2d`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from cnnfast.layers.module import Array

Pads = Sequence[tuple[int, int]]

MODES: dict[str, Literal["reflect", "edge", "wrap"]] = {
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def pad(op: str, input: Array, pads: Pads, mode: str) -> Array:
    """Return ``input`` with (low, high) elements more on each of its last axes.

    Raises
    ------
    ValueError
        If the array is too small to fill the border from.
    """
    lead, sizes = input.shape[: -len(pads)], input.shape[-len(pads) :]
    for size, widths in zip(sizes, pads, strict=True):
        limit = {"reflect": size - 1, "circular": size}.get(mode, max(widths) if size else 0)
        if max(widths) > limit:
            raise ValueError(f"{op}: padding is {widths} on an axis of {size} (expected at most {limit})")
    padded = [size + low + high for size, (low, high) in zip(sizes, pads, strict=True)]
    output = np.empty((*lead, *padded), input.dtype)
    output[_inside(output, pads)] = input
    for lines, target, source in _copies(output, pads, mode):
        lines[target] = lines[source]
    return output


def pad_backward(grad_output: Array, pads: Pads, mode: str) -> Array:
    """Return the gradient of `pad`'s input; overwrites ``grad_output``."""
    for lines, target, source in _copies(grad_output, pads, mode):
        lines[source] += lines[target]
    return np.ascontiguousarray(grad_output[_inside(grad_output, pads)])


def _inside(padded: Array, pads: Pads) -> tuple[Any, ...]:
    sizes = padded.shape[-len(pads) :]
    inside = [slice(low, n - high) for n, (low, high) in zip(sizes, pads, strict=True)]
    return (..., *inside)


def _copies(padded: Array, pads: Pads, mode: str) -> Iterator[tuple[Array, int, int]]:
    """Yield the copies that fill the border, axis by axis: (view, target line, source line)."""
    for axis, (low, high) in enumerate(pads, padded.ndim - len(pads)):
        end = padded.shape[axis] - high
        source = np.pad(np.arange(low, end), (low, high), mode=MODES[mode])
        lines = np.moveaxis(padded, axis, 0)
        for target in [*range(low), *range(end, end + high)]:
            yield lines, target, int(source[target])
