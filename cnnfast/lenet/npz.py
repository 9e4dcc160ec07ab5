"""Reading of .npz files that may be anything."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast._command import UserError, reason


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
