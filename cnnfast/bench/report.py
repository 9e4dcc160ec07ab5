"""What is printed and written: a row a task, geometric means, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from typing import Any

from cnnfast.bench.machine import Limits


@dataclass
class Row:
    """One task: what had to be done, and the least seconds of each contender."""

    suite: str
    name: str
    layer: str
    which: str
    flops: int
    bytes: int
    limit: float
    memory_bound: bool
    seconds: dict[str, float]

    @property
    def ours(self) -> float:
        return self.seconds["cnnfast"]

    @property
    def share(self) -> float:
        """The share of the limit that we reach."""
        return self.limit / self.ours

    def ratios(self) -> dict[str, float]:
        """How many times the seconds of ours each peer takes, and the best of them."""
        found = {name: s / self.ours for name, s in self.seconds.items() if name != "cnnfast"}
        return found | ({"best": min(found.values())} if len(found) > 1 else {})


class Table:
    """The rows as text, under names of columns that are known beforehand."""

    def __init__(self, names: Iterable[str], peers: Sequence[str]) -> None:
        self.width = max(map(len, (*names, "problem")))
        self.columns = [*peers, "best"] if len(peers) > 1 else list(peers)

    def header(self) -> str:
        cells = "".join(f"{name:>{_width(name)}}" for name in self.columns)
        return f"{'problem':{self.width}}  {'pass':16}{'ms':>10}{'GFLOP/s':>10}{'% of limit':>15}{cells}"

    def row(self, row: Row) -> str:
        bound = "memory" if row.memory_bound else "FMA"
        return (
            f"{row.name:{self.width}}  {row.which:16}{row.ours * 1e3:10.4g}"
            f"{row.flops / row.ours * 1e-9:10.4g}{100 * row.share:8.1f} {bound:6}" + self._ratios(row.ratios())
        )

    def _ratios(self, ratios: dict[str, float]) -> str:
        return "".join(f"{f'{ratios[name]:.2f}x' if name in ratios else '-':>{_width(name)}}" for name in self.columns)

    def means(self, rows: Sequence[Row]) -> list[str]:
        """Lines of geometric means, one a pass and one over all."""
        lines = []
        for which, means in geometric_means(rows).items():
            label = f"geometric mean of {which}"
            share = f"{100 * means.pop('share'):.1f}"
            lines.append(f"{label:{self.width + 38}}{share:>8}{'':7}" + self._ratios(means))
        return lines


def _width(name: str) -> int:
    return max(len(name), 7) + 2


def geometric_means(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Return, of each pass and of all, the means of the ratios and of the share of the limit."""
    result = {}
    for which in (*dict.fromkeys(row.which for row in rows), "all"):
        chosen = [r.ratios() | {"share": r.share} for r in rows if which in (r.which, "all")]
        names = dict.fromkeys(name for values in chosen for name in values)
        result[which] = {name: _geometric_mean([values[name] for values in chosen if name in values]) for name in names}
    return result


def _geometric_mean(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))


def document(machine: dict[str, Any], limits: Limits, rows: Sequence[Row]) -> dict[str, Any]:
    """Return everything as values that JSON has, enough to draw the picture again."""
    return {
        "machine": machine,
        "peak_flops": limits.flops,
        "bandwidth": limits.bandwidths,
        "rows": [asdict(row) for row in rows],
        "geometric_means": geometric_means(rows),
    }
