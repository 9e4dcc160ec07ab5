"""Suites of problems: text files with a problem string a line, and what a `#` says after it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cnnfast._command import UserError
from cnnfast.testing import Problem

POOLS = ("max_pool", "avg_pool")
ELEMENTWISE = ("relu",)
FOLDER = Path(__file__).parent / "shapes"


class Entry(NamedTuple):
    """A line of a suite; `layer` is its comment."""

    suite: str
    op: str
    problem: Problem
    layer: str

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
            return [_entry("", name)]
        except ValueError as error:
            known = ", ".join(names())
            raise UserError(f"{name!r} is no suite ({known}), no file, and {error}") from error
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            if line.partition("#")[0].strip():
                entries.append(_entry(path.stem, line))
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}") from error
    return entries


def _entry(suite: str, line: str) -> Entry:
    text, _, layer = line.partition("#")
    *named, string = text.split() or [""]
    problem = Problem.parse(string)
    open_to = () if problem.op else POOLS if problem.kernel else ELEMENTWISE
    if named != [problem.op] and (len(named) != bool(open_to) or not {*named} <= {*open_to}):
        expected = f"{' or '.join(open_to)} before it" if open_to else f"{problem.op} or nothing before it"
        raise ValueError(f"{text.strip()!r}: expected {expected}")
    return Entry(suite, named[0] if named else problem.op, problem, layer.strip())
