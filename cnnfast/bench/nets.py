"""``cnnfast bench nets``: whole nets in training and in evaluation, checked, then timed in turns."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnfast import _config
from cnnfast.bench import peers
from cnnfast.bench.check import WrongResult
from cnnfast.bench.learners import CnnfastLearner, Learner
from cnnfast.bench.profile import profile
from cnnfast.bench.report import OURS, Column, Row, Table, ratio
from cnnfast.bench.session import SEED, describe, settings
from cnnfast.bench.tasks import Call, Cnnfast
from cnnfast.bench.timing import in_turns
from cnnfast.bench.zoo import ZOO, Net
from cnnfast.testing import Array

NAME = "nets"
# What `--passes` says of ops, said of nets.
PASSES = {"forward": "inference", "backward": "training"}
# Rounding moves a few elements over the bend of a ReLU, so that float32 says little of gradients: PyTorch channels last
# differs from ours by 2.5e-2 of the norm in MobileNetV2, and PyTorch NCHW by 5e-3. So they are compared in float64.
CHECKED_IMAGES, TOLERANCE, LOSS_TOLERANCE = 2, 1e-8, 1e-4


class NetSession:
    """What is measured with what, and what has been so far; as `session.Session`."""

    def __init__(self, args: argparse.Namespace, nets: list[Net]) -> None:
        self.args, self.nets = args, nets
        self.makers = makers(args.peers)
        self.rows: list[Row] = []
        self.memory: dict[str, dict[str, float]] = {}
        self.wrong = 0
        rivals = [name for name in self.makers if name != OURS]
        self.columns = [
            Column("threads", lambda row: row.threads, averaged=False),
            Column("ms", lambda row: row.ours * 1e3, "{:.4g}", averaged=False),
            *[ratio(name) for name in (*rivals, *(["best"] if len(rivals) > 1 else []))],
            *[Column(f"{name} MB", partial(self._megabytes, name), "{:.0f}", averaged=False) for name in self.makers],
        ]

    def _megabytes(self, name: str, row: Row) -> float | None:
        return self.memory.get(row.name, {}).get(name) if row.which == "training" else None

    def run(self) -> None:
        """Time the nets and print a row for each of training and inference, then the means."""
        table = Table(map(str, self.nets), self.columns)
        with settings(self.args.threads[0], self.args.isa):
            self.facts = describe(self.args.dtype, self.args.threads, [Cnnfast()])
        print(f"{self.facts['line']}\ncolumns of peers: time / ours; MB: peak memory of three steps of training\n")
        print(table.header(), flush=True)
        for net in self.nets:
            for threads in self.args.threads:
                with settings(threads, self.args.isa):
                    for row in self._time(net):
                        self.rows.append(row)
                        print(table.row(row), flush=True)
        print("\n".join(table.means(self.rows)))

    def document(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        rows = [
            {"net": row.name, "pass": row.which, "threads": row.threads, "seconds": row.seconds} for row in self.rows
        ]
        return {"machine": self.facts, "rows": rows, "megabytes": self.memory}

    def _time(self, net: Net) -> Iterator[Row]:
        try:
            check(net, self.makers)
            learners = ready(net, self.makers, self.args.dtype)
        except WrongResult as error:
            self.wrong += 1
            print(f"{net}: {error}", file=sys.stderr, flush=True)
            return
        for which in (PASSES.get(wanted, wanted) for wanted in self.args.passes):
            if which not in PASSES.values():
                continue
            for learner in learners:
                learner.net.train(which == "training")
            calls: dict[str, Call] = {one.name: one.train if which == "training" else one.infer for one in learners}
            if which == "training" and str(net) not in self.memory:
                self.memory[str(net)] = {name: peak_megabytes(net, name, self.args) for name in calls}
            row = Row(NAME, "", str(net), net.name, which, _config.get_num_threads(), 0, 0)
            row.seconds = {name: min(taken) for name, taken in in_turns(calls, self.args.seconds).items()}
            yield row
            if self.args.profile:
                print("\n".join(profile(calls[OURS])), flush=True)


def read(text: str) -> list[Net]:
    """Return the nets that have `text` in their names."""
    return [net for net in ZOO if text in str(net)]


def makers(names: list[str]) -> dict[str, Any]:
    """Return what makes the learners of cnnfast and, if it is among the peers and installed, of PyTorch."""
    found: dict[str, Any] = {OURS: CnnfastLearner}
    if "torch" in names and not peers.missing("torch"):
        from cnnfast.bench.torch_learner import TorchLearner

        found |= {"torch": partial(TorchLearner, False), "torch-cl": partial(TorchLearner, True)}
    return found


def batch(net: Net, dtype: DTypeLike) -> tuple[Array, Array]:
    """Return random images and what they are of."""
    rng = np.random.default_rng(SEED)
    return rng.standard_normal(net.shape).astype(dtype), rng.integers(0, net.classes, net.target_shape)


def ready(net: Net, makers: dict[str, Any], dtype: DTypeLike) -> list[Learner]:
    """Return a learner of each library, all with the same weights and the same batch.

    Raises
    ------
    WrongResult
        If their losses differ.
    """
    operands = batch(net, dtype)
    ours = makers[OURS](net, *operands)
    learners = [ours, *(make(net, *operands, ours.state()) for name, make in makers.items() if name != OURS)]
    losses = [learner.loss() for learner in learners]
    for learner, loss in zip(learners, losses, strict=True):
        if not abs(loss - losses[-1]) <= LOSS_TOLERANCE * abs(losses[-1]):
            raise WrongResult(f"the loss of {learner.name} is {loss:g}, that of {learners[-1].name} {losses[-1]:g}")
    return learners


def check(net: Net, makers: dict[str, Any]) -> None:
    """Compare the gradients of all parameters in float64.

    Raises
    ------
    WrongResult
        If they differ.
    """
    small = net._replace(shape=(min(net.shape[0], CHECKED_IMAGES), *net.shape[1:]))
    ours, *others = ready(small, makers, np.float64)
    for other in others:
        expected = other.gradients()
        for name, gradient in ours.gradients().items():
            error = np.linalg.norm(gradient.ravel() - expected[name].ravel())
            whole = sum(float(np.sum(g * g)) for g in expected.values()) ** 0.5
            if not error <= TOLERANCE * whole:
                raise WrongResult(f"the gradient of {name} differs from that of {other.name} by {error / whole:g}")


def peak_megabytes(net: Net, learner: str, args: argparse.Namespace) -> float:
    """Return what a process of its own needs at most for three steps, beyond what it needs to begin."""
    command = [sys.executable, "-m", "cnnfast.bench.memory", str(net), learner, args.dtype]
    command.append(str(_config.get_num_threads()))
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
