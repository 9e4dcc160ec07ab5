"""Two arrays are alike, dtype and shape included; the oldest NumPy that we take has no strict=True."""

from __future__ import annotations

from typing import Any

import numpy as np


def same(got: Any, expected: Any, what: str = "") -> None:
    """Every value is the same; NaN equals NaN."""
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape), what
    np.testing.assert_array_equal(got, expected, err_msg=what)
