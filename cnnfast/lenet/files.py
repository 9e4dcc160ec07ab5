"""Files that are read whole or refused, and written whole or not at all."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from cnnfast.lenet.errors import UserError


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an .npz file by name.

    Raises
    ------
    UserError
        If the file cannot be read, is no .npz file, or holds pickled objects.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise UserError(f"{path}: not an .npz file")
            with np.load(file, allow_pickle=False) as archive:
                return dict(archive)
    except OSError as error:
        raise UserError(f"{path}: {reason(error)}") from error
    except (ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: damaged .npz file ({reason(error)})") from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Context manager: a file to write, which becomes `path` at the end, or vanishes on an error.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with _draft(path) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        os.replace(file.name, path.resolve())


def check_writable(path: Path) -> None:
    """Raise the `UserError` of `replacing` before the work instead of after it."""
    with _draft(path):
        pass


@contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    """Context manager: a new file beside `path`, where a rename is atomic; removed at the end."""
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    if target.exists() and not target.is_file():
        raise UserError(f"{path}: not a regular file")
    try:
        with draft.open("xb") as file:
            yield file
    except OSError as error:
        raise UserError(f"{path}: {reason(error)}") from error
    finally:
        draft.unlink(missing_ok=True)


def reason(error: BaseException) -> str:
    """Return the message of `error` on one line, without a path, which the caller names anyway."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
