"""Public names for functions that factories make, one a rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
_AXES = {1: "L", 2: "H, W", 3: "D, H, W"}


def named(function: F, module: str, name: str, rank: int, doc: str) -> F:
    """Give a function its name and documentation, in which RANK, AXES, SHAPE (8 an axis) and KERNEL (3 an axis) are replaced."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    words = {"RANK": str(rank), "AXES": _AXES[rank], "SHAPE": ", ".join("8" * rank), "KERNEL": ", ".join("3" * rank)}
    for word, text in words.items():
        doc = doc.replace(word, text)
    function.__doc__ = doc
    return function
