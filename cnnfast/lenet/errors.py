"""The one error that the commands show to their user, and the hint for a missing extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something that the user can mend; the command line shows it as one line."""


@contextmanager
def needs(package: str, extra: str = "lenet") -> Iterator[None]:
    """Context manager around imports of `package`, which ``cnnfast[extra]`` brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"this needs {package}: pip install 'cnnfast[{extra}]'") from error
