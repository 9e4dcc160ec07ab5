"""Suites of problems: text files with a problem string a line, and what a `#` says after it.

A line that starts with ``sweep`` stands for its problem and all neighbours, one more or less in one dimension.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cnnfast._command import UserError
from cnnfast.testing import Problem

POOLS = ("max_pool", "avg_pool")
ELEMENTWISE = ("relu",)
FOLDER = Path(__file__).parent / "shapes"


class Entry(NamedTuple):
    """A line of a suite, or a neighbour of the problem `base` of one; `layer` is its comment."""

    suite: str
    op: str
    problem: Problem
    layer: str
    base: str = ""

    def __str__(self) -> str:
        return str(self.problem) if self.op == self.problem.op else f"{self.op} {self.problem}"


def names() -> list[str]:
    """Return the names of the suites that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def read(name: str) -> list[Entry]:
    """Return the entries of a suite, of a file like those in ``shapes``, or of one problem string.

    Raises
    ------
    UserError
        If `name` is none of them, or a line is wrong.
    """
    path = FOLDER / f"{name}.txt" if name in names() else Path(name)
    if not path.is_file():
        try:
            return _entries("", name)
        except ValueError as error:
            known = ", ".join(names())
            raise UserError(f"{name!r} is no suite ({known}), no file, and {error}") from error
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            if line.partition("#")[0].strip():
                entries += _entries(path.stem, line)
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}") from error
    return entries


def _entries(suite: str, line: str) -> list[Entry]:
    first, _, rest = line.strip().partition(" ")
    if first != "sweep":
        return [_entry(suite, line)]
    middle = _entry(suite, rest)
    problems = [middle.problem, *neighbours(middle.problem)]
    return [middle._replace(problem=problem, base=str(middle)) for problem in problems]


def _entry(suite: str, line: str) -> Entry:
    text, _, layer = line.partition("#")
    *named, string = text.split() or [""]
    problem = Problem.parse(string)
    open_to = () if problem.op else POOLS if problem.kernel else ELEMENTWISE
    if named != [problem.op] and (len(named) != bool(open_to) or not {*named} <= {*open_to}):
        expected = f"{' or '.join(open_to)} before it" if open_to else f"{problem.op} or nothing before it"
        raise ValueError(f"{text.strip()!r}: expected {expected}")
    return Entry(suite, named[0] if named else problem.op, problem, layer.strip())


def neighbours(problem: Problem) -> Iterator[Problem]:
    """Yield all problems that have one less or more in the batch, the channels, an extent or the kernel.

    Channels of a grouped convolution change by one a group; a depthwise one changes its groups.
    """
    for fields in (*_changes(problem, -1), *_changes(problem, 1)):
        try:
            neighbour = replace(problem, **fields)
        except ValueError:  # a kernel that does not fit, or no axis left
            continue
        if neighbour.flops:
            yield neighbour


def _changes(problem: Problem, by: int) -> Iterator[dict[str, Any]]:
    channels, outputs, groups = problem.channels, problem.outputs or 0, problem.groups
    yield {"n": problem.n + by}
    if 1 < groups == channels:
        yield {"channels": channels + by, "outputs": outputs + by * outputs // groups, "groups": groups + by}
    else:
        yield {"channels": channels + by * groups}
        if outputs:
            yield {"outputs": outputs + by * groups}
    for axis, extent in enumerate(problem.extent):
        yield {"extent": (*problem.extent[:axis], extent + by, *problem.extent[axis + 1 :])}
    if problem.kernel:
        yield {"kernel": tuple(k + by for k in problem.kernel)}
