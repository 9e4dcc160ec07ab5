"""Stanford's CS231n, assignment 2: its fast layers, with no extension to build.

Install before the course's package is imported: its modules ``fast_layers`` and ``im2col_cython`` are then this one.
Pools give the gradient to the first maximum, as the course's naive layer does; overlapping pools work.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from cnnfast import functional
from cnnfast.backends._arrays import Array
from cnnfast.backends._backend import Backend, Replacement
from cnnfast.backends._imports import everywhere

F: Any = functional  # of the functions that differ by rank only the names are typed
_LAYERS = ("conv_forward", "conv_backward", "max_pool_forward", "max_pool_backward")
_VARIANTS = {
    **dict.fromkeys(_LAYERS[:2], ("fast", "im2col", "strides")),
    **dict.fromkeys(_LAYERS[2:], ("fast", "im2col", "reshape")),
}
_COLUMNS = ("im2col_cython", "col2im_cython", "col2im_6d_cython")


def _alike(*arrays: Array) -> list[Array]:
    dtype = np.result_type(*arrays, np.float32)
    return [np.asarray(array, dtype) for array in arrays]


def _windows(conv_param: dict[str, int]) -> tuple[int, int]:
    return conv_param["stride"], conv_param["pad"]


def conv_forward(x: Array, w: Array, b: Array, conv_param: dict[str, int]) -> tuple[Array, Any]:
    images, filters, bias = _alike(x, w, b)
    return F.conv2d(images, filters, bias, *_windows(conv_param)), (x, w, b, conv_param)


def conv_backward(dout: Array, cache: Any) -> tuple[Any, ...]:
    x, w, _, conv_param = cache
    return F.conv2d_backward(*_alike(dout, x, w), *_windows(conv_param))


def max_pool_forward(x: Array, pool_param: dict[str, int]) -> tuple[Array, Any]:
    windows = (pool_param["pool_height"], pool_param["pool_width"]), pool_param["stride"]
    (images,) = _alike(x)
    out, indices = F.max_pool2d(images, *windows, return_indices=True)
    return out, (indices, x.shape, windows)


def max_pool_backward(dout: Array, cache: Any) -> Array:
    indices, shape, windows = cache
    return F.max_pool2d_backward(*_alike(dout), indices, shape, *windows)


def im2col_cython(x: Array, field_height: int, field_width: int, padding: int, stride: int) -> Array:
    return F.im2col(x, (field_height, field_width), stride, padding, order="CK ON")


def col2im_cython(
    cols: Array, N: int, C: int, H: int, W: int, field_height: int, field_width: int, padding: int, stride: int
) -> Array:
    return F.col2im(cols, (N, C, H, W), (field_height, field_width), stride, padding, order="CK ON")


def col2im_6d_cython(cols: Array, N: int, C: int, H: int, W: int, HH: int, WW: int, pad: int, stride: int) -> Array:
    return F.col2im(cols.reshape(C * HH * WW, -1), (N, C, H, W), (HH, WW), stride, pad, order="CK NO")


for _name, _suffixes in _VARIANTS.items():
    globals().update({f"{_name}_{suffix}": globals()[_name] for suffix in _suffixes})

__all__ = [
    *(f"{name}_{suffix}" for name, suffixes in _VARIANTS.items() for suffix in suffixes),
    *_COLUMNS,
]


def _replacements() -> list[Replacement]:
    here = sys.modules[__name__]
    bound = [one for name in __all__ for one in everywhere("cs231n", name, globals()[name]) if one.holder is not here]
    modules = (f"cs231n.{name}" for name in ("fast_layers", "im2col_cython"))
    return [*bound, *(Replacement(sys.modules, name, here, whole=True) for name in modules)]


backend = Backend("cs231n", _replacements)
install, uninstall, active = backend.install, backend.uninstall, backend.active
