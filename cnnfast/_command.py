"""What the commands share: the one error, the hint for a missing extra, files whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class UserError(Exception):
    """Something that the user can mend; the command line shows it as one line."""


@contextmanager
def needs(package: str, extra: str = "lenet") -> Iterator[None]:
    """Context manager around imports of `package`, which ``cnnfast[extra]`` brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"this needs {package}: pip install 'cnnfast[{extra}]'") from error


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
    try:
        if target.exists() and not target.is_file():
            raise UserError(f"{path}: not a regular file")
        with draft.open("xb") as file:
            try:
                yield file
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Return the message of `error` on one line, without a path, which the caller names anyway."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
