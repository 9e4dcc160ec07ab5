"""The picture of a benchmark: how near to the limit each row comes, and how far from each peer."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from cnnfast._picture import BLUE, INK, LINE
from cnnfast.bench.report import Row

ROW_INCHES, MARGIN_INCHES = 0.24, 1.9


def draw(document: dict[str, Any]) -> Figure:
    """Return the picture as a figure."""
    rows = [Row(**row) for row in document["rows"]]
    height = MARGIN_INCHES + ROW_INCHES * len(rows)
    figure = Figure(figsize=(13, height))
    left, right = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.32, right=0.97, wspace=0.1, top=1 - 1.3 / height, bottom=0.6 / height)
    _draw_shares(left, rows)
    _draw_ratios(right, rows)
    figure.text(0.02, 1 - 0.45 / height, "cnnfast", fontsize=15, weight="bold")
    figure.text(0.02, 1 - 0.75 / height, document["machine"]["line"], fontsize=9)
    return figure


def _draw_shares(axes: Any, rows: list[Row]) -> None:
    at = np.arange(len(rows))
    shades = [LINE if row.memory_bound else BLUE for row in rows]
    axes.barh(at, [100 * row.share for row in rows], color=shades, edgecolor=BLUE, height=0.7)
    axes.set_yticks(at, [f"{row.name}   {row.which}" for row in rows], fontsize=8, color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title("% of the limit (filled: FMA, open: memory)")
    axes.set_xlim(0, max(100.0, *(105 * row.share for row in rows)))
    axes.grid(axis="x")
    axes.set_axisbelow(True)


def _draw_ratios(axes: Any, rows: list[Row]) -> None:
    peers = list(dict.fromkeys(name for row in rows for name in row.ratios if name != "best"))
    for number, peer in enumerate(peers):
        points = [(row.ratios[peer], y) for y, row in enumerate(rows) if peer in row.ratios]
        color = colormaps["tab10"](number + 1)
        axes.scatter(*zip(*points, strict=True), s=26, color=color, label=peer, zorder=3)
    axes.set_xscale("log")
    axes.axvline(1, color=INK, linewidth=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title("time of a peer / ours (over 1: we are faster)")
    axes.tick_params(axis="y", left=False)
    axes.grid(axis="both")
    axes.set_axisbelow(True)
    if peers:
        axes.legend(loc="lower right", fontsize=8)
