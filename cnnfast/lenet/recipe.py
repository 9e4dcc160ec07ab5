"""How LeNet-5 is trained: the numbers that a user may choose."""

from __future__ import annotations

from typing import NamedTuple


class Recipe(NamedTuple):
    """How to train.

    The defaults come from trials on MNIST with 8,000 digits, where batches of 64 made more mistakes
    than batches of 32, and 30 epochs no fewer than 20.
    """

    epochs: int = 30
    batch_size: int = 32
    lr: float = 3e-3
    seed: int = 0
