"""The generator behind initial weights and dropout masks."""

from __future__ import annotations

import numpy as np

from cnnfast._geometry.tuples import integer

_generator = np.random.default_rng()


def manual_seed(n: int) -> None:
    """Seed all random numbers of cnnfast; without it, they differ from run to run.

    Parameters
    ----------
    n : int
        Not negative.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is not such an int.

    Examples
    --------
    >>> from cnnfast.layers import Linear
    >>> manual_seed(0)
    >>> a = Linear(2, 2).weight.data
    >>> manual_seed(0)
    >>> bool(np.all(a == Linear(2, 2).weight.data))
    True
    """
    global _generator
    _generator = np.random.default_rng(integer("manual_seed", "n", n, 0))


def generator() -> np.random.Generator:
    """Return the generator that `manual_seed` seeded last."""
    return _generator


def seed() -> int:
    """Draw the seed of one dropout mask: 63 bits of the raw stream, which NumPy never changes."""
    return int(_generator.bit_generator.random_raw()) >> 1
