"""``cnnfast bench planner``: is the default algorithm the fastest one, on random layers that nobody chose?

Convolutions of every kind that take some 0.2 to 10 ms run with each ``algo`` in turns; a layer has a number, by which
a part of the sweep, or one layer of it, can be measured again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from cnnfast import _config, _core
from cnnfast.bench.check import OUR_TOLERANCE, WrongResult, check
from cnnfast.bench.session import SEED, describe, settings
from cnnfast.bench.suites import Entry
from cnnfast.bench.tasks import Call, Cnnfast, Task, tasks
from cnnfast.bench.timing import LEAST_ROUNDS
from cnnfast.testing import PASSES, Problem

NAME = "planner"
LAYERS = range(240)
# Nominal operations of a layer: 0.2 to 10 ms at 200 GFLOP/s.
LEAST_FLOPS, MOST_FLOPS = 4e7, 2e9
LARGEST_BATCH = 16
# Times as slow as the fastest algorithm, from which on a choice is called wrong.
SLOW = 1.05


class Family(NamedTuple):
    """What the layers of a kind are drawn from."""

    least: int  # extent of the last axis
    most: int
    kernels: tuple[tuple[int, ...], ...] = ((3, 3),)
    strides: tuple[int, ...] = (1,)
    dilations: tuple[int, ...] = (1,)
    groups: tuple[int, ...] = (1,)
    transposed: bool = False
    batch: int = LARGEST_BATCH  # at most


LONG = ((1, 7), (7, 1), (5, 5), (7, 7), (9, 9), (3, 5), (1, 3), (11, 11), (2, 4))
LINES = ((3,), (3,), (5,), (7,), (9,), (15,), (31,), (2,))
BLOCKS = ((3, 3, 3), (3, 3, 3), (1, 3, 3), (3, 1, 1), (5, 3, 3), (2, 2, 2))
FAMILIES = {
    "3x3": Family(7, 160),
    "3x3 batch 1": Family(7, 160, batch=1),
    "small maps": Family(3, 15, ((3, 3), (3, 3), (5, 5), (2, 2))),
    "strided": Family(7, 160, ((3, 3), (3, 3), (5, 5), (7, 7), (11, 11)), strides=(2, 2, 3, 4)),
    "dilated": Family(10, 160, ((3, 3), (3, 3), (5, 5)), strides=(1, 1, 2), dilations=(2, 3, 4)),
    "transposed": Family(4, 64, ((2, 2), (3, 3), (4, 4), (5, 5)), strides=(1, 2, 2, 2, 3), transposed=True),
    "long": Family(7, 160, LONG),
    "1D": Family(50, 9000, LINES, strides=(1, 1, 1, 2)),
    "3D": Family(6, 60, BLOCKS),
    "grouped": Family(7, 160, groups=(2, 4, 8, 32)),
}


def layer(number: int) -> Entry:
    """Return a layer of the sweep, always the same one for a number."""
    name = list(FAMILIES)[number % len(FAMILIES)]
    rng = np.random.default_rng([SEED, number])
    while True:
        try:
            problem = _draw(rng, FAMILIES[name])
        except ValueError:  # it has no output
            continue
        if LEAST_FLOPS <= problem.flops <= MOST_FLOPS:
            return Entry(NAME, problem.op, problem, name)


def _draw(rng: np.random.Generator, family: Family) -> Problem:
    """Return a layer of about so many operations as was drawn, if the batch that this takes is allowed."""

    def log_uniform(least: float, most: float) -> float:
        return float(np.exp(rng.uniform(np.log(least), np.log(most))))

    groups, dilation = int(rng.choice(family.groups)), int(rng.choice(family.dilations))

    def channels() -> int:
        unit = groups * int(rng.choice((1, 8, 16)))
        return max(1, round(log_uniform(3, 512) / unit)) * unit

    kernel = family.kernels[rng.integers(len(family.kernels))]
    size, apart = log_uniform(family.least, family.most), rng.choice((1.0, 1.5))
    extent = tuple(round(size * log_uniform(1 / apart, apart)) for _ in kernel)
    padded = rng.random() < 0.8
    more: dict[str, Any] = {
        "stride": (int(rng.choice(family.strides)),) * len(extent),
        "padding": tuple(dilation * (k - 1) // 2 * padded for k in kernel),
        "dilation": (dilation,) * len(extent),
    }
    sizes = channels(), extent, channels(), kernel
    one = Problem(1, *sizes, **more, groups=groups, transposed=family.transposed)
    batch = round(log_uniform(LEAST_FLOPS, MOST_FLOPS) / one.flops) if one.flops else 0
    if not 1 <= batch <= family.batch:
        raise ValueError("the batch is too small or too large")
    return replace(one, n=batch)


@dataclass
class Row:
    """One pass of one layer: of each algorithm the seconds in every round, and its plan."""

    number: int
    family: str
    problem: str
    which: str
    threads: int
    plans: dict[str, dict[str, Any]]
    rounds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def seconds(self) -> dict[str, float]:
        """The median of the rounds."""
        return {algo: float(np.median(taken)) for algo, taken in self.rounds.items()}

    def times(self, algo: str, other: str) -> float:
        """How many times the seconds of another algorithm one takes, the median over the rounds."""
        return float(np.median(np.divide(self.rounds[algo], self.rounds[other])))

    @property
    def ratio(self) -> float:
        """How many times the seconds of the fastest algorithm the default takes."""
        return max(self.times("auto", other) for other in self.rounds)

    def document(self) -> dict[str, Any]:
        found = asdict(self) | {"seconds": self.seconds, "ratio": self.ratio}
        del found["rounds"]
        return found

    def __str__(self) -> str:
        times = "".join(f"{1e3 * self.seconds[algo]:10.3f}" for algo in _core.ALGORITHMS)
        return (
            f"{self.number:4} {self.family:12} {self.problem:40} {self.which:17} {self.threads:7}{times} "
            f"{self.ratio:6.2f}  {self.plans['auto']['algorithm']:9} {self.plans['winograd']['pieces']}"
        )


def plans_of(task: Task) -> dict[str, tuple[dict[str, Any], Call]]:
    """Return what each algorithm plans for a pass, and the call."""
    isa, threads, exact = _config.how()
    conv, which = task.problem.conv, task.conv_pass
    x, dy = (task.dy, task.x) if task.problem.transposed else (task.x, task.dy)
    arrays = {"forward": (x, task.w), "backward_data": (dy, task.w), "backward_weights": (x, dy)}[which]
    shape = {"forward": dy.shape, "backward_data": x.shape, "backward_weights": task.w.shape}[which]
    found: dict[str, tuple[dict[str, Any], Call]] = {}
    for algo, number in _core.ALGORITHMS.items():
        how = isa, threads, task.x.dtype == np.float64, exact
        plan = _core.ConvPlan(PASSES.index(which), conv, *how, shape, number)
        found[algo] = plan.info(), partial(plan, *arrays)
    return found


def alternately(calls: Sequence[Call], seconds: float) -> list[list[float]]:
    """Return the seconds of each call in every round, given `seconds` in all.

    The clock of a processor may change by a third within a tenth of a second, so that calls of a round
    can be compared, and the least times of two calls cannot.
    """
    taken: list[list[float]] = [[] for _ in calls]
    end = perf_counter() + seconds
    while len(taken[0]) < LEAST_ROUNDS or perf_counter() < end:
        for call, samples in zip(calls, taken, strict=True):
            start = perf_counter()
            call()
            samples.append(perf_counter() - start)
    return taken


class PlannerSession:
    """What has been measured so far; as `session.Session`."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.rows: list[Row] = []
        self.wrong = 0

    def run(self) -> None:
        """Time the layers and print a line for each pass, then how often the default was not the fastest."""
        with settings(self.args.threads[0], self.args.isa):
            self.facts = describe(self.args.dtype, self.args.threads, [Cnnfast()])
        algorithms = "".join(f"{algo:>10}" for algo in _core.ALGORITHMS)
        print(f"{self.facts['line']}\nms of each algorithm; ratio: of the default to the fastest\n")
        print(f"   # {'family':12} {'problem':40} {'pass':17} threads{algorithms}  ratio  default   pieces", flush=True)
        for number in self.args.layers:
            for threads in self.args.threads:
                with settings(threads, self.args.isa):
                    for row in self._time(number):
                        self.rows.append(row)
                        print(row, flush=True)
        print("\n" + "\n".join(summary(self.rows)))

    def document(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        return {"machine": self.facts, "rows": [row.document() for row in self.rows]}

    def _time(self, number: int) -> Iterator[Row]:
        """Rows of the passes for which there is a choice."""
        entry = layer(number)
        if self.args.filter not in f"{entry.layer} {entry}":
            return
        for task in tasks(entry, self.args.passes, self.args.dtype, np.random.default_rng(SEED)):
            plans = plans_of(task)
            if plans["winograd"][0]["algorithm"] != "winograd":
                continue
            try:
                check(f"{entry} {task.which}", plans["winograd"][1], plans["direct"][1](), OUR_TOLERANCE)
            except WrongResult as error:
                self.wrong += 1
                print(error, file=sys.stderr, flush=True)
                continue
            row = Row(number, entry.layer, str(entry), task.which, _config.get_num_threads(), {})
            row.plans = {algo: plan for algo, (plan, _) in plans.items()}
            row.rounds = dict(zip(("direct", "winograd"), self._rounds(plans), strict=True))
            row.rounds["auto"] = row.rounds[row.plans["auto"]["algorithm"]]
            yield row

    def _rounds(self, plans: dict[str, tuple[dict[str, Any], Call]]) -> list[list[float]]:
        """Of the two algorithms; the default has the plan of one of them."""
        return alternately([plans[algo][1] for algo in ("direct", "winograd")], self.args.seconds)


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Yield for each pass how many choices cost more than 5 %, what all cost in the mean, and the worst."""
    for which in dict.fromkeys(row.which for row in rows):
        ratios = [row.ratio for row in rows if row.which == which]
        gains = [row.times("direct", "auto") for row in rows if row.which == which]
        slow = sum(ratio > SLOW for ratio in ratios)
        share = 100 * slow / len(ratios)
        yield (
            f"{which}: {len(ratios)} layers, {slow} over {SLOW} ({share:.1f} %), mean {mean(ratios):.3f}, "
            f"worst {max(ratios):.2f}; the default is {mean(gains):.2f} times as fast as direct"
        )


def mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.mean(np.log(ratios))))
