"""What is timed: one pass of one op on given operands, and how cnnfast runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from cnnfast import functional as F
from cnnfast import layers
from cnnfast.bench.suites import Entry
from cnnfast.testing import Array, Problem

Call = Callable[[], Any]

# A fully connected layer has one function for all its gradients.
PASSES = {
    "conv": ("forward", "backward_data", "backward_weights"),
    "conv_transpose": ("forward", "backward_data", "backward_weights"),
    "linear": ("forward", "backward"),
    "max_pool": ("forward", "backward_data"),
    "avg_pool": ("forward", "backward_data"),
    "relu": ("forward", "backward_data"),
}
_ADJOINT = {"forward": "backward_data", "backward_data": "forward"}


@dataclass(frozen=True)
class Task:
    """One pass of one op.  Convolutions and fully connected layers have no bias."""

    op: str
    problem: Problem
    which: str
    x: Array
    w: Any
    dy: Array

    @property
    def forward(self) -> bool:
        return self.which == "forward"

    @property
    def conv_pass(self) -> str:
        """The pass of `problem.conv`, which for a transposed convolution is the one whose adjoint that is."""
        return _ADJOINT.get(self.which, self.which) if self.op == "conv_transpose" else self.which

    @property
    def flops(self) -> int:
        """Nominal operations; two products where one call gives both gradients."""
        return self.problem.flops * (2 if self.which == "backward" else 1)

    @property
    def bytes(self) -> int:
        """What must be moved at least, each array once, with what the gradient needs beside it."""
        moved = self.problem.elements * self.x.itemsize
        if self.which == "backward":
            moved += self.x.nbytes + self.w.nbytes
        elif self.op == "max_pool" and not self.forward:
            moved += self.dy.size  # places, of a byte
        elif self.op == "relu" and not self.forward:
            moved += self.x.nbytes
        return moved

    @property
    def name(self) -> str:
        """The function of `cnnfast.functional`, without `_backward`."""
        return f"{self.op}{self.problem.rank}d" if self.problem.kernel else self.op


def passes_of(op: str, wanted: Sequence[str]) -> list[str]:
    """Return the passes of an op among those wanted; ``backward`` stands for all gradients."""
    return [p for p in PASSES[op] if any(p in w or w in p for w in wanted)]


def tasks(entry: Entry, passes: Sequence[str], dtype: DTypeLike, rng: np.random.Generator) -> Iterator[Task]:
    """Yield the passes of an entry on the same operands, on which all of them are exact."""
    operands = entry.problem.arrays(rng, dtype)
    for which in passes_of(entry.op, passes):
        yield Task(entry.op, entry.problem, which, *operands)


class Contender(Protocol):
    """A library that is timed.  For each op that it has, it has a method of that name.

    What is timed is what the loop of a user sees: operands in the library's own form, in which it
    also gives the result, a new array.
    """

    name: str

    def describe(self) -> str:
        """Return name and version."""

    def prepare(self, task: Task) -> Call | None:
        """Return a call that computes the task, with all else done; None for what it lacks."""


class Cnnfast:
    """The ops of this package."""

    name = "cnnfast"

    def describe(self) -> str:
        from cnnfast import __version__

        return f"cnnfast {__version__}"

    def prepare(self, task: Task) -> Call:
        call: Call = getattr(self, task.op)(task, getattr(F, task.name))
        return call

    def conv(self, task: Task, function: Callable[..., Any]) -> Call:
        arguments = task.problem.arguments
        if task.forward:
            return partial(function, task.x, task.w, **arguments)
        index = ("backward_data", "backward_weights").index(task.which)
        backward = partial(
            getattr(F, f"{task.name}_backward"),
            task.dy,
            task.x,
            task.w,
            **arguments,
            output_mask=(index == 0, index == 1, False),
        )
        return lambda: backward()[index]

    conv_transpose = conv

    def linear(self, task: Task, function: Callable[..., Any]) -> Call:
        if task.forward:
            return partial(function, task.x, task.w)
        return partial(F.linear_backward, task.dy, task.x, task.w)

    def max_pool(self, task: Task, function: Callable[..., Any]) -> Call:
        kernel, arguments = task.problem.kernel, task.problem.arguments
        if task.forward:
            return partial(function, task.x, kernel, **arguments)
        layer = getattr(layers, f"MaxPool{task.problem.rank}d")(kernel, **arguments)
        layer(task.x)
        return partial(layer.backward, task.dy)

    def avg_pool(self, task: Task, function: Callable[..., Any]) -> Call:
        kernel, stride, padding = task.problem.kernel, task.problem.stride, task.problem.padding
        if task.forward:
            return partial(function, task.x, kernel, stride, padding)
        backward = getattr(F, f"{task.name}_backward")
        return partial(backward, task.dy, task.x.shape, kernel, stride, padding)

    def relu(self, task: Task, function: Callable[..., Any]) -> Call:
        if task.forward:
            return partial(function, task.x)
        return partial(F.relu_backward, task.dy, task.x)
