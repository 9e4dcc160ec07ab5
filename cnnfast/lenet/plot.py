"""The picture of a training: learning curve, confusion matrix, first filters and hardest digits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast.layers import Sequential
from cnnfast.lenet.data import Data
from cnnfast.lenet.errors import UserError, needs
from cnnfast.lenet.files import replacing
from cnnfast.lenet.model import probabilities
from cnnfast.lenet.train import Epoch

with needs("matplotlib"):
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec, SubplotSpec
    from matplotlib.ticker import MaxNLocator, PercentFormatter

Array = npt.NDArray[Any]

INK, FAINT, LINE, BLUE, RED = "#20262d", "#7b8590", "#e3e7ec", "#1f5f99", "#b8402c"
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "grid.color": LINE,
    "savefig.dpi": 150,
}

ROWS, COLUMNS = 3, 8
"""Digits that the picture has room for."""


def check_format(path: Path) -> None:
    """Raise a `UserError` unless the end of `path` is that of a picture matplotlib can write."""
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise UserError(f"{path}: unknown kind of picture (expected .{', .'.join(sorted(formats))})")


def save(path: Path, net: Sequential, data: Data, history: Sequence[Epoch]) -> None:
    """Write the picture, whole or not at all, in the format that the end of its name says.

    Parameters
    ----------
    path : Path
    net : Sequential
        LeNet-5 at the end of the training.
    data : Data
        What it learnt and was tested with.
    history : sequence of Epoch
        How the training went.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with rc_context(STYLE), replacing(path) as file:
        draw(net, data, history).savefig(file, format=path.suffix[1:].lower())


def draw(net: Sequential, data: Data, history: Sequence[Epoch]) -> Figure:
    """Return the picture as a figure."""
    figure = Figure(figsize=(12, 9.6))
    _draw_headline(figure, data, history)
    margins: dict[str, Any] = {"figure": figure, "left": 0.07, "right": 0.97}
    upper = GridSpec(1, 2, **margins, bottom=0.435, top=0.84, wspace=0.2, width_ratios=(1.25, 1))
    lower = GridSpec(1, 2, **margins, bottom=0.03, top=0.29, wspace=0.1, width_ratios=(1, 2))
    answers = probabilities(net, data.test.images)
    _draw_curves(figure, upper[0], history)
    _draw_confusion(figure.add_subplot(upper[1]), answers.argmax(axis=1), data.test.labels)
    _draw_filters(figure, lower[0], net.state_dict()["0.weight"][:, 0])
    _draw_hardest(figure, lower[1], data, answers)
    return figure


def _draw_headline(figure: Figure, data: Data, history: Sequence[Epoch]) -> None:
    share, count = 100 * history[-1].accuracy, len(data.test)
    figure.text(0.07, 0.945, f"LeNet-5 reads {share:.2f} % of {count:,} digits", size=20, weight="bold")
    learnt = f"that it never saw, after {len(history)} epochs of {len(data.train):,} others"
    figure.text(0.07, 0.915, f"{learnt} ({Path(data.source).name})", color=FAINT, size=12)


def _draw_curves(figure: Figure, place: SubplotSpec, history: Sequence[Epoch]) -> None:
    """Draw the accuracy and below it the loss over the epochs, with their last values."""
    upper, lower = place.subgridspec(2, 1, hspace=0.28, height_ratios=(1.7, 1)).subplots(sharex=True)
    epochs = [epoch.number for epoch in history]
    accuracy = [100 * epoch.accuracy for epoch in history]
    loss = [epoch.loss for epoch in history]
    _draw_curve(upper, "Test accuracy", epochs, accuracy, BLUE, f"{accuracy[-1]:.2f} %")
    _draw_curve(lower, "Training loss", epochs, loss, RED, f"{loss[-1]:.3f}")
    upper.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
    lower.set_ylim(bottom=0)
    lower.set_xlim(left=0)
    lower.set_xlabel("Epoch")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _draw_curve(axes: Axes, title: str, x: list[int], y: list[float], color: str, last: str) -> None:
    axes.set_title(title)
    axes.grid(axis="y")
    axes.plot(x, y, color=color, linewidth=1.8, marker="o", markersize=3.5, clip_on=False)
    offset = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
    axes.annotate(last, (x[-1], y[-1]), color=color, weight="bold", **offset)


def _draw_confusion(axes: Axes, said: Array, truth: Array) -> None:
    """Draw how often each digit was read as each one, right answers in blue, mistakes in red."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (truth, said), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.eye(10, dtype=bool)
    # Mistakes are rare: on the scale of the right answers none of them would show.
    for shown, colors, most in ((right, "Blues", 1.25), (~right, "Reds", 0.1)):
        visible = np.ma.array(share, mask=~shown | (counts == 0))
        axes.imshow(visible, cmap=colors, vmin=-0.2 * most, vmax=most)
    for row, column in np.argwhere(counts):
        color = "white" if row == column else INK
        axes.text(column, row, counts[row, column], color=color, ha="center", va="center")
    axes.set_title("Confusion matrix")
    axes.set(xlabel="What the net said", ylabel="What it was", xticks=range(10), yticks=range(10))
    axes.set_xticks(np.arange(9) + 0.5, minor=True)
    axes.set_yticks(np.arange(9) + 0.5, minor=True)
    axes.grid(which="minor")
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _draw_filters(figure: Figure, place: SubplotSpec, filters: Array) -> None:
    """Draw the kernels of the first layer on one scale, in two rows."""
    axes = _place_under_heading(figure, place, "First layer's filters", "blue for ink, red against")
    limit = np.abs(filters).max()
    framed = np.pad(filters, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    rows = [np.concatenate([*row], axis=1) for row in np.split(framed, 2)]
    axes.imshow(np.concatenate(rows)[:-1, :-1], cmap="RdBu", vmin=-limit, vmax=limit)
    axes.set_anchor("NW")


def _draw_hardest(figure: Figure, place: SubplotSpec, data: Data, answers: Array) -> None:
    """Draw the digits that were misread, then those read right that were least sure."""
    said, truth = answers.argmax(axis=1), data.test.labels
    right, sure = said == truth, answers[np.arange(len(truth)), truth]
    _place_under_heading(
        figure,
        place,
        f"Hardest digits: {len(truth) - right.sum()} of {len(truth):,} misread",
        "red: what it was → what the net said; grey: read right, but with least confidence",
    )
    grid = place.subgridspec(ROWS, COLUMNS, wspace=0.1, hspace=0.5)
    for index, cell in zip(np.lexsort((sure, right)), grid, strict=False):
        axes = figure.add_subplot(cell)
        axes.axis("off")
        axes.imshow(data.test.images[index, 0, 4:-4, 4:-4], cmap="gray_r", vmin=0, vmax=1)
        text, color = f"{truth[index]} → {said[index]}", RED
        if right[index]:
            text, color = f"{truth[index]}", FAINT
        axes.set_title(text, loc="center", pad=3, size=10, weight="normal", color=color)


def _place_under_heading(figure: Figure, place: SubplotSpec, title: str, remark: str) -> Axes:
    """Return axes without a frame, under a title and a remark."""
    axes = figure.add_subplot(place)
    axes.axis("off")
    axes.set_title(title, pad=42)
    axes.annotate(remark, (0, 1), (0, 28), "axes fraction", "offset points", color=FAINT)
    return axes
