"""Random and curated convolution problems, with every form of padding."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cnnfast import _config, _core
from cnnfast import functional as F
from cnnfast._geometry import convolution as geometry

Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """Shapes and arguments of one convolution."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    arguments: dict[str, Any]

    @property
    def rank(self) -> int:
        return len(self.x) - 2

    @property
    def problem(self) -> geometry.Conv:
        names = ("stride", "padding", "dilation", "groups")
        defaults = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | self.arguments
        return geometry.conv("conv", self.rank, self.x, self.w, None, *(defaults[n] for n in names))

    def __str__(self) -> str:
        return str(self.problem)


def random_case(rng: np.random.Generator, rank: int | None = None) -> Case:
    """Any rank, stride, dilation, padding, groups; small enough to check in milliseconds."""

    def draw(*values: int) -> int:
        return int(rng.choice(values))

    rank = rank or draw(1, 2, 2, 3)
    groups = draw(1, 1, 1, 2, 3)
    channels = groups * draw(1, 2, 3, 8, 17), groups * draw(1, 2, 5, 16, 29)
    kernel = tuple(draw(1, 2, 3, 3, 5) for _ in range(rank))
    stride = tuple(draw(1, 1, 2, 3) for _ in range(rank))
    dilation = tuple(draw(1, 1, 2, 3) for _ in range(rank))
    pairs = tuple((draw(0, 1, 2), draw(0, 1, 3)) for _ in range(rank))
    padding: Any = pairs if draw(0, 1) else "same" if draw(0, 1) else pairs[0][0]
    largest = {1: 150, 2: 20, 3: 8}[rank]
    windows = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    extent = tuple(int(rng.integers(w, w + largest)) for w in windows)
    x = (draw(1, 2, 5), channels[0], *extent)
    w = (channels[1], channels[0] // groups, *kernel)
    return Case(x, w, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups})


def op(name: str, rank: int) -> Any:
    """functional.conv2d for ('conv', 2), functional.conv2d_backward for ('conv_backward', 2)."""
    family, _, suffix = name.partition("_backward")
    return getattr(F, f"{family}{rank}d{'_backward' if '_backward' in name else ''}{suffix}")


def boundary_cases(isa: int) -> list[Case]:
    """Sizes around the tile of an instruction set: rows MR, lanes a vector, channels a pass."""
    lanes = _core.lanes(isa)[0]
    cases = []
    for width in (1, lanes - 1, lanes, lanes + 1, 2 * lanes + 1, 6 * lanes + 1):
        for rows in (1, 5, 6, 7, 13, 14, 15, 29):
            if width > 0:
                cases.append(Case((1, 2, width + 2), (rows, 2, 3), {}))
    passes = [Case((1, c, 5, 5), (3, c, 3, 3), {"padding": 1}) for c in (127, 128, 129, 257)]
    return [*cases, *passes, Case((2, 3, 1, 1), (4, 3, 5, 5), {"padding": 2}), Case((0, 3, 4, 4), (4, 3, 3, 3), {})]


def on(isa: int, threads: int) -> Any:
    return _config.using(isa=isa, threads=threads)
