"""The picture of a training: learning curve, confusion matrix, first filters, and the mistakes."""

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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

Array = npt.NDArray[Any]

INK, FAINT, BLUE, RED = "#22282f", "#8a929c", "#1b6ca8", "#c8442e"
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#e4e7eb",
    "savefig.dpi": 150,
}

SHOWN = 24
"""Mistakes that the picture has room for, in rows of `ROW`."""

ROW = 8


def check_format(path: Path) -> None:
    """Raise a `UserError` unless `path` ends like a picture that matplotlib writes."""
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise UserError(f"{path}: not a picture's name (expected .{', .'.join(sorted(formats))})")


def save(path: Path, net: Sequential, data: Data, history: Sequence[Epoch]) -> None:
    """Write the picture, whole or not at all, in the format that the end of its name says.

    Parameters
    ----------
    path : Path
    net : Sequential
        The trained net.
    data : Data
        What it was trained with.
    history : sequence of Epoch

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with rc_context(STYLE), replacing(path) as file:
        figure = draw(net, data, history)
        figure.savefig(file, format=path.suffix[1:].lower())


def draw(net: Sequential, data: Data, history: Sequence[Epoch]) -> Figure:
    """Return the picture as a figure."""
    answers = probabilities(net, data.test.images)
    figure = Figure(figsize=(12, 9.5), layout="constrained")
    figure.suptitle(
        f"LeNet-5 reads {history[-1].accuracy:.2%} of {len(data.test):,} digits it never saw"
    )
    panels = figure.subfigures(2, 2, height_ratios=(1.3, 1), wspace=0.05, hspace=0.05)
    draw_curves(panels[0, 0], history)
    draw_confusion(panels[0, 1], answers.argmax(axis=1), data.test.labels)
    draw_filters(panels[1, 0], net.state_dict()["0.weight"][:, 0])
    draw_mistakes(panels[1, 1], data.test.images[:, 0], answers, data.test.labels)
    return figure


def draw_curves(panel: SubFigure, history: Sequence[Epoch]) -> None:
    """Draw the accuracy and below it the loss, over the epochs."""
    upper, lower = panel.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    epochs = [epoch.number for epoch in history]
    curves = (
        (upper, [epoch.accuracy for epoch in history], "Test accuracy", BLUE, "{:.2%}"),
        (lower, [epoch.loss for epoch in history], "Training loss", RED, "{:.3f}"),
    )
    for axes, values, title, color, form in curves:
        axes.plot(epochs, values, color=color, marker="o", markersize=3.5, clip_on=False)
        axes.set_title(title)
        axes.annotate(
            form.format(values[-1]),
            (epochs[-1], values[-1]),
            (6, 0),
            textcoords="offset points",
            color=color,
            va="center",
            weight="bold",
        )
        axes.grid(axis="y")
    upper.yaxis.set_major_formatter(PercentFormatter(1))
    lower.set_ylim(bottom=0)
    lower.set_xlabel("Epoch")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_confusion(panel: SubFigure, said: Array, truth: Array) -> None:
    """Draw how often each digit was taken for each: the right answers in blue, the others in red."""
    axes = panel.subplots()
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (truth, said), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.eye(10, dtype=bool)
    # A single mistake among hundreds would be invisible without the root.
    for mask, colors in ((~right, "Blues"), (right, "Reds")):
        axes.imshow(np.ma.array(np.sqrt(share), mask=mask), cmap=colors, vmin=0, vmax=1.2)
    for row, column in np.argwhere(counts):
        axes.text(column, row, counts[row, column], ha="center", va="center", color="white")
    axes.set_title("Confusion matrix")
    axes.set(xlabel="What the net said", ylabel="What it was")
    axes.set_xticks(range(10))
    axes.set_yticks(range(10))
    axes.tick_params(length=0)


def draw_filters(panel: SubFigure, filters: Array) -> None:
    """Draw the kernels of the first layer, one scale for all."""
    limit = np.abs(filters).max()
    grid = panel.subplots(2, 3)
    for axes, kernel in zip(grid.flat, filters):
        image = axes.imshow(kernel, cmap="RdBu", vmin=-limit, vmax=limit)
        axes.axis("off")
    panel.colorbar(image, ax=grid)
    panel.suptitle("First layer's filters")


def draw_mistakes(panel: SubFigure, images: Array, answers: Array, truth: Array) -> None:
    """Draw the digits that were misread, the surest mistakes first."""
    said = answers.argmax(axis=1)
    wrong = np.flatnonzero(said != truth)
    wrong = wrong[np.argsort(-answers[wrong].max(axis=1), kind="stable")]
    panel.suptitle(f"{len(wrong)} mistakes")
    grid = panel.subplots(SHOWN // ROW, ROW)
    for axes in grid.flat:
        axes.axis("off")
    for axes, index in zip(grid.flat, wrong):
        axes.imshow(images[index], cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(f"{truth[index]} \N{RIGHTWARDS ARROW} {said[index]}")
