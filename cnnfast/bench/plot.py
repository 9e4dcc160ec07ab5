"""The picture of a benchmark: how near to the limit each row comes, and how far from each peer."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from cnnfast._picture import BLUE, INK, LINE
from cnnfast.bench.report import Row

ROW_INCHES, MARGIN_INCHES = 0.2, 2.0


def draw(document: dict[str, Any]) -> Figure:
    """Return the picture as a figure."""
    rows = [Row(**row) for row in document["rows"]]
    height = MARGIN_INCHES + ROW_INCHES * len(rows)
    figure = Figure(figsize=(14, height))
    left, right = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.36, right=0.97, wspace=0.1, top=1 - 1.4 / height, bottom=0.6 / height)
    _draw_shares(left, rows)
    _draw_ratios(right, rows)
    figure.text(0.02, 1 - 0.45 / height, "cnnfast", fontsize=15, weight="bold")
    figure.text(0.02, 1 - 0.75 / height, document["machine"]["line"], fontsize=9)
    return figure


def _draw_shares(axes: Any, rows: list[Row]) -> None:
    at = np.arange(len(rows))
    shades = [LINE if row.memory_bound else BLUE for row in rows]
    axes.barh(at, [100 * row.share for row in rows], color=shades, edgecolor=BLUE, height=0.7, zorder=2)
    axes.set_yticks(at, _labels(rows), fontsize=8, color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title("% of the limit (filled: FMA, open: memory)")
    axes.set_xlim(0, max(100.0, *(105 * row.share for row in rows)))
    axes.grid(axis="x")
    _band(axes, rows)


def _draw_ratios(axes: Any, rows: list[Row]) -> None:
    peers = list(dict.fromkeys(name for row in rows for name in row.ratios if name != "best"))
    for number, peer in enumerate(peers):
        points = [(row.ratios[peer], y) for y, row in enumerate(rows) if peer in row.ratios]
        color = colormaps["tab10"](number + 1)
        axes.scatter(*zip(*points, strict=True), s=26, color=color, label=peer, zorder=3)
    axes.set_xscale("log", base=2)
    axes.axvline(1, color=INK, linewidth=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.set_title("time of a peer / ours (over 1: we are faster)", pad=26)
    axes.tick_params(axis="y", left=False)
    axes.grid(axis="x")
    _band(axes, rows)
    if peers:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=len(peers), fontsize=8, frameon=False)


def _labels(rows: list[Row]) -> list[str]:
    """The pass of each row, after the layer and the problem where a new one begins."""
    several = len({row.threads for row in rows}) > 1
    passes = [f"{row.which}{f', threads={row.threads}' if several else ''}" for row in rows]
    names = [""] + [row.name for row in rows]
    pairs = zip(rows, names, passes, strict=False)
    return [text if row.name == before else f"{row.layer}   {row.name}   {text}" for row, before, text in pairs]


def _band(axes: Any, rows: list[Row]) -> None:
    """Shade every second problem, across both halves."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(row.name for row in rows))}
    for y, row in enumerate(rows):
        if numbers[row.name] % 2:
            axes.axhspan(y - 0.5, y + 0.5, color=LINE, alpha=0.45, linewidth=0, zorder=0)
    axes.set_axisbelow(True)
