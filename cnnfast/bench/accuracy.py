"""``cnnfast bench accuracy``: errors of convolutions against float64, beside those of a plain sum of the same dtype.

Operands are normal, weights of He's variance.  Errors are relative: the largest one to the largest element of the
result, the root mean square to that of the result.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnfast._geometry.tuples import Ints
from cnnfast.bench.planner import plans_of
from cnnfast.bench.session import SEED, describe, settings
from cnnfast.bench.suites import Entry
from cnnfast.bench.tasks import Cnnfast, Task, passes_of
from cnnfast.testing import Array, Problem

NAME = "accuracy"
# Of each kernel the layer of as many channels on both sides as stands for C.
LAYERS = {
    "3x3": "n1c{C}h28w28_o{C}k3s1p1",
    "5x5": "n1c{C}h14w14_o{C}k5s1p2",
    "7x7 stride 2": "n1c{C}h28w28_o{C}k7s2p3",
    "1D 3": "n1c{C}w400_o{C}k3s1p1",
    "1D 15": "n1c{C}w400_o{C}k15s1p7",
    "3D 3x3x3": "n1c{C}d8h14w14_o{C}k3s1p1",
    "4x4 transposed, stride 2": "n1c{C}h14w14_t{C}k4s2p1",
}
CHANNELS = (16, 64, 256, 1024)
# Channels of the destination of which errors are taken: plain sums of all of them would take minutes.
SUMMED = 16


def entries(channels: Sequence[int] = CHANNELS) -> Iterator[Entry]:
    """Yield the layers of the table."""
    for name, text in LAYERS.items():
        for c in channels:
            problem = Problem.parse(text.format(C=c))
            yield Entry(NAME, problem.op, problem, f"{name}, {c} channels")


@dataclass
class Row:
    """One pass of a layer: the algorithm of the default, and (largest, root mean square) of each way to sum."""

    layer: str
    problem: str
    which: str
    algorithm: str
    errors: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __str__(self) -> str:
        cells = "".join(f"  {largest:8.1e} {rms:8.1e}" for largest, rms in self.errors.values())
        return f"{self.layer:40} {self.which:17}{cells}  {self.algorithm}"


def measure(entry: Entry, which: str, dtype: Any, rng: np.random.Generator) -> Row:
    """Return the errors of a pass of a layer."""
    problem = entry.problem
    x, w, dy = problem.arrays(rng, dtype, exact=False)
    w *= np.sqrt(2 / prod(w.shape[1:]))  # type: ignore[union-attr]
    task = Task(problem.op, problem, which, x, w, dy)
    plans = plans_of(task)
    info = plans["auto"][0]
    row = Row(entry.layer, str(entry), which, " ".join(info[name] for name in ("algorithm", "pieces") if name in info))
    left, right = factors(task)
    expected = left.astype(np.float64) @ right.astype(np.float64)
    for algo in ("auto", "direct"):
        result = plans[algo][1]().reshape(-1, expected.shape[1])
        row.errors[algo] = error(result[: len(expected)], expected)
    row.errors["plain"] = error(plain_product(left, right), expected)
    return row


def error(got: Array, expected: Array) -> tuple[float, float]:
    """Return the largest error and the root mean square, relative to those of the values."""
    apart = got - expected
    largest = np.max(np.abs(apart)) / np.max(np.abs(expected))
    return float(largest), float(np.sqrt(np.mean(apart**2) / np.mean(expected**2)))


def plain_product(left: Array, right: Array) -> Array:
    """Return the product of two matrices, its terms added one after the other."""
    total = np.zeros((len(left), right.shape[1]), left.dtype)
    for k in range(len(right)):
        total += left[:, k, None] * right[k]
    return total


def factors(task: Task) -> tuple[Array, Array]:
    """Return the matrices whose product is a pass: a row a channel of the destination, of the first few."""
    conv, which, w = task.problem.conv, task.conv_pass, task.w
    x, dy = (task.dy[0], task.x[0]) if task.problem.transposed else (task.x[0], task.dy[0])
    if which == "backward_data":
        apart = np.zeros(
            (len(dy), *[(n - 1) * s + 1 for n, s in zip(dy.shape[1:], conv.stride, strict=True)]), dy.dtype
        )
        apart[(slice(None), *[slice(None, None, s) for s in conv.stride])] = dy
        low = tuple(d * (k - 1) - p for d, k, p in zip(conv.dilation, conv.kernel, conv.pad_lo, strict=True))
        flipped = np.flip(w, axis=tuple(range(2, w.ndim))).swapaxes(0, 1)
        right = columns(apart, low, conv.input, (1,) * len(low), conv.kernel, conv.dilation)
        return flipped[:SUMMED].reshape(-1, len(right)), right
    right = columns(x, conv.pad_lo, conv.output, conv.stride, conv.kernel, conv.dilation)
    if which == "forward":
        return w[:SUMMED].reshape(-1, len(right)), right
    return dy[:SUMMED].reshape(-1, right.shape[1]), right.T


def columns(x: Array, low: Ints, points: Ints, stride: Ints, kernel: Ints, dilation: Ints) -> Array:
    """Return the windows of (channel, axes): a row a channel and tap, a column a point."""
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    ends = [(n - 1) * s + span for n, s, span in zip(points, stride, spans, strict=True)]
    padding = [(p, max(0, end - p - n)) for p, end, n in zip(low, ends, x.shape[1:], strict=True)]
    axes = tuple(range(1, x.ndim))
    windows = sliding_window_view(np.pad(x, [(0, 0), *padding]), spans, axes)
    steps = [slice(0, (n - 1) * s + 1, s) for n, s in zip(points, stride, strict=True)]
    windows = windows[(slice(None), *steps, *[slice(None, None, d) for d in dilation])]
    taps = tuple(range(x.ndim, 2 * x.ndim - 1))
    return windows.transpose(0, *taps, *axes).reshape(-1, prod(points))


class AccuracySession:
    """What has been measured so far; as `session.Session`."""

    wrong = 0

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.rows: list[Row] = []

    def run(self) -> None:
        """Print the errors of each pass of each layer."""
        with settings(self.args.threads[0], self.args.isa):
            self.facts = describe(self.args.dtype, self.args.threads, [Cnnfast()])
            print(f"{self.facts['line']}\nerrors: largest, and root mean square\n")
            print(f"{'':40} {'':17}" + "".join(f"  {name:17}" for name in ("default", "direct", "plain sum")))
            for entry in entries():
                if self.args.filter in f"{entry.layer} {entry}":
                    self._measure(entry)

    def _measure(self, entry: Entry) -> None:
        for which in passes_of(entry.op, self.args.passes):
            self.rows.append(measure(entry, which, self.args.dtype, np.random.default_rng(SEED)))
            print(self.rows[-1], flush=True)

    def document(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        return {"machine": self.facts, "rows": [asdict(row) for row in self.rows]}
