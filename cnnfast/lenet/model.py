"""LeNet-5, its answers, and its weights as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast import functional as F
from cnnfast._command import UserError, reason, replacing
from cnnfast.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from cnnfast.lenet.npz import read_npz

Array = npt.NDArray[Any]

BATCH = 256
"""Images that pass the net at once when it only answers."""


def lenet5() -> Sequential:
    """Return LeNet-5 with fresh weights, in today's usual form.

    Convolutions of 5x5 to 6, 16 and 120 channels, a pooling of 2x2 after the first two, and full
    connections to 84 and 10: as LeCun et al. 1998 (section II.B), but with max pooling instead of
    averages, ReLU instead of tanh, each of the 16 channels connected to all 6, and a linear output
    under softmax and cross entropy instead of radial basis functions.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
    recognition. Proceedings of the IEEE 86 (11), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> lenet5()(np.zeros((2, 1, 32, 32), np.float32)).shape
    (2, 10)
    """
    return Sequential(
        Conv2d(1, 6, 5),
        ReLU(),
        MaxPool2d(2),
        Conv2d(6, 16, 5),
        ReLU(),
        MaxPool2d(2),
        Conv2d(16, 120, 5),
        ReLU(),
        Flatten(),
        Linear(120, 84),
        ReLU(),
        Linear(84, 10),
    )


def standardise(images: Array) -> Array:
    """Map paper (0) to -0.1 and ink (1) to 1.175, which gives MNIST about mean 0 and variance 1.

    The values are those of LeCun et al. 1998, section II.B.
    """
    return images * np.float32(1.275) - np.float32(0.1)


def probabilities(net: Sequential, images: Array) -> Array:
    """Return what `net` makes of images.

    Parameters
    ----------
    net : Sequential
        As `lenet5` returns it.
    images : ndarray of shape (N, 1, 32, 32), float32
        Ink from 0 to 1.

    Returns
    -------
    ndarray of shape (N, 10), float32
        The probability of each digit.
    """
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    return np.concatenate([F.softmax(net(standardise(batch)), 1) for batch in batches])


def save(net: Sequential, path: Path) -> None:
    """Write the weights as an .npz file, whole or not at all; names and layout are torch's.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    arrays: dict[str, Any] = net.state_dict()
    with replacing(path) as file:
        np.savez(file, **arrays)


def load(path: Path) -> Sequential:
    """Return LeNet-5 with the weights that `save` wrote.

    Raises
    ------
    UserError
        If the file cannot be read, or holds the weights of another net.
    """
    net = lenet5()
    try:
        net.load_state_dict(read_npz(path))
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: not the weights of LeNet-5 ({reason(error)})") from error
    return net
