"""NumPy tuned as far as it goes, for a loop over one shape.

Convolution copies the patches into a matrix and leaves the work to one product a group (im2col,
K. Chellapilla et al. 2006); pooling goes tap by tap over strided views. All buffers, results too,
are made beforehand and used again, which no other contender may; the gradient of the weights finds
the matrix of the forward pass.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np

from cnnfast._geometry.convolution import Conv
from cnnfast.bench.tasks import Call, Contender, Task
from cnnfast.testing import Array

# From here on a product an image is up to six times faster in narrow layers, and at most a fifth slower in
# wide ones; with fewer points it is slower in all. Measured with OpenBLAS on layers of ResNet-50 and LeNet-5.
LEAST_POINTS = 100


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
    """The three passes of a convolution on fixed operands.

    A product takes one image, so that its rows are y itself, or all images where one has too few
    points to fill a product.
    """

    def __init__(self, conv: Conv, x: Array, w: Array, y: Array) -> None:
        points = prod(conv.output)
        parts, images = (conv.n, 1) if points >= LEAST_POINTS else (1, conv.n)
        self.windows = Windows(conv, x)
        self.y = y
        self.weight = w.reshape(conv.groups, -1, w[0].size)
        self.products = np.empty((parts, *self.weight.shape), x.dtype)
        size = (parts, conv.groups, -1, images * points)
        # Pairs of a part of a matrix and the view that it is a copy of; none where no copy is needed.
        self.patches: list[tuple[Array, Array]] = []
        self.planes: list[tuple[Array, Array]] = []
        if images == 1:
            self.rows = y.reshape(size)
        else:
            self.rows = np.empty_like(y).reshape(size)
            planes = self.rows.reshape(conv.out_channels, images, *conv.output)
            self.planes = [(planes.swapaxes(0, 1), y)]
        unpadded = self.windows.padded is x
        if images == 1 and unpadded and prod(conv.kernel) == 1 and conv.output == conv.input:
            self.columns = x.reshape(size)
        else:
            taps = self.windows.taps
            self.columns = np.empty((parts, conv.groups, w[0].size, images * points), x.dtype)
            by_tap = self.columns.reshape(parts, conv.in_channels, len(taps), images, *conv.output)
            by_tap = by_tap.swapaxes(1, 3)
            self.patches = [
                (by_tap[:, :, number], tap.reshape(parts, images, *tap.shape[1:])) for number, tap in enumerate(taps)
            ]

    def forward(self) -> Array:
        """y from x and w."""
        self.im2col()
        np.matmul(self.weight, self.columns, out=self.rows)
        for plane, view in self.planes:
            np.copyto(view, plane)
        return self.y

    def backward_data(self) -> Array:
        """x from y and w."""
        self._rows()
        np.matmul(self.weight.swapaxes(1, 2), self.rows, out=self.columns)
        if self.patches:
            self.windows.clear()
        for patch, view in self.patches:
            np.add(view, patch, out=view)
        return self.windows.store()

    def backward_weights(self) -> Array:
        """w from the patches of x, which are there, and y."""
        self._rows()
        np.matmul(self.rows, self.columns.swapaxes(2, 3), out=self.products)
        return np.sum(self.products, axis=0, out=self.weight)

    def im2col(self) -> None:
        """Copy the patches of x."""
        self.windows.load()
        for patch, view in self.patches:
            np.copyto(patch, view)

    def _rows(self) -> None:
        for plane, view in self.planes:
            np.copyto(plane, view)


# What a pass computes.
_RESULT = {"forward": "dy", "backward_data": "x", "backward_weights": "w"}


class TunedNumPy:
    """im2col and one product a group; views for the rest."""

    name = "numpy_tuned"

    def describe(self) -> str:
        return f"NumPy {np.__version__}"

    def prepare(self, task: Task) -> Call:
        call: Call = getattr(self, task.op)(task)
        return call

    def conv(self, task: Task) -> Call:
        operands: dict[str, Any] = {name: getattr(task, name) for name in ("x", "w", "dy")}
        result = _RESULT[task.which]
        operands[result] = np.empty_like(operands[result])
        x, y = operands["x"], operands["dy"]
        if task.op == "conv_transpose":
            x, y = y, x
        convolution = Convolution(task.problem.conv, x, operands["w"], y)
        convolution.im2col()
        call: Call = getattr(convolution, task.conv_pass)
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


def contenders() -> list[Contender]:
    """Return what this peer is timed as."""
    return [TunedNumPy()]
