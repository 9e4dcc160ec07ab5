"""The NumPy baseline, written as well as NumPy allows.

Convolution copies the patches into a matrix and leaves the work to one product a group (im2col,
K. Chellapilla et al. 2006); pooling goes tap by tap over strided views. All buffers are made
beforehand and used again.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np

from cnnfast._geometry.convolution import Conv
from cnnfast.bench.tasks import Call, Task
from cnnfast.testing import Array


class Windows:
    """An input with its padding and, for each tap of the kernel, a view of the points it meets."""

    def __init__(self, conv: Conv, source: Array, fill: float = 0) -> None:
        margins = (*zip(conv.pad_lo, conv.pad_hi, strict=True),)
        self.source = source
        self.padded = np.pad(source, ((0, 0), (0, 0), *margins), constant_values=fill)
        inside = [slice(lo, lo + e) for lo, e in zip(conv.pad_lo, conv.input, strict=True)]
        self.interior: Array = self.padded[(slice(None), slice(None), *inside)]
        if not np.any(margins):
            self.padded = self.interior = source
        self.taps = [self._tap(conv, index) for index in np.ndindex(conv.kernel)]

    def _tap(self, conv: Conv, index: tuple[int, ...]) -> Array:
        axes = zip(index, conv.dilation, conv.stride, conv.output, strict=True)
        spans = [slice(i * d, i * d + (o - 1) * s + 1, s) for i, d, s, o in axes]
        return self.padded[(slice(None), slice(None), *spans)]

    def load(self) -> list[Array]:
        """Copy the source to the middle, if there is padding, and return the views."""
        if self.interior is not self.source:
            np.copyto(self.interior, self.source)
        return self.taps

    def clear(self) -> list[Array]:
        """Set all to zero, for gradients to be added, and return the views."""
        self.padded.fill(0)
        return self.taps

    def store(self) -> Array:
        """Copy the middle to the source, and return that."""
        if self.interior is not self.source:
            np.copyto(self.source, self.interior)
        return self.source


class Convolution:
    """The three passes of a convolution on fixed operands."""

    def __init__(self, conv: Conv, x: Array, w: Array, y: Array) -> None:
        groups, points = conv.groups, conv.n * prod(conv.output)
        self.windows = Windows(conv, x)
        self.columns = np.empty((groups, w[0].size, points), x.dtype)
        by_tap = self.columns.reshape(conv.in_channels, -1, conv.n, *conv.output)
        self.patches = [by_tap[:, tap].swapaxes(0, 1) for tap in range(len(self.windows.taps))]
        self.weight = w.reshape(groups, -1, w[0].size)
        self.y = y
        self.rows = np.empty((groups, conv.out_channels // groups, points), x.dtype)
        by_channel = self.rows.reshape(conv.out_channels, conv.n, *conv.output)
        self.planes = by_channel.swapaxes(0, 1)

    def _im2col(self) -> None:
        for patch, tap in zip(self.patches, self.windows.load(), strict=True):
            np.copyto(patch, tap)

    def forward(self) -> Array:
        """y from x and w."""
        self._im2col()
        np.matmul(self.weight, self.columns, out=self.rows)
        np.copyto(self.y, self.planes)
        return self.y

    def backward_data(self) -> Array:
        """x from y and w."""
        np.copyto(self.planes, self.y)
        np.matmul(self.weight.swapaxes(1, 2), self.rows, out=self.columns)
        for patch, tap in zip(self.patches, self.windows.clear(), strict=True):
            np.add(tap, patch, out=tap)
        return self.windows.store()

    def backward_weights(self) -> Array:
        """w from x and y."""
        self._im2col()
        np.copyto(self.planes, self.y)
        np.matmul(self.rows, self.columns.swapaxes(1, 2), out=self.weight)
        return self.weight


# What a pass computes, and what it is for the convolution whose adjoint a transposed one is.
_RESULT = {"forward": "dy", "backward_data": "x", "backward_weights": "w"}
_ADJOINT = {"forward": "backward_data", "backward_data": "forward"}


class NumPy:
    """im2col and one product a group; views for the rest."""

    name = "numpy"

    def describe(self) -> str:
        return f"NumPy {np.__version__}"

    def prepare(self, task: Task) -> Call:
        call: Call = getattr(self, task.op)(task)
        return call

    def conv(self, task: Task) -> Call:
        operands: dict[str, Any] = {name: getattr(task, name) for name in ("x", "w", "dy")}
        result = _RESULT[task.which]
        operands[result] = np.empty_like(operands[result])
        x, y, which = operands["x"], operands["dy"], task.which
        if task.op == "conv_transpose":
            x, y, which = y, x, _ADJOINT.get(which, which)
        call: Call = getattr(Convolution(task.problem.conv, x, operands["w"], y), which)
        return call

    conv_transpose = conv

    def linear(self, task: Task) -> Call:
        x, w, dy = task.x, task.w, task.dy
        if task.forward:
            return partial(np.matmul, x, w.T, out=np.empty_like(dy))
        dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty_like(dy[0])
        return lambda: (
            np.matmul(dy, w, out=dx),
            np.matmul(dy.T, x, out=dw),
            np.sum(dy, axis=0, out=db),
        )

    def max_pool(self, task: Task) -> Call:
        windows = Windows(task.problem.conv, task.x, -np.inf)
        y = np.empty_like(task.dy)

        def forward() -> Array:
            first, *rest = windows.load()
            np.copyto(y, first)
            for tap in rest:
                np.maximum(y, tap, out=y)
            return y

        if task.forward:
            return forward
        taps = windows.load()
        winner = np.argmax(np.stack(taps), axis=0).astype(np.min_scalar_type(len(taps)))
        gradient = Windows(task.problem.conv, np.empty_like(task.x))

        def backward() -> Array:
            for number, tap in enumerate(gradient.clear()):
                tap += np.multiply(task.dy, winner == number, out=y)
            return gradient.store()

        return backward

    def avg_pool(self, task: Task) -> Call:
        size = prod(task.problem.kernel)
        windows = Windows(task.problem.conv, task.x if task.forward else np.empty_like(task.x))
        y = np.empty_like(task.dy)

        def forward() -> Array:
            first, *rest = windows.load()
            np.copyto(y, first)
            for tap in rest:
                np.add(y, tap, out=y)
            return np.divide(y, size, out=y)

        def backward() -> Array:
            np.divide(task.dy, size, out=y)
            for tap in windows.clear():
                np.add(tap, y, out=tap)
            return windows.store()

        return forward if task.forward else backward

    def relu(self, task: Task) -> Call:
        result = np.empty_like(task.x)
        if task.forward:
            return partial(np.maximum, task.x, 0, out=result)
        return lambda: np.multiply(task.dy, task.x > 0, out=result)
