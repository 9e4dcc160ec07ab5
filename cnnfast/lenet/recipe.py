"""How LeNet-5 is trained: the numbers that a user may choose."""

from __future__ import annotations

from typing import NamedTuple


class Recipe(NamedTuple):
    """How to train.

    The defaults come from trials: batches of 64 led to more mistakes than batches of 32 on 8,000
    digits of MNIST, and 20 epochs to more than 30 on scikit-learn's digits.
    """

    epochs: int = 30
    batch_size: int = 32
    lr: float = 3e-3
    seed: int = 0
