"""One run of the benchmark: each task checked, then timed in turns."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from cnnfast import _config, _core
from cnnfast._command import UserError
from cnnfast.bench import machine, peers
from cnnfast.bench.check import OUR_TOLERANCE, PEER_TOLERANCE, WrongResult, check
from cnnfast.bench.load import busy
from cnnfast.bench.report import CLIFF, OURS, SLOWDOWNS, Row, Table, cliffs, columns, document
from cnnfast.bench.suites import Entry
from cnnfast.bench.tasks import Call, Cnnfast, Contender, Task, tasks
from cnnfast.bench.timing import in_turns
from cnnfast.bench.tuned_numpy import TunedNumPy

SEED = 20260101
# Half a CPU taken by others is enough to upset the barrier at the end of a parallel loop.
CROWDED = 0.5


class Session:
    """What is measured with what, and what has been so far."""

    def __init__(self, args: argparse.Namespace, entries: list[Entry]) -> None:
        self.args, self.entries = args, entries
        rivals = peers.contenders(args.peers)
        self.contenders = [Cnnfast(), *rivals]
        self.missing = {name: peers.missing(name) for name in args.peers if peers.missing(name)}
        self.limits: dict[int, machine.Limits] = {}
        for threads in args.threads:
            with settings(threads, args.isa):
                self.limits[_config.get_num_threads()] = machine.Limits(args.dtype)
                self.facts = describe(args.dtype, [*self.limits], self.contenders)
        self.columns = columns([rival.name for rival in rivals], len(self.limits) > 1, args.busy > 0)
        self.rows: list[Row] = []
        self.wrong = 0

    def run(self) -> None:
        """Time the entries and print a row for each pass, then what they amount to."""
        table = Table(map(str, self.entries), self.columns)
        print("\n".join((*self._preface(), "", table.header())), flush=True)
        rng = np.random.default_rng(SEED)
        for entry in self.entries:
            for task in tasks(entry, self.args.passes, self.args.dtype, rng):
                for row in self._rows(entry, task):
                    print(table.row(row), flush=True)
        for row in self.rows:
            self._bound(row)
        print("\n".join((*table.means(self.rows), "", self._peak("at the end, which the means go by"))))
        if any(entry.base for entry in self.entries):
            print("\n".join(self._cliffs()))

    def document(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        return document(self.facts, self.limits.values(), self.rows, self.columns)

    def _rows(self, entry: Entry, task: Task) -> Iterator[Row]:
        """Time a task on each number of threads."""
        first: Row | None = None
        for threads in self.limits:
            with settings(threads, self.args.isa):
                try:
                    row = self._time(entry, task, threads)
                except WrongResult as error:
                    self.wrong += 1
                    print(f"{entry} {task.which}: {error}", file=sys.stderr, flush=True)
                    continue
            if first:
                row.scaling = first.ours / row.ours
            first = first or row
            self.rows.append(row)
            yield row

    def _time(self, entry: Entry, task: Task, threads: int) -> Row:
        calls = prepare(task, self.contenders)
        limits = self.limits[threads]
        samples = in_turns({**calls, **limits.calls(task.bytes)}, self.args.seconds)
        limits.update(task.bytes, samples)
        row = Row(entry.suite, entry.base, str(entry), entry.layer, task.which, threads, task.flops, task.bytes)
        row.seconds = {name: min(taken) for name, taken in samples.items()}
        if self.args.busy:
            with busy(self.args.busy):
                row.busy = {name: _percentiles(taken) for name, taken in in_turns(calls, self.args.seconds).items()}
        self._bound(row)
        return row

    def _bound(self, row: Row) -> None:
        row.limit, row.memory_bound = self.limits[row.threads].bound(row.flops, row.bytes)

    def _preface(self) -> Iterator[str]:
        yield self.facts["line"]
        if self.missing:
            packages = dict.fromkeys(package for needed in self.missing.values() for package in needed)
            yield f"not here: {', '.join(self.missing)} (pip install {' '.join(packages)})"
        if self.facts["openblas_coretype"]:
            yield f"OPENBLAS_CORETYPE={self.facts['openblas_coretype']} is set"
        if self.facts["load"] > CROWDED:
            yield f"load average {self.facts['load']:.1f}: other programs share the CPUs, times mean little"
        yield self._peak("so far")
        if self.args.busy:
            yield f"p50, p95: median and 95th percentile beside {self.args.busy} busy processes / least quiet time"
        else:
            yield "columns of peers: time / ours"

    def _peak(self, when: str) -> str:
        rates = (f"{one.flops * 1e-9:.1f} GFLOP/s (threads={threads})" for threads, one in self.limits.items())
        return f"peak {', '.join(rates)} {when}"

    def _cliffs(self) -> Iterator[str]:
        """Time the slow side of each cliff once more, lest it was the machine, and tell what is left."""
        rng = np.random.default_rng(SEED)
        entries = {str(entry): entry for entry in self.entries}
        for row in {id(cliff.slow): cliff.slow for cliff in cliffs(self.rows)}.values():
            task = next(tasks(entries[row.name], [row.which], self.args.dtype, rng))
            with settings(row.threads, self.args.isa):
                again = in_turns(prepare(task, self.contenders[:1]), self.args.seconds)
            row.seconds[OURS] = min(row.ours, *again[OURS])
        found = cliffs(self.rows)
        yield f"\ncliffs, where one of two neighbours is over {CLIFF} times as slow: {len(found) or 'none'}"
        yield from map(str, found)


def _percentiles(samples: list[float]) -> dict[str, float]:
    return {name: float(np.percentile(samples, percent)) for name, percent in SLOWDOWNS.items()}


@contextmanager
def settings(threads: int | None, isa: str | None) -> Iterator[None]:
    """Context manager: so many threads for all contenders, and kernels of one instruction set."""
    with ExitStack() as stack:
        if isa is not None:
            stack.enter_context(_config.using(isa=_supported(isa)))
        if threads is not None:
            stack.enter_context(_config.threads(threads))
        stack.enter_context(peers.threads(_config.get_num_threads()))
        yield


def describe(dtype: str, threads: Sequence[int], contenders: list[Contender]) -> dict[str, Any]:
    """Return what the machine and the software are; `line` says it in one line."""
    facts: dict[str, Any] = {
        "cpu": machine.cpu(),
        "cpus": os.cpu_count(),
        "isa": _core.isa_name(_config.current().isa),
        "threads": list(threads),
        "dtype": dtype,
        "compiler": _core.compiler(),
        "software": list(dict.fromkeys(c.describe() for c in contenders)),
        "blas": machine.blas(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE", ""),
    }
    line = "{cpu}, {cpus} CPUs, threads={}, {isa}, {dtype}, {compiler}".format(",".join(map(str, threads)), **facts)
    facts["line"] = ", ".join((line, *facts["software"], facts["blas"]))
    return facts


def prepare(task: Task, contenders: list[Contender]) -> dict[str, Call]:
    """Return the call of each contender that has the task, all of them checked.

    Raises
    ------
    WrongResult
        If one differs from the NumPy baseline.
    """
    expected = TunedNumPy().prepare(task)()
    calls: dict[str, Call] = {}
    for contender in contenders:
        call = contender.prepare(task)
        if call is not None:
            if contender.name == OURS:
                with _config.using(exact=True):
                    check(contender.name, call, expected, 0)
            check(contender.name, call, expected, OUR_TOLERANCE if contender.name == OURS else PEER_TOLERANCE)
            calls[contender.name] = call
    return calls


def _supported(isa: str) -> int:
    names = [_core.isa_name(number) for number in _core.supported_isas()]
    if isa not in names:
        raise UserError(f"unknown or unsupported isa {isa!r} (expected one of {', '.join(names)})")
    return int(_core.supported_isas()[names.index(isa)])
