"""numpy-ml (ddbourgin): its convolutions, columns and `Pool2D` on these kernels.

`Pool2D` pads with zeros, as there; its backward pass reads the padded input, which there it does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy_ml.neural_nets.layers import layers
from numpy_ml.neural_nets.utils import utils

from cnnfast import functional
from cnnfast.backends._arrays import Array, alike, channels_first, channels_last
from cnnfast.backends._backend import Backend, NotCovered, Replacement
from cnnfast.backends._imports import everywhere

F: Any = functional  # of the functions that differ by rank only the names are typed


def _filters(W: Array) -> Array:
    """(rows, columns, in, out) as (out, in, rows, columns)."""
    return W.transpose(3, 2, 0, 1)


def _pads(X: Array, W_shape: tuple[int, ...], pad: Any, stride: int, dilation: int) -> tuple[tuple[int, int], ...]:
    """((above, below), (left, right)) of each form that `pad2D` takes."""
    if isinstance(pad, int):
        return (pad, pad), (pad, pad)
    if pad == "same":
        pad = utils.calc_pad_dims_2D(X.shape, X.shape[1:3], W_shape[:2], stride, dilation=dilation)
    if not isinstance(pad, tuple) or len(pad) not in (2, 4):
        raise NotCovered
    top, bottom, left, right = pad if len(pad) == 4 else (pad[0], pad[0], pad[1], pad[1])
    return (int(top), int(bottom)), (int(left), int(right))


def conv2D(X: Array, W: Array, stride: int, pad: Any, dilation: int = 0) -> Array:
    images, weight = alike(X, W)
    pads = _pads(X, W.shape, pad, stride, dilation)
    return channels_last(F.conv2d(channels_first(images), _filters(weight), None, stride, pads, dilation + 1))


def conv2D_bwd(self: Any, dLdy: Array, X: Array, Z: Array) -> tuple[Array, Array, Array]:
    """Gradients of the input, the weight and the bias."""
    dZ, images, weight = alike(dLdy * self.act_fn.grad(Z), X, self.parameters["W"])
    pads = _pads(X, weight.shape, self.pad, self.stride, self.dilation)
    arrays = channels_first(dZ), channels_first(images), _filters(weight)
    dX, dW, dB = F.conv2d_backward(*arrays, self.stride, pads, self.dilation + 1)
    return channels_last(dX), dW.transpose(2, 3, 1, 0), dB.reshape(1, 1, 1, -1)


def im2col(
    X: Array, W_shape: tuple[int, ...], pad: Any, stride: int, dilation: int = 0
) -> tuple[Array, tuple[int, ...]]:
    (images,) = alike(X)
    pads = _pads(X, W_shape, pad, stride, dilation)
    return F.im2col(channels_first(images), W_shape[:2], stride, pads, dilation + 1, order="CK ON"), sum(pads, ())


def col2im(
    X_col: Array, X_shape: tuple[int, ...], W_shape: tuple[int, ...], pad: Any, stride: int, dilation: int = 0
) -> Array:
    if not isinstance(pad, tuple) or len(pad) != 4:
        raise NotCovered
    n, rows, columns, channels = X_shape
    pads = (int(pad[0]), int(pad[1])), (int(pad[2]), int(pad[3]))
    image = n, channels, rows, columns
    return F.col2im(X_col.astype(np.float64), image, W_shape[:2], stride, pads, dilation + 1, order="CK ON")


def _padded(self: Any, X: Array) -> tuple[Array, tuple[tuple[int, int], ...]]:
    """(Images with their padding of zeros, that padding)."""
    pads = _pads(X, self.kernel_shape, self.pad, self.stride, 0)
    (images,) = alike(np.asarray(X, np.float64))
    return np.pad(channels_first(images), ((0, 0), (0, 0), *pads)), pads


def pool_forward(self: Any, X: Array, retain_derived: bool = True) -> Array:
    if self.mode not in ("max", "average"):
        raise NotCovered
    images, _ = _padded(self, X)
    if not self.is_initialized:
        self.in_ch = self.out_ch = X.shape[3]
        self._init_params()
    pool = F.max_pool2d if self.mode == "max" else F.avg_pool2d
    Y = channels_last(pool(images, tuple(self.kernel_shape), self.stride))
    if retain_derived:
        self.X.append(X)
        self.derived_variables["out_rows"].append(Y.shape[1])
        self.derived_variables["out_cols"].append(Y.shape[2])
    return Y


def _pool_gradient(self: Any, X: Array, dY: Array) -> Array:
    images, pads = _padded(self, X)
    windows = tuple(self.kernel_shape), self.stride
    dy = channels_first(np.asarray(dY, np.float64))
    if self.mode == "max":
        _, indices = F.max_pool2d(images, *windows, return_indices=True)
        dX = F.max_pool2d_backward(dy, indices, images.shape, *windows)
    else:
        dX = F.avg_pool2d_backward(dy, images.shape, *windows)
    (top, _), (left, _) = pads
    return channels_last(dX[:, :, top : top + X.shape[1], left : left + X.shape[2]])


def pool_backward(self: Any, dLdY: Any, retain_grads: bool = True) -> Any:
    assert self.trainable, "Layer is frozen"
    gradients = dLdY if isinstance(dLdY, list) else [dLdY]
    found = [_pool_gradient(self, X, dY) for X, dY in zip(self.X, gradients, strict=False)]
    return found[0] if len(self.X) == 1 else found


def _replacements() -> list[Replacement]:
    functions = [one for f in (conv2D, im2col, col2im) for one in everywhere("numpy_ml", f.__name__, f)]
    return [
        *functions,
        Replacement(layers.Conv2D, "_bwd", conv2D_bwd),
        Replacement(layers.Pool2D, "forward", pool_forward),
        Replacement(layers.Pool2D, "backward", pool_backward),
    ]


backend = Backend("numpy_ml", _replacements)
install, uninstall, active = backend.install, backend.uninstall, backend.active
