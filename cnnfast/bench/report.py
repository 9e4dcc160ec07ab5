"""What is printed and written: a row a task, geometric means, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import exp, log
from typing import Any, NamedTuple

from cnnfast.bench.machine import Limits

OURS = "cnnfast"
# Times as slow as a neighbour, both an operation and against the own limit: with a smaller kernel there is less to do
# on as many bytes, and with a larger one more.
CLIFF = 1.5
# Percentiles of the time beside busy processes.
SLOWDOWNS = {"p50": 50, "p95": 95}


@dataclass
class Row:
    """One task: what had to be done, and the least seconds of each contender.

    `base` is the problem whose neighbour this is in a sweep. `busy` has percentiles of the seconds of each
    contender beside busy processes. `scaling` is the time on the first number of threads over the time on these.
    """

    suite: str
    base: str
    name: str
    layer: str
    which: str
    threads: int
    flops: int
    bytes: int
    limit: float = 0.0
    memory_bound: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    busy: dict[str, dict[str, float]] = field(default_factory=dict)
    scaling: float | None = None

    @property
    def ours(self) -> float:
        return self.seconds[OURS]

    @property
    def rate(self) -> float:
        """Our operations a second."""
        return self.flops / self.ours

    @property
    def share(self) -> float:
        """The share of the limit that we reach."""
        return self.limit / self.ours

    @property
    def ratios(self) -> dict[str, float]:
        """How many times the seconds of ours each peer takes, and the best of them."""
        found = {name: s / self.ours for name, s in self.seconds.items() if name != OURS}
        return found | ({"best": min(found.values())} if found else {})

    def slowdowns(self, which: str) -> dict[str, float]:
        """How many times its least quiet time each contender takes beside busy processes, ``"p50"`` or ``"p95"``."""
        return {name: times[which] / self.seconds[name] for name, times in self.busy.items()}


class Cliff(NamedTuple):
    """Two rows of problems that differ by one."""

    factor: float
    slow: Row
    fast: Row

    def __str__(self) -> str:
        slow, fast = (f"{row.name} ({row.rate * 1e-9:.3g} GFLOP/s)" for row in self[1:])
        return f"{self.factor:6.2f}x  {self.slow.which:16}  threads={self.slow.threads}  {slow}, beside {fast}"


class Column(NamedTuple):
    """A quantity of a row and its form; where `averaged`, geometric means of it are taken too."""

    title: str
    value: Callable[[Row], float | str | None]
    form: str = "{}"
    averaged: bool = True

    def cell(self, value: float | str | None) -> str:
        return self.align("-" if value is None else self.form.format(value))

    def align(self, text: str) -> str:
        return f"{text:>{max(len(self.title), 8) + 2}}"


def columns(peers: Sequence[str], scaling: bool, busy: bool) -> list[Column]:
    """Return what a table shows of each row beside problem and pass."""
    found = [
        Column("ms", lambda row: row.ours * 1e3, "{:.4g}", averaged=False),
        Column("GFLOP/s", lambda row: row.rate * 1e-9, "{:.4g}", averaged=False),
        Column("% of limit", lambda row: 100 * row.share, "{:.1f}"),
        Column("by", lambda row: "memory" if row.memory_bound else "FMA", averaged=False),
    ]
    if scaling:
        threads = Column("threads", lambda row: row.threads, averaged=False)
        found = [threads, *found, Column("scaling", lambda row: row.scaling, "{:.2f}x")]
    if busy:
        return found + [_slowdown(name, which) for name in (OURS, *peers) for which in SLOWDOWNS]
    return found + [ratio(name) for name in (*peers, *(["best"] if len(peers) > 1 else []))]


def ratio(name: str) -> Column:
    """Return the column of a peer's time over ours; "best" is that of the fastest peer."""
    return Column(name, lambda row: row.ratios.get(name), "{:.2f}x")


def _slowdown(name: str, which: str) -> Column:
    return Column(f"{name} {which}", lambda row: row.slowdowns(which).get(name), "{:.2f}x")


class Table:
    """The rows as text, under names of columns that are known beforehand."""

    def __init__(self, names: Iterable[str], columns: Sequence[Column]) -> None:
        self.width = max(map(len, (*names, "geometric mean of")))
        self.columns = columns

    def header(self) -> str:
        return self._line("problem", "pass", [column.align(column.title) for column in self.columns])

    def row(self, row: Row) -> str:
        return self._line(row.name, row.which, [column.cell(column.value(row)) for column in self.columns])

    def means(self, rows: Sequence[Row]) -> list[str]:
        """Lines of geometric means, for each pass and for all, on each number of threads."""
        lines = []
        for means in geometric_means(rows, self.columns):
            cells = [c.cell(means[c.title]) if c.title in means else c.align("") for c in self.columns]
            lines.append(self._line("geometric mean of", means["pass"], cells))
        return lines

    def _line(self, name: str, which: str, cells: Sequence[str]) -> str:
        return f"{name:{self.width}}  {which:16}{''.join(cells)}"


def geometric_means(rows: Sequence[Row], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return the means of the columns by their titles, for each pass and for all, on each number of threads."""
    result = []
    for threads in dict.fromkeys(row.threads for row in rows):
        same = [row for row in rows if row.threads == threads]
        for which in (*dict.fromkeys(row.which for row in same), "all"):
            chosen = [row for row in same if which in (row.which, "all")]
            result.append({"pass": which, "threads": threads, **_means(chosen, columns)})
    return result


def _means(rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, float]:
    averaged = [column for column in columns if column.averaged]
    found = {c.title: [float(v) for v in map(c.value, rows) if v is not None] for c in averaged}
    return {title: exp(sum(map(log, values)) / len(values)) for title, values in found.items() if values}


def cliffs(rows: Sequence[Row]) -> list[Cliff]:
    """Return each two neighbours of which one is 1.5 times as slow, the steepest first."""
    bases = {(row.base, row.which, row.threads): row for row in rows if row.name == row.base}
    found = []
    for row in rows:
        base = bases.get((row.base, row.which, row.threads), row)
        slow, fast = sorted((row, base), key=lambda one: one.share)
        cliff = Cliff(min(fast.share / slow.share, fast.rate / slow.rate), slow, fast)
        found += [cliff] if cliff.factor > CLIFF else []
    return sorted(found, key=lambda one: -one.factor)


def document(
    machine: dict[str, Any], limits: Iterable[Limits], rows: Sequence[Row], columns: Sequence[Column]
) -> dict[str, Any]:
    """Return everything as values that JSON has, enough to draw the picture again."""
    return {
        "machine": machine,
        "limits": [{"threads": one.how[1], "flops": one.flops, "bandwidth": one.bandwidths} for one in limits],
        "rows": [asdict(row) for row in rows],
        "geometric_means": geometric_means(rows, columns),
    }
