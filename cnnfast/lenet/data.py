"""The digits to learn and to be tested with: scikit-learn's, Keras' mnist.npz or MNIST's own files."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast._command import UserError, needs, reason
from cnnfast.lenet.image import FIELD, mnist_form
from cnnfast.lenet.npz import read_npz

Array = npt.NDArray[Any]

SIDE = 28
"""Side of the images in MNIST's files."""

HELD_OUT = 0.2
"""Share of scikit-learn's digits that is kept for the test."""


@dataclass(frozen=True)
class Digits:
    """Images with their labels.

    Attributes
    ----------
    images : ndarray of shape (N, 1, 32, 32), float32
        Ink from 0 to 1.
    labels : ndarray of shape (N,), int64
    """

    images: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """What a net learns, what it is tested with, and where both come from."""

    train: Digits
    test: Digits
    source: str


def load(path: Path | None, seed: int) -> Data:
    """Return the digits of a file or folder, or without a path those of scikit-learn.

    Parameters
    ----------
    path : Path or None
        An .npz file with x_train, y_train, x_test and y_test, or a folder with the four IDX files
        of MNIST, gzipped or not.
    seed : int
        Chooses which fifth of scikit-learn's digits is held out.

    Raises
    ------
    UserError
        If something is missing, unreadable or not what it should be.
    """
    if path is None:
        return _bundled(seed)
    return _from_folder(path) if path.is_dir() else _from_npz(path)


def _bundled(seed: int) -> Data:
    """Return the 8x8 scans of Alpaydin and Kaynak (1998), brought to the form of MNIST."""
    with needs("scikit-learn"):
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    scans, labels = load_digits(return_X_y=True)
    images = np.stack([mnist_form(scan.reshape(8, 8) / 16) for scan in scans])[:, None]
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels.astype(np.int64), test_size=HELD_OUT, stratify=labels, random_state=seed
    )
    train, test = Digits(train_images, train_labels), Digits(test_images, test_labels)
    return Data(train, test, "scikit-learn")


def _from_npz(path: Path) -> Data:
    arrays = read_npz(path)

    def part(name: str) -> Digits:
        x, y = f"x_{name}", f"y_{name}"
        missing = [key for key in (x, y) if key not in arrays]
        if missing:
            raise UserError(f"{path}: no array {' and no '.join(missing)}")
        return _digits(f"{path}: {x}", arrays[x], f"{path}: {y}", arrays[y])

    return Data(part("train"), part("test"), str(path))


def _from_folder(folder: Path) -> Data:
    def part(name: str) -> Digits:
        images, labels = (_find(folder, f"{name}-{kind}") for kind in ("images-idx3", "labels-idx1"))
        return _digits(str(images), read_idx(images, 3), str(labels), read_idx(labels, 1))

    return Data(part("train"), part("t10k"), str(folder))


def _find(folder: Path, name: str) -> Path:
    """Return a file of MNIST under either of its names, gzipped or not."""
    names = (f"{name}-ubyte", f"{name.replace('-idx', '.idx')}-ubyte")
    for file in (folder / (stem + end) for stem in names for end in ("", ".gz")):
        if file.is_file():
            return file
    raise UserError(f"{folder}: no file {names[0]} or {names[1]}, with or without .gz")


def read_idx(path: Path, ndim: int) -> Array:
    """Return the array in an IDX file of unsigned bytes, gzipped or not.

    The format is that of the MNIST database: big-endian words (32 bits) for magic and the length
    of each axis, then the elements.

    Raises
    ------
    UserError
        If the file cannot be read, its magic is another, or it is not as long as its axes say.
    """
    content, header = _content(path), 4 * (1 + ndim)
    if len(content) < header:
        raise UserError(f"{path}: {len(content)} bytes are no IDX file (its header has {header})")
    magic, *shape = map(int, np.frombuffer(content, ">u4", 1 + ndim))
    expected = 0x0800 | ndim
    if magic != expected:
        raise UserError(f"{path}: magic is 0x{magic:08x} (expected 0x{expected:08x})")
    size = len(content) - header
    if size != math.prod(shape):
        raise UserError(f"{path}: {size} bytes of data (expected {' x '.join(map(str, shape))})")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: {reason(error)}") from error


def _digits(x_name: str, x: Array, y_name: str, y: Array) -> Digits:
    """Return the net's form of arrays in the form of MNIST's files, after a check of both."""
    if x.dtype != np.uint8 or x.ndim != 3 or x.shape[1:] != (SIDE, SIDE) or not len(x):
        expected = f"expected uint8 of shape (N, {SIDE}, {SIDE}), N at least 1"
        raise UserError(f"{x_name} is {x.dtype} of shape {x.shape} ({expected})")
    if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
        expected = f"expected integers of shape ({len(x)},)"
        raise UserError(f"{y_name} is {y.dtype} of shape {y.shape} ({expected})")
    if y.min() < 0 or y.max() > 9:
        raise UserError(f"{y_name} has labels from {y.min()} to {y.max()} (expected 0 to 9)")
    margin = (FIELD - SIDE) // 2
    images = np.zeros((len(x), 1, FIELD, FIELD), np.float32)
    images[:, 0, margin:-margin, margin:-margin] = x / np.float32(255)
    return Digits(images, y.astype(np.int64))
