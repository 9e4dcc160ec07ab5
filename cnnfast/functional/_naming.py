"""Public names for functions that differ between ranks in nothing but the number of spatial axes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
_AXES = {1: "L", 2: "H, W", 3: "D, H, W"}


def named(function: F, module: str, name: str, rank: int, doc: str) -> F:
    """Name and document a function; RANK, AXES, SHAPE (8 an axis) and KERNEL (3 an axis) in the text are replaced."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    words = {"RANK": str(rank), "AXES": _AXES[rank], "SHAPE": ", ".join("8" * rank), "KERNEL": ", ".join("3" * rank)}
    for word, text in words.items():
        doc = doc.replace(word, text)
    function.__doc__ = doc
    return function


def _of_rank(function: Callable[Concatenate[int, P], R], rank: int) -> Callable[P, R]:
    def op(*arguments: P.args, **named_arguments: P.kwargs) -> R:
        return function(rank, *arguments, **named_arguments)

    name, signature = function.__name__.replace("Nd", f"{rank}d"), inspect.signature(function)
    op.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    op.__annotations__ = {key: value for key, value in function.__annotations__.items() if key != "rank"}
    return named(op, function.__module__, name, rank, (function.__doc__ or "").replace("Nd", f"{rank}d"))


def ranks(function: Callable[Concatenate[int, P], R]) -> tuple[Callable[P, R], Callable[P, R], Callable[P, R]]:
    """`fooNd(rank, ...)` as foo1d(...), foo2d(...), foo3d(...)."""
    return _of_rank(function, 1), _of_rank(function, 2), _of_rank(function, 3)
