"""Sliding windows: which points of a padded image each tap of a kernel sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cnnfast._geometry.convolution import Conv
from cnnfast.reference._common import Array


def taps(p: Conv) -> Iterator[tuple[Any, Any]]:
    """The index of each tap t of the kernel, and that of the padded points ``o * stride + t * dilation`` over all o."""
    for tap in np.ndindex(*p.kernel):
        axes = zip(tap, p.dilation, p.output, p.stride, strict=True)
        points = [slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in axes]
        yield (..., *tap), (..., *points)


def padded_zeros(p: Conv, dtype: Any = np.float64) -> Array:
    axes = zip(p.input, p.pad_lo, p.pad_hi, strict=True)
    return np.zeros((p.n, p.in_channels, *(e + low + high for e, low, high in axes)), dtype)


def interior(p: Conv, padded: Array) -> Array:
    """The image without its padding, a view."""
    inside: Any = (..., *(slice(low, low + e) for low, e in zip(p.pad_lo, p.input, strict=True)))
    return np.asarray(padded[inside])


def pad(p: Conv, x: Array, value: float = 0, dtype: Any = np.float64) -> Array:
    padded = padded_zeros(p, dtype)
    padded[...] = value
    interior(p, padded)[...] = x
    return padded
