"""Deep Learning from Scratch, volume 1 (``common.layers``) and 3 (DeZero): the books' scripts unchanged.

Install before the script or in it: the layers are taken over as soon as they are imported.  Volume 1 computes in
float64 whatever it is given, and so does this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from cnnfast import functional
from cnnfast.backends._arrays import Array, alike
from cnnfast.backends._backend import NotCovered, Replacement
from cnnfast.backends._imports import LateBackend

F: Any = functional  # of the functions that differ by rank only the names are typed
_LAYERS, _UTIL, _DEZERO = "common.layers", "common.util", "dezero.functions_conv"


def _double(*arrays: Any) -> list[Array]:
    return [np.asarray(array, np.float64) for array in arrays]


def im2col(input_data: Array, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> Array:
    return F.im2col(*_double(input_data), (filter_h, filter_w), stride, pad, order="NO CK")


def col2im(
    col: Array, input_shape: tuple[int, ...], filter_h: int, filter_w: int, stride: int = 1, pad: int = 0
) -> Array:
    columns = _double(col)[0].reshape(-1, input_shape[1] * filter_h * filter_w)
    return F.col2im(columns, tuple(input_shape), (filter_h, filter_w), stride, pad, order="NO CK")


def conv_forward(self: Any, x: Array) -> Array:
    images, weight, bias = _double(x, self.W, self.b)
    self.x = x
    return F.conv2d(images, weight, np.broadcast_to(bias, len(weight)), self.stride, self.pad)


def conv_backward(self: Any, dout: Array) -> Array:
    dx, self.dW, self.db = F.conv2d_backward(*_double(dout, self.x, self.W), self.stride, self.pad)
    return dx


def pool_forward(self: Any, x: Array) -> Array:
    """Of a padded pool the padding counts as zeros, as the book's columns have it."""
    pad = ((0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad))
    (images,) = _double(np.pad(x, pad) if self.pad else x)
    self.x = x
    out, self.arg_max = F.max_pool2d(images, (self.pool_h, self.pool_w), self.stride, return_indices=True)
    return out


def pool_backward(self: Any, dout: Array) -> Array:
    *lead, height, width = self.x.shape
    pad, windows = self.pad, ((self.pool_h, self.pool_w), self.stride)
    padded = (*lead, height + 2 * pad, width + 2 * pad)
    dx = F.max_pool2d_backward(*_double(dout), self.arg_max, padded, *windows)
    return dx[:, :, pad : pad + height, pad : pad + width]


def relu_forward(self: Any, x: Array) -> Array:
    if x.dtype not in (np.float32, np.float64):
        raise NotCovered
    self.mask = x <= 0
    return F.relu(x)


def relu_backward(self: Any, dout: Array) -> Array:
    """As theirs writes into `dout`."""
    np.copyto(dout, 0, where=self.mask)
    return dout


def dezero_conv(self: Any, x: Array, W: Array, b: Array | None) -> Array:
    arrays = alike(x, W) if b is None else alike(x, W, b)
    return F.conv2d(*arrays[:2], arrays[2] if b is not None else None, self.stride, self.pad)


def dezero_deconv(self: Any, x: Array, W: Array, b: Array | None) -> Array:
    images, weight, *bias = alike(x, W) if b is None else alike(x, W, b)
    size = zip(x.shape[2:], W.shape[2:], self.stride, self.pad, strict=True)
    default = tuple((e - 1) * s + k - 2 * p for e, k, s, p in size)
    outsize = self.outsize if self.outsize is not None else default
    outsize = tuple(outsize) if isinstance(outsize, tuple | list) else (outsize,) * 2
    extra = tuple(o - d for o, d in zip(outsize, default, strict=True))
    if any(not 0 <= more < step for more, step in zip(extra, self.stride, strict=True)):
        raise NotCovered
    return F.conv_transpose2d(images, weight, bias[0] if bias else None, self.stride, self.pad, extra)


def dezero_grad_weight(self: Any, x: Array, gy: Array) -> Array:
    images, dy = alike(x, gy)
    return F.conv2d_weight(images, (dy.shape[1], images.shape[1], *self.kernel_size), dy, self.stride, self.pad)


def _padded_with_zeros(self: Any, x: Array) -> Array:
    """DeZero pads pools with zeros, which count as elements."""
    ph, pw = self.pad if isinstance(self.pad, tuple) else (self.pad, self.pad)
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw))) if ph or pw else x


def dezero_pool(self: Any, x: Array) -> Array:
    images = _padded_with_zeros(self, *alike(x))
    y, self.indexes = F.max_pool2d(images, self.kernel_size, self.stride, return_indices=True)
    return y


def dezero_pool_grad(self: Any, gy: Array) -> Array:
    ph, pw = self.pad if isinstance(self.pad, tuple) else (self.pad, self.pad)
    n, c, height, width = self.input_shape
    size = (n, c, height + 2 * ph, width + 2 * pw)
    gx = F.max_pool2d_backward(*alike(gy), self.indexes, size, self.kernel_size, self.stride)
    return gx[:, :, ph : ph + height, pw : pw + width]


def dezero_pool_again(self: Any, x: Array) -> Array:
    """The elements where the maxima of another array were."""
    planes, indices = (array.reshape(*array.shape[:2], -1) for array in (_padded_with_zeros(self, x), self.indexes))
    return np.take_along_axis(planes, indices, -1).reshape(self.indexes.shape)


def dezero_average(self: Any, x: Array) -> Array:
    self.input_shape = x.shape
    if np.any(np.array(self.pad) * 2 > self.kernel_size):
        raise NotCovered
    return F.avg_pool2d(*alike(x), self.kernel_size, self.stride, self.pad)


def _of_book(layers: ModuleType) -> list[Replacement]:
    functions = [
        Replacement(module, function.__name__, function)
        for module in (layers, sys.modules[_UTIL])
        for function in (im2col, col2im)
    ]
    return [
        *functions,
        Replacement(layers.Convolution, "forward", conv_forward),
        Replacement(layers.Convolution, "backward", conv_backward, whole=True),  # it takes what our forward kept
        Replacement(layers.Pooling, "forward", pool_forward),
        Replacement(layers.Pooling, "backward", pool_backward, whole=True),
        Replacement(layers.Relu, "forward", relu_forward),
        Replacement(layers.Relu, "backward", relu_backward),
    ]


def _of_dezero(functions: ModuleType) -> list[Replacement]:
    ours: dict[str, Callable[..., Array]] = {
        "Conv2d": dezero_conv,
        "Deconv2d": dezero_deconv,
        "Conv2DGradW": dezero_grad_weight,
        "Pooling": dezero_pool,
        "Pooling2DGrad": dezero_pool_grad,
        "Pooling2DWithIndexes": dezero_pool_again,
        "AveragePooling": dezero_average,
    }
    kept = ("Pooling2DGrad", "Pooling2DWithIndexes")  # they take what our pool kept
    return [
        Replacement(getattr(functions, name), "forward", forward, whole=name in kept) for name, forward in ours.items()
    ]


def _replacements() -> list[Replacement]:
    found: list[Replacement] = []
    for name, last, replacements in ((_LAYERS, "Pooling", _of_book), (_DEZERO, "col2im_array", _of_dezero)):
        module = sys.modules.get(name)
        if module is not None and hasattr(module, last):
            found += replacements(module)
    return found


backend = LateBackend("dlfs", _replacements, (_LAYERS, _DEZERO))
install, uninstall, active = backend.install, backend.uninstall, backend.active
