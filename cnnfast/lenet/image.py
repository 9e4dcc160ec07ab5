"""Pictures of digits brought to the form of MNIST, whatever their size, colours and margins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast._command import UserError, needs, reason

FIELD = 32
"""Side of LeNet-5's input (LeCun et al. 1998, section II.B)."""

BOX = 20
"""Side of the box that a digit of MNIST fills (LeCun et al. 1998, section III.A)."""

LARGEST = 1000
"""Longest side that a photograph is worked on with."""

ROUNDING = 1e-9
"""Differences of colour that are no more than the arithmetic of the fit leaves."""

STRAY = 0.002
"""Share of the ink that may be dust outside the digit's box, at each side."""

Array = npt.NDArray[Any]


def read_digit(path: Path) -> Array:
    """Return the digit in an image file as `mnist_form` gives it.

    Raises
    ------
    UserError
        If the file cannot be read as an image, or shows one even colour.
    """
    with needs("Pillow"):
        from PIL import Image, ImageOps
    try:
        with Image.open(path) as image:
            shown = ImageOps.exif_transpose(image)
            # The modes I and F are grey with more than 8 bits, of which RGBA would keep the top.
            if shown.mode[0] not in "IF":
                shown = shown.convert("RGBA")
                shown.thumbnail((LARGEST, LARGEST))
            pixels = np.asarray(shown, float)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: no readable image ({reason(error)})") from error
    digit = ink(pixels)
    if not digit.any():
        raise UserError(f"{path}: no digit to see (the image has one even colour)")
    return mnist_form(digit)


def ink(pixels: Array) -> Array:
    """Return how much ink is on each pixel.

    Ink is what differs from the paper, so that dark on light, light on dark and any two colours are
    one case; the paper is what most of the border shows.

    Parameters
    ----------
    pixels : ndarray of shape (H, W) or (H, W, 4), float
        Grey values of any range, or red, green, blue and opacity from 0 to 255.

    Returns
    -------
    ndarray of shape (H, W), float64
        From 0, paper and its noise, to 1, full ink; 0 everywhere if all pixels are alike.
    """
    colors = np.atleast_3d(pixels) / 255
    if colors.shape[2] == 4:
        colors[..., :3] *= colors[..., 3:]
    border = np.ones(colors.shape[:2], bool)
    border[1:-1, 1:-1] = False
    distance = np.linalg.norm(colors - _paper(colors, border), axis=2)
    return _stretch(distance, 6 * np.median(distance[border]))


def _paper(colors: Array, border: Array) -> Array:
    """Return the colours of the paper: a plane, since light comes from one side, by least squares.

    The fit starts from the median and leaves out what is far from it, such as ink on the border.
    """
    axes = (np.linspace(-1, 1, side) for side in border.shape)
    plane = np.stack([*np.meshgrid(*axes, indexing="ij"), np.ones(border.shape)], axis=2)
    x, y = plane[border], colors[border]
    fitted = np.median(y, axis=0)
    for _ in range(5):
        distance = np.linalg.norm(y - fitted, axis=1)
        near = distance <= 3 * np.median(distance)
        solution = np.linalg.lstsq(x[near], y[near], rcond=None)[0]
        fitted = x @ solution
    paper: Array = plane @ solution
    return paper


def _stretch(distance: Array, noise: float) -> Array:
    """Map noise to 0 and the mean of the ink to 1.

    Paper and ink are told apart by the threshold of Ridler and Calvard (1978), halfway between the
    means of its two sides.
    """
    if np.ptp(distance) < ROUNDING:
        return np.zeros_like(distance)
    threshold = (distance.min() + distance.max()) / 2
    for _ in range(20):
        dark = distance > threshold
        high = distance[dark].mean()
        threshold = (distance[~dark].mean() + high) / 2
    low = np.clip(noise, threshold / 2, threshold)
    stretched: Array = np.clip((distance - low) / (high - low), 0, 1)
    return stretched


def mnist_form(digit: Array) -> Array:
    """Return a digit cut out, scaled to a box of 20 x 20 and centred by mass in 32 x 32 pixels.

    This is how MNIST was made (LeCun et al. 1998, section III.A), but for the 28 x 28 of its files.

    Parameters
    ----------
    digit : ndarray of shape (H, W)
        Ink from 0 to 1, some of it above 0.

    Returns
    -------
    ndarray of shape (32, 32), float32
        Ink from 0 to 1.
    """
    with needs("Pillow"):
        from PIL import Image
    digit = digit[_extent(digit.sum(axis=1)), _extent(digit.sum(axis=0))]
    height, width = (max(1, round(side * BOX / max(digit.shape))) for side in digit.shape)
    image = Image.fromarray(digit.astype(np.float32))
    small = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).clip(0)
    field = np.zeros((FIELD, FIELD), np.float32)
    top, left = (_start(small.sum(axis=1 - axis)) for axis in (0, 1))
    field[top : top + height, left : left + width] = small / small.max()
    return field


def _extent(mass: Array) -> slice:
    """Return where the ink of one axis begins and ends, but for stray specks."""
    share = np.cumsum(mass) / mass.sum()
    return slice(np.argmax(share > STRAY), np.argmax(share >= 1 - STRAY) + 1)


def _start(mass: Array) -> int:
    """Return where an axis starts in the field, so that its centre of mass is in the middle."""
    centre = (mass @ np.arange(len(mass))) / mass.sum()
    return int(np.clip(round((FIELD - 1) / 2 - centre), 0, FIELD - len(mass)))
