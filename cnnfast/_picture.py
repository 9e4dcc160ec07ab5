"""The look of the commands' pictures, and how they become files; it needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cnnfast._command import UserError, replacing

INK, FAINT, LINE, BLUE, RED = "#20262d", "#7b8590", "#e3e7ec", "#1f5f99", "#b8402c"
STYLE: Any = {
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


def check_format(path: Path) -> None:
    """Raise a `UserError` unless the end of `path` is that of a picture matplotlib can write."""
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise UserError(f"{path}: unknown kind of picture (expected .{', .'.join(sorted(formats))})")


def save(path: Path, draw: Callable[[], Figure]) -> None:
    """Write the figure that `draw` returns, whole or not at all, in the format that its name says.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with rc_context(STYLE), replacing(path) as file:
        draw().savefig(file, format=path.suffix[1:].lower())
