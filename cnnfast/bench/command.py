"""``cnnfast bench``: its options, and the run from shape files to table, JSON and picture."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

from cnnfast import _config
from cnnfast._command import UserError, check_writable, needs, replacing
from cnnfast.bench import accuracy, nets, peers, planner, suites
from cnnfast.bench.accuracy import AccuracySession
from cnnfast.bench.nets import NetSession
from cnnfast.bench.planner import PlannerSession
from cnnfast.bench.session import Session
from cnnfast.bench.tasks import PASSES

OwnSession = PlannerSession | AccuracySession


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``cnnfast bench``."""
    known = ", ".join(suites.names())
    parser.add_argument(
        "suites",
        nargs="*",
        metavar="SUITE",
        default=["lenet"],
        help=f"{known}, {nets.NAME} (whole nets), {planner.NAME} (each algorithm on random convolutions), "
        f"{accuracy.NAME} (errors of convolutions), a file like theirs, a problem such as n8c128h28w28_o128k3p1, or "
        "'sweep PROBLEM' for it and all that differ from it by one in one dimension (lenet)",
    )
    for name, kind, metavar, default, does in (
        ("--peers", _words, "LIST", [*peers.PEERS], f"of {', '.join(peers.PEERS)} (all that are installed)"),
        ("--passes", _passes, "LIST", ["forward", "backward"], "of forward, backward_data and "
         "backward_weights; backward is all gradients (forward,backward); of nets, inference and training"),
        ("--threads", _threads, "LIST", [_config.get_num_threads()], "numbers of them for cnnfast and all peers, "
         "compared with the first (all CPUs)"),
        ("--busy", _count, "N", 0, "time also beside so many busy processes (%(default)s)"),
        ("--isa", str, "NAME", None, "kernels of another instruction set (the best there is)"),
        ("--seconds", _seconds, "S", 0.3, "for each pass and contender (%(default)s)"),
        ("--layers", _range, "FROM:END", planner.LAYERS, f"numbers of those of {planner.NAME} (0:240)"),
        ("--filter", str, "TEXT", "", "only what has this in its suite, problem or layer"),
        ("--json", Path, "FILE", None, "write all numbers"),
        ("--plot", Path, "FILE", None, "draw them into this .png, .svg or .pdf file"),
    ):  # fmt: skip
        parser.add_argument(name, type=kind, metavar=metavar, default=default, help=does)
    parser.add_argument("--profile", action="store_true", help="of nets, tell how long each kind of op takes")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="(%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Check, time and print; return 0, or 1 if a result was wrong.

    Raises
    ------
    UserError
        For a suite, problem, peer or option that does not exist, or a file that cannot be written.
    """
    session = _session(args)
    save_picture = _open_outputs(args)
    session.run()
    if args.json:
        with replacing(args.json) as file:
            file.write(json.dumps(session.document(), indent=1).encode())
    if save_picture:
        save_picture(args.plot, session.document())
    return 1 if session.wrong else 0


def _session(args: argparse.Namespace) -> Session | NetSession | OwnSession:
    if nets.NAME in args.suites:
        return _net_session(args)
    for name, session in ((planner.NAME, PlannerSession), (accuracy.NAME, AccuracySession)):
        if name in args.suites:
            return _own_session(name, session, args)
    entries = [entry for name in args.suites for entry in suites.read(name)]
    entries = [e for e in entries if args.filter in f"{e.suite} {e} {e.layer}"]
    if not entries:
        raise UserError(f"no problem has {args.filter!r} in it")
    return Session(args, entries)


def _net_session(args: argparse.Namespace) -> NetSession:
    if len(args.suites) > 1 or args.plot or args.busy:
        raise UserError(f"{nets.NAME} goes with no other suite, with no --plot and no --busy")
    if not (chosen := nets.read(args.filter)):
        raise UserError(f"no net has {args.filter!r} in its name")
    return NetSession(args, chosen)


def _own_session(name: str, session: Callable[..., OwnSession], args: argparse.Namespace) -> OwnSession:
    if len(args.suites) > 1 or args.plot or args.busy:
        raise UserError(f"{name} goes with no other suite, with no --plot and no --busy")
    return session(args)


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
    known = {*nets.PASSES.values(), *(p for passes in PASSES.values() for p in passes)}
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


def _threads(text: str) -> list[int]:
    return [_whole(word, 1) for word in _words(text)] or [_whole(text, 1)]


def _range(text: str) -> range:
    first, _, end = text.partition(":")
    return range(_whole(first, 0), _whole(end, 0))


def _count(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} (expected a whole number of at least {least})")
    return int(text)
