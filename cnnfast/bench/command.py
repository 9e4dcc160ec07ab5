"""``cnnfast bench``: its options, and the run from shape files to table, JSON and picture."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast import _config, _core
from cnnfast._command import UserError, check_writable, needs, replacing
from cnnfast.bench import machine, peers, suites
from cnnfast.bench.check import WrongResult, check
from cnnfast.bench.im2col import TunedNumPy
from cnnfast.bench.report import Row, Table, document
from cnnfast.bench.suites import Entry
from cnnfast.bench.tasks import PASSES, Cnnfast, Contender, Task, tasks
from cnnfast.bench.timing import in_turns

SEED = 20260101
# Half a CPU taken by others is enough to upset the barrier at the end of a parallel loop.
BUSY = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``cnnfast bench``."""
    known = ", ".join(suites.names())
    parser.add_argument(
        "suites",
        nargs="*",
        metavar="SUITE",
        default=["lenet"],
        help=f"{known}, a file like theirs, or a problem such as n8c128h28w28_o128k3p1 (lenet)",
    )
    for name, kind, metavar, default, does in (
        ("--peers", _words, "LIST", None, "of numpy, numpy_tuned, torch, onnxruntime (all that are installed)"),
        ("--passes", _passes, "LIST", ["forward", "backward"], "of forward, backward_data and "
         "backward_weights; backward is all gradients (forward,backward)"),
        ("--threads", _threads, "N", None, "for cnnfast and all peers (all CPUs)"),
        ("--isa", str, "NAME", None, "kernels of another instruction set (the best there is)"),
        ("--seconds", _seconds, "S", 0.3, "for each pass and contender (%(default)s)"),
        ("--filter", str, "TEXT", "", "only what has this in its suite, problem or layer"),
        ("--json", Path, "FILE", None, "write all numbers"),
        ("--plot", Path, "FILE", None, "draw them into this .png, .svg or .pdf file"),
    ):  # fmt: skip
        parser.add_argument(name, type=kind, metavar=metavar, default=default, help=does)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="(%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Check, time and print; return 0, or 1 if a result was wrong.

    Raises
    ------
    UserError
        For a suite, problem, peer or option that does not exist, or a file that cannot be written.
    """
    entries = [entry for name in args.suites for entry in suites.read(name)]
    entries = [e for e in entries if args.filter in f"{e.suite} {e} {e.layer}"]
    if not entries:
        raise UserError(f"no problem has {args.filter!r} in it")
    save_picture = _open_outputs(args)
    with settings(args.threads, args.isa):
        names = peers.installed() if args.peers is None else args.peers
        session = Session(args, peers.contenders(names, _config.get_num_threads()), entries)
        session.run(entries)
    result = document(session.facts, session.limits, session.rows)
    if args.json:
        with replacing(args.json) as file:
            file.write(json.dumps(result, indent=1).encode())
    if save_picture:
        save_picture(args.plot, result)
    return 1 if session.wrong else 0


class Session:
    """One run: contenders, limits, and what has been measured so far."""

    def __init__(self, args: argparse.Namespace, rivals: list[Contender], entries: list[Entry]) -> None:
        self.args = args
        self.contenders = [Cnnfast(), *rivals]
        self.limits = machine.Limits(args.dtype)
        self.facts = describe(args.dtype, self.contenders)
        self.table = Table(map(str, entries), [rival.name for rival in rivals])
        self.rows: list[Row] = []
        self.wrong = 0

    def run(self, entries: list[Entry]) -> None:
        """Time the entries and print a row for each pass, then the means."""
        print(self.facts["line"])
        if self.facts["openblas_coretype"]:
            print(f"OPENBLAS_CORETYPE={self.facts['openblas_coretype']} is set")
        if self.facts["load"] > BUSY:
            print(f"load average {self.facts['load']:.1f}: other programs share the CPUs, times mean little")
        print(f"peak {self.limits.flops * 1e-9:.1f} GFLOP/s; in columns of peers: time / ours\n")
        print(self.table.header(), flush=True)
        rng = np.random.default_rng(SEED)
        for entry in entries:
            for task in tasks(entry, self.args.passes, self.args.dtype, rng):
                self._time(entry, task)
        for row in self.rows:
            row.limit, row.memory_bound = self.limits.bound(row.flops, row.bytes)
        print("\n".join(self.table.means(self.rows)) + "\n" if self.rows else "")
        print(f"peak {self.limits.flops * 1e-9:.1f} GFLOP/s at the end, which the means go by")

    def _time(self, entry: Entry, task: Task) -> None:
        try:
            calls = prepare(task, self.contenders)
        except WrongResult as error:
            self.wrong += 1
            print(f"{entry} {task.which}: {error}", file=sys.stderr, flush=True)
            return
        samples = in_turns({**calls, **self.limits.calls(task.bytes)}, self.args.seconds)
        self.limits.update(task.bytes, samples)
        seconds = {name: min(taken) for name, taken in samples.items()}
        limit = self.limits.bound(task.flops, task.bytes)
        names = entry.suite, str(entry), entry.layer, task.which
        self.rows.append(Row(*names, task.flops, task.bytes, *limit, seconds))
        print(self.table.row(self.rows[-1]), flush=True)


@contextmanager
def settings(threads: int | None, isa: str | None) -> Iterator[None]:
    """Context manager: so many threads, here and in NumPy's BLAS, and kernels of one instruction set."""
    with ExitStack() as stack:
        if isa is not None:
            stack.enter_context(_config.using(isa=_supported(isa)))
        if threads is not None:
            stack.enter_context(_config.threads(threads))
        stack.enter_context(peers.blas_threads(_config.get_num_threads()))
        yield


def describe(dtype: str, contenders: list[Contender]) -> dict[str, Any]:
    """Return what the machine and the software are; `line` says it in one line."""
    facts: dict[str, Any] = {
        "cpu": machine.cpu(),
        "cpus": os.cpu_count(),
        "isa": _core.isa_name(_config.current().isa),
        "threads": _config.get_num_threads(),
        "dtype": dtype,
        "compiler": _core.compiler(),
        "software": list(dict.fromkeys(c.describe() for c in contenders)),
        "blas": machine.blas(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE", ""),
    }
    facts["line"] = "{cpu}, {threads} threads on {cpus} CPUs, {isa}, {dtype}, {compiler}, ".format(**facts) + ", ".join(
        [*facts["software"], facts["blas"]]
    )
    return facts


def prepare(task: Task, contenders: list[Contender]) -> dict[str, Any]:
    """Return the call of each contender that has the task, all of them checked.

    Raises
    ------
    WrongResult
        If one differs from the NumPy baseline.
    """
    expected = TunedNumPy().prepare(task)()
    calls = {}
    for contender in contenders:
        call = contender.prepare(task)
        if call is not None:
            check(contender.name, call, expected, exact=contender.name == "cnnfast")
            calls[contender.name] = call
    return calls


def _supported(isa: str) -> int:
    names = [_core.isa_name(number) for number in _core.supported_isas()]
    if isa not in names:
        raise UserError(f"unknown or unsupported isa {isa!r} (expected one of {', '.join(names)})")
    return int(_core.supported_isas()[names.index(isa)])


def _open_outputs(args: argparse.Namespace) -> Callable[[Path, dict[str, Any]], None] | None:
    """Find out before the work whether its results can be written; how to draw, if asked for."""
    for path in filter(None, (args.json, args.plot)):
        check_writable(path)
    if not args.plot:
        return None
    with needs("matplotlib", "bench"):
        from cnnfast import _picture
        from cnnfast.bench import plot
    _picture.check_format(args.plot)
    return lambda path, result: _picture.save(path, lambda: plot.draw(result))


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _passes(text: str) -> list[str]:
    known = {p for passes in PASSES.values() for p in passes}
    if unknown := {*_words(text)} - known:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)!r} (expected some of {', '.join(sorted(known))})")
    return _words(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < inf:
        raise argparse.ArgumentTypeError(f"{text!r} (expected a number of at least 0)")
    return seconds


def _threads(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} (expected a whole number of at least 1)")
    return int(text)
