"""NumPy as people write it, after the courses that taught it: each result, and all between, is a new array.

Convolution is `conv_forward_strides` and `conv_backward_strides` of Stanford's CS231n: a strided view of
all windows, copied to a matrix, and one product. Gradients of windows are added tap by tap (`col2im`),
and max pooling remembers the winners, as in S. Saitoh, Deep Learning from Scratch (2016). Both keep the
matrix of the forward pass for the gradient of the weights, so it is made before that is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnfast._geometry.convolution import Conv
from cnnfast.bench.tasks import Call, Contender, Task
from cnnfast.testing import Array


class NumPy:
    """NumPy as people write it."""

    name = "numpy"

    def describe(self) -> str:
        return f"NumPy {np.__version__}"

    def prepare(self, task: Task) -> Call:
        call: Call = getattr(self, task.op)(task)
        return call

    def conv(self, task: Task) -> Call:
        conv, x, y, which = task.problem.conv, task.x, task.dy, task.conv_pass
        if task.op == "conv_transpose":
            x, y = y, x
        if which == "forward":
            return lambda: forward(conv, x, task.w)
        if which == "backward_data":
            return lambda: backward_data(conv, y, task.w)
        return partial(backward_weights, conv, y, columns(conv, x), task.w.shape)

    conv_transpose = conv

    def linear(self, task: Task) -> Call:
        x, w, dy = task.x, task.w, task.dy
        if task.forward:
            return lambda: x @ w.T
        return lambda: (dy @ w, dy.T @ x, dy.sum(axis=0))

    def max_pool(self, task: Task) -> Call:
        conv = task.problem.conv
        if task.forward:
            return lambda: pool(conv, task.x, np.max, -np.inf)
        winners = windows(conv, task.x, -np.inf).reshape(task.dy.size, -1).argmax(axis=1)
        return lambda: max_backward(conv, winners, task.dy)

    def avg_pool(self, task: Task) -> Call:
        conv = task.problem.conv
        if task.forward:
            return lambda: pool(conv, task.x, np.mean)
        return lambda: add_taps(conv, [task.dy / prod(conv.kernel)] * prod(conv.kernel))

    def relu(self, task: Task) -> Call:
        if task.forward:
            return lambda: np.maximum(task.x, 0)
        return lambda: task.dy * (task.x > 0)


def windows(conv: Conv, x: Array, fill: float = 0) -> Array:
    """Return a view (n, c, *output, *kernel) of all windows of x, which is padded first."""
    margins = [(0, 0), (0, 0), *zip(conv.pad_lo, conv.pad_hi, strict=True)]
    padded = np.pad(x, margins, constant_values=fill) if np.any(margins) else x
    spans = [d * (k - 1) + 1 for k, d in zip(conv.kernel, conv.dilation, strict=True)]
    view = sliding_window_view(padded, spans, axis=tuple(range(2, x.ndim)))
    places = [slice(0, (o - 1) * s + 1, s) for o, s in zip(conv.output, conv.stride, strict=True)]
    return view[(slice(None), slice(None), *places, *(slice(None, None, d) for d in conv.dilation))]


def columns(conv: Conv, x: Array) -> Array:
    """Return the matrix (groups, channels * kernel, n * points) of all windows."""
    view = windows(conv, x)
    rank = x.ndim - 2
    axes = 1, *range(2 + rank, 2 + 2 * rank), 0, *range(2, 2 + rank)
    return view.transpose(axes).reshape(conv.groups, -1, conv.n * prod(conv.output))


def forward(conv: Conv, x: Array, w: Array) -> Array:
    y = w.reshape(conv.groups, -1, w[0].size) @ columns(conv, x)
    return np.ascontiguousarray(y.reshape(-1, conv.n, *conv.output).swapaxes(0, 1))


def backward_data(conv: Conv, dy: Array, w: Array) -> Array:
    product = w.reshape(conv.groups, -1, w[0].size).swapaxes(1, 2) @ rows(conv, dy)
    taps = product.reshape(conv.in_channels, prod(conv.kernel), conv.n, *conv.output)
    return add_taps(conv, taps.swapaxes(0, 1).swapaxes(1, 2))


def backward_weights(conv: Conv, dy: Array, matrix: Array, shape: tuple[int, ...]) -> Array:
    return (rows(conv, dy) @ matrix.swapaxes(1, 2)).reshape(shape)


def rows(conv: Conv, dy: Array) -> Array:
    """Return dy as a matrix (groups, channels, n * points)."""
    return dy.swapaxes(0, 1).reshape(conv.groups, -1, conv.n * prod(conv.output))


def add_taps(conv: Conv, taps: Array | list[Array]) -> Array:
    """Add the gradient (n, c, *output) of each tap where its windows met the input."""
    extents = [e + lo + hi for e, lo, hi in zip(conv.input, conv.pad_lo, conv.pad_hi, strict=True)]
    padded = np.zeros((*taps[0].shape[:2], *extents), taps[0].dtype)
    for index, tap in zip(np.ndindex(conv.kernel), taps, strict=True):
        axes = zip(index, conv.dilation, conv.stride, conv.output, strict=True)
        spans = [slice(i * d, i * d + (o - 1) * s + 1, s) for i, d, s, o in axes]
        padded[(slice(None), slice(None), *spans)] += tap
    inside = [slice(lo, lo + e) for lo, e in zip(conv.pad_lo, conv.input, strict=True)]
    return padded[(slice(None), slice(None), *inside)]


def pool(conv: Conv, x: Array, reduce: Callable[..., Array], fill: float = 0) -> Array:
    """Reduce all windows; those that tile x one axis at a time, on a shape (n, c, o, k, ...) of it."""
    rank = x.ndim - 2
    pairs = [*zip(conv.output, conv.kernel, strict=True)]
    if conv.stride != conv.kernel or conv.input != tuple(o * k for o, k in pairs):
        return reduce(windows(conv, x, fill), axis=tuple(range(-rank, 0)))
    tiled = x.reshape(*x.shape[:2], *(size for pair in pairs for size in pair))
    for axis in range(3, 3 + rank):
        tiled = reduce(tiled, axis=axis)
    return tiled


def max_backward(conv: Conv, winners: Array, dy: Array) -> Array:
    taps = np.zeros((dy.size, prod(conv.kernel)), dy.dtype)
    taps[np.arange(dy.size), winners] = dy.ravel()
    return add_taps(conv, np.moveaxis(taps.reshape(*dy.shape, -1), -1, 0))


def contenders() -> list[Contender]:
    """Return what this peer is timed as."""
    return [NumPy()]
