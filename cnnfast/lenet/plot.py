"""The picture of a training: learning curve, confusion matrix, first filters and hardest digits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.ticker import MaxNLocator

from cnnfast._picture import BLUE, FAINT, INK, RED
from cnnfast.layers import Sequential
from cnnfast.lenet.data import Data
from cnnfast.lenet.model import probabilities
from cnnfast.lenet.train import Epoch

Array = npt.NDArray[Any]

ROWS, COLUMNS = 3, 8
"""Digits that the picture has room for."""


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
    accuracy, test, source = 100 * history[-1].accuracy, len(data.test), Path(data.source).name
    remark = f"that it never saw; learnt from {len(data.train):,} others (epochs: {len(history)}, data: {source})"
    figure.text(0.07, 0.945, f"LeNet-5 reads {accuracy:.2f} % of {test:,} digits", size=20, weight="bold")
    # A path may hold dollar signs, which would start a formula.
    figure.text(0.07, 0.915, remark, color=FAINT, size=12, parse_math=False)


def _draw_curves(figure: Figure, place: SubplotSpec, history: Sequence[Epoch]) -> None:
    """Draw the accuracy and below it the loss over the epochs, with their last values."""
    cells = place.subgridspec(2, 1, hspace=0.28, height_ratios=(1.7, 1))
    upper = figure.add_subplot(cells[0])
    lower = figure.add_subplot(cells[1], sharex=upper)
    upper.tick_params(labelbottom=False)
    epochs = [epoch.number for epoch in history]
    accuracy = [100 * epoch.accuracy for epoch in history]
    loss = [epoch.loss for epoch in history]
    _draw_curve(upper, "Test accuracy", epochs, accuracy, BLUE, f"{accuracy[-1]:.2f} %")
    _draw_curve(lower, "Training loss", epochs, loss, RED, f"{loss[-1]:.3f}")
    upper.yaxis.set_major_formatter("{x:g} %")
    lower.set_ylim(bottom=0)
    lower.set_xlim(left=0)
    lower.set_xlabel("Epoch")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _draw_curve(axes: Axes, title: str, x: list[int], y: list[float], color: str, last: str) -> None:
    axes.set_title(title)
    axes.grid(axis="y")
    axes.plot(x, y, color=color, linewidth=1.8, marker="o", markersize=3.5, clip_on=False)
    end, beside = (x[-1], y[-1]), (8, 0)
    axes.annotate(last, end, beside, textcoords="offset points", va="center", color=color, weight="bold")


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
    for cell, index in enumerate(np.lexsort((sure, right))[: ROWS * COLUMNS]):
        axes = figure.add_subplot(grid[cell])
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
