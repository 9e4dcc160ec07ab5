"""Layers that run as one: what may follow a layer in the same pass over memory."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from cnnfast.functional import _fused
from cnnfast.functional._fused import NO_CLAMP, Clamp
from cnnfast.layers.module import Array, Module


class Tail(NamedTuple):
    """What comes after a layer: ``clamp(y + residual)``."""

    residual: Any = None
    clamp: Clamp = NO_CLAMP

    @property
    def empty(self) -> bool:
        return self.residual is None and self.clamp is NO_CLAMP

    def after(self, clamp: Clamp | None) -> Tail:
        """Return a tail for a clamp and then this one, which has no residual."""
        if clamp is None:
            return self
        low, high = (min(max(bound, self.clamp[0]), self.clamp[1]) for bound in clamp)
        return Tail(None, (low, high))

    def finish(self, y: Array) -> Array:
        """Apply this in place, to an array that nobody else holds."""
        return y if self.empty else _fused.tail(y, *self, out=y)

    def apply(self, y: Array) -> Array:
        """Return a new array, or `y` if there is nothing to do."""
        return y if self.empty else _fused.tail(y, *self)


NOTHING = Tail()


class Unit(NamedTuple):
    """Layers that evaluation runs as one: a host, a batch norm after a convolution, a ReLU or ReLU6."""

    host: Any
    norm: Any
    rectifier: Any

    @property
    def clamp(self) -> Clamp | None:
        return None if self.rectifier is None else self.rectifier._clamp

    def steps(self) -> list[tuple[Any, Any]]:
        """Return the layers that training runs one after the other, each with the rectifier that runs with it."""
        if self.norm is None:
            return [(self.host, self.rectifier)]
        return [(self.host, None), (self.norm, self.rectifier)]

    def infer(self, input: Any, tail: Tail) -> Any:
        """Return what these layers and a tail make of `input`; keep nothing."""
        if self.norm is None:
            return infer(self.host, input, tail)
        norm = self.norm._rows_for(self.host)
        if norm is None:
            return self.norm._finish(self.host._infer(input), tail)
        return self.host._infer_normalised(input, norm, tail)


def infer(module: Any, input: Any, tail: Tail) -> Any:
    """Return what a module and a tail make of `input`; keep nothing."""
    return module._infer(input, tail) if module._takes_tail else tail.apply(module._infer(input))


def units(modules: list[Module]) -> list[Unit]:
    """Return neighbours that run as one, and the others each on its own."""
    found, rest = [], modules[::-1]
    while rest:
        host, norm, rectifier = rest.pop(), None, None
        if rest and host._hosts_norm and rest[-1]._is_norm and is_ours(host) and is_ours(rest[-1]):
            norm = rest.pop()
        last = norm or host
        if rest and last._hosts_clamp and rest[-1]._clamp and is_ours(last) and is_ours(rest[-1]):
            rectifier = rest.pop()
        found.append(Unit(host, norm, rectifier))
    return found


def is_ours(module: Module) -> bool:
    """Whether a module does what the class of this package does that it is of."""
    kind: Any = type(module)
    return _is_ours(kind)


@cache
def _is_ours(kind: Any) -> bool:
    def definer(name: str) -> Any:
        return next(c for c in kind.__mro__ if name in vars(c))

    return all(definer(name).__module__.startswith("cnnfast.layers.") for name in ("forward", "backward", "__call__"))
