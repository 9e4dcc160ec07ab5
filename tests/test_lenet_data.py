"""The digits: every source gives the same arrays, and what is wrong with a file is said in one line."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnfast._command import UserError
from cnnfast.lenet import data

RNG = np.random.default_rng(1)
ARRAYS = {
    "x_train": RNG.integers(0, 256, (7, 28, 28), np.uint8),
    "y_train": np.array([0, 1, 2, 3, 4, 9, 9], np.uint8),
    "x_test": RNG.integers(0, 256, (3, 28, 28), np.uint8),
    "y_test": np.array([5, 6, 7], np.uint8),
}
IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def npz(folder: Path, **changes: object) -> Path:
    """Write ARRAYS with changes; an array that is None is left out."""
    arrays = {name: array for name, array in {**ARRAYS, **changes}.items() if array is not None}
    np.savez(folder / "digits.npz", **arrays)
    return folder / "digits.npz"


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


def idx_folder(folder: Path, rename: Callable[[str], str] = str) -> Path:
    for key, name in IDX_NAMES.items():
        content = idx(ARRAYS[key])
        name = rename(name)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


def check(loaded: data.Data) -> None:
    for part, name in ((loaded.train, "train"), (loaded.test, "test")):
        expected = np.pad(ARRAYS[f"x_{name}"], ((0, 0), (2, 2), (2, 2)))[:, None] / np.float32(255)
        np.testing.assert_array_equal(part.images, expected)
        np.testing.assert_array_equal(part.labels, ARRAYS[f"y_{name}"])
        assert (part.images.dtype, part.labels.dtype) == (np.float32, np.int64)
        assert len(part) == len(expected)


def test_npz(tmp_path: Path) -> None:
    check(data.load(npz(tmp_path), seed=0))


@pytest.mark.parametrize(
    "rename",
    [
        str,
        lambda name: name + ".gz",
        lambda name: name.replace("-idx", ".idx"),
        lambda name: name.replace("-idx", ".idx") + ".gz",
    ],
    ids=["dash", "dash_gz", "dot", "dot_gz"],
)
def test_idx(tmp_path: Path, rename: Callable[[str], str]) -> None:
    check(data.load(idx_folder(tmp_path, rename), seed=0))


def test_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    loaded, again, other = (data.load(None, seed) for seed in (3, 3, 4))
    assert (len(loaded.train), len(loaded.test)) == (1437, 360)
    assert loaded.train.images.shape == (1437, 1, 32, 32)
    assert loaded.train.images.dtype == np.float32
    assert (loaded.train.images.min(), loaded.train.images.max()) == (0, 1)
    assert set(np.bincount(loaded.test.labels)) <= {35, 36, 37}
    np.testing.assert_array_equal(loaded.test.images, again.test.images)
    assert not np.array_equal(loaded.test.labels, other.test.labels)


X, Y = ARRAYS["x_train"], ARRAYS["y_train"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "no array y_test"),
        ({"x_train": None, "y_train": None}, "no array x_train and no y_train"),
        ({"x_train": X.astype(float)}, "x_train is float64 of shape (7, 28, 28) (expected uint8"),
        ({"x_train": X[..., None]}, "shape (7, 28, 28, 1) (expected uint8 of shape (N, 28, 28)"),
        ({"x_train": X[:, 1:]}, "shape (7, 27, 28)"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "N at least 1"),
        ({"y_train": Y[1:]}, "y_train is uint8 of shape (6,) (expected integers of shape (7,))"),
        ({"y_train": Y.astype(float)}, "y_train is float64"),
        ({"y_train": Y.astype(np.int8) - 1}, "labels from -1 to 8 (expected 0 to 9)"),
        ({"y_train": Y.astype(np.uint64) + 2**63}, "labels from 9223372036854775808"),
        ({"x_train": np.array([{}])}, "damaged .npz file (Object arrays"),
    ],
)
def test_bad_npz(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    refuse(npz(tmp_path, **changes), message)


def test_damaged_npz(tmp_path: Path) -> None:
    path = npz(tmp_path)
    content = bytearray(path.read_bytes())
    content[200:4000] = bytes(3800)
    path.write_bytes(content)
    refuse(path, "damaged .npz file")
    path.write_bytes(content[:-30])
    refuse(path, "not an .npz file")
    path.unlink()
    refuse(path, "No such file")


IMAGES, LABELS = idx(X), idx(Y)


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("x_train", IMAGES[:-1], "5487 bytes of data (expected 7 x 28 x 28)"),
        ("x_train", IMAGES + b"\0", "5489 bytes of data (expected 7 x 28 x 28)"),
        ("x_train", IMAGES[:15], "15 bytes are no IDX file (its header has 16)"),
        ("x_train", b"", "0 bytes are no IDX file"),
        ("x_train", LABELS + bytes(9), "magic is 0x00000801 (expected 0x00000803)"),
        ("y_train", IMAGES, "magic is 0x00000803 (expected 0x00000801)"),
        ("y_test", LABELS, "t10k-labels-idx1-ubyte is uint8 of shape (7,)"),
        ("x_test", idx(X[:, 2:]), "t10k-images-idx3-ubyte is uint8 of shape (7, 26, 28)"),
        ("y_train", idx(Y + 1), "labels from 1 to 10"),
        ("x_train", struct.pack(">4I", 0x0803, *[0xFFFFFFFF] * 3), "0 bytes of data"),
        ("x_train", gzip.compress(IMAGES)[:-20], "train-images-idx3-ubyte: "),
        ("x_train", b"\x1f\x8b" + IMAGES, "train-images-idx3-ubyte: "),
        ("x_train", None, "no file train-images-idx3-ubyte or train-images.idx3-ubyte"),
    ],
)
def test_bad_idx(tmp_path: Path, key: str, content: bytes | None, message: str) -> None:
    file = idx_folder(tmp_path) / IDX_NAMES[key]
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    refuse(tmp_path, message)


def refuse(path: Path, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        data.load(path, seed=0)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
