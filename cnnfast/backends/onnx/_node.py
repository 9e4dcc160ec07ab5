"""What an operator is told about its node, and how its attributes are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from cnnfast.backends._backend import NotCovered
from cnnfast.functional._fused import NO_CLAMP, Clamp

Array = NDArray[Any]
Run = Callable[..., Any]
Ints = tuple[int, ...]


class Node(NamedTuple):
    """A node before its inputs are known; `attributes` has those that the model gives, defaults are the operator's."""

    op_type: str
    opset: int
    attributes: Mapping[str, Any]
    outputs: int = 1
    clamp: Clamp = NO_CLAMP  # of the result; no model says that, fusion does
    constant: bool = False  # whether fusion found that the weight never changes

    def get(self, name: str, default: Any) -> Any:
        value = self.attributes.get(name)
        return default if value is None else value

    def ints(self, name: str, default: Any) -> Any:
        """A list of ints as the tuple that `functional` takes, or the default."""
        value = self.attributes.get(name)
        return tuple(map(int, value)) if value is not None else default

    def text(self, name: str, default: str) -> str:
        value = self.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)


def of_rank(functions: tuple[Any, ...], x: Array) -> Any:
    """The function for the spatial axes of x, or its name."""
    rank = x.ndim - 2
    if not 1 <= rank <= 3 or 0 in x.shape:
        raise NotCovered
    return functions[rank - 1]
