"""Where the values of a graph with known shapes lie: buffers shared in time, in place, and inside of concatenations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from cnnfast.backends.onnx._graph import Graph, Step
from cnnfast.backends.onnx._node import Array, Run

# These may write over what they read.
_IN_PLACE = frozenset(
    ("Add", "BatchNormalization", "Clip", "Div", "Exp", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul", "Relu")
) | {"Sigmoid", "Sqrt", "Sub", "Sum", "Tanh"}
_ALIGNMENT = 64  # of a cache line, and of the widest vector
_FOREVER = math.inf


@dataclass(eq=False)
class Storage:
    """Bytes that one value fills, and that others may share: views of it, and what is written over it in place."""

    bytes: int
    first: int
    last: float = -1
    parent: Storage | None = None
    offset: int = 0
    parts: list[Storage] = field(default_factory=list)
    block: int = -1

    def root(self) -> tuple[Storage, int]:
        """(The storage that is no part of another, the place in it)."""
        if self.parent is None:
            return self, 0
        root, offset = self.parent.root()
        return root, offset + self.offset

    def move_into(self, other: Storage, offset: int) -> None:
        """Be a part of another, unless it is one already."""
        if self.parent is None and self is not other:
            self.parent, self.offset = other, offset
            other.parts.append(self)

    def span(self) -> tuple[int, float]:
        """The first and the last step that need it or a part of it."""
        spans = [(self.first, self.last), *(part.span() for part in self.parts)]
        return min(first for first, _ in spans), max(last for _, last in spans)


class Place(NamedTuple):
    """Where in a block a value lies."""

    block: int
    offset: int
    bytes: int
    dtype: Any
    shape: tuple[int, ...]


class Layout(NamedTuple):
    """Bytes of each block, the places of what steps write there, and the names of what is a view of it."""

    blocks: list[int]
    places: dict[str, Place]
    views: frozenset[str]

    def arrays(self) -> dict[str, Array]:
        """New memory, as an array for each place."""
        blocks = [_aligned(size) for size in self.blocks]
        parts = {name: blocks[p.block][p.offset : p.offset + p.bytes] for name, p in self.places.items()}
        return {
            name: part.view(self.places[name].dtype).reshape(self.places[name].shape) for name, part in parts.items()
        }


def layout(graph: Graph, runs: Mapping[Step, Run], values: Mapping[str, Any], shaped: frozenset[str]) -> Layout:
    """Place what the steps of a graph write, given what they gave once and whose shapes never change."""
    return _Planner(graph, runs, values, shaped).plan()


class _Planner:
    def __init__(self, graph: Graph, runs: Mapping[Step, Run], values: Mapping[str, Any], shaped: frozenset[str]):
        self.graph, self.runs, self.values, self.shaped = graph, runs, values, shaped
        self.last: dict[str, float] = {}
        for number, step in enumerate(graph.steps):
            self.last.update(dict.fromkeys(step.reads, number))
        self.last.update(dict.fromkeys(graph.outputs, _FOREVER))
        self.storages: dict[str, Storage] = {}
        self.written: set[str] = set()

    def plan(self) -> Layout:
        for number, step in enumerate(self.graph.steps):
            for name in filter(None, step.outputs):
                self._put(number, step, name)
        storages = {n: s for n, s in self.storages.items() if s.root()[0].span()[1] < _FOREVER}
        blocks = _blocks(storages.values())
        written = self.written & storages.keys()
        return Layout(blocks, {n: self._place_of(n) for n in written}, frozenset(storages.keys() - written))

    def _place_of(self, name: str) -> Place:
        root, offset = self.storages[name].root()
        value = self.values[name]
        return Place(root.block, offset, value.nbytes, value.dtype, value.shape)

    def _put(self, number: int, step: Step, name: str) -> None:
        value = self.values[name]
        if not isinstance(value, np.ndarray):
            return
        storage = self._viewed(step, value)
        if storage is None and self._takes_out(step, value):
            storage = self._overwritten(number, step, value) or Storage(value.nbytes, number)
            self.written.add(name)
            if step.node.op_type == "Concat":
                self._adopt(step, value, storage)
        if storage is not None:
            storage.last = max(storage.last, self.last.get(name, number))
            self.storages[name] = storage

    def _viewed(self, step: Step, value: Array) -> Storage | None:
        """The storage of the input that `value` is a view of."""
        known = (name for name in step.reads if name in self.storages)
        return next((self.storages[n] for n in known if np.may_share_memory(self.values[n], value)), None)

    def _takes_out(self, step: Step, value: Array) -> bool:
        run = self.runs[step]
        takes = isinstance(run, np.ufunc) or "out" in signature(run).parameters
        return takes and value.size > 0 and self.shaped.issuperset(step.outputs) and not self._is_view(step, value)

    def _is_view(self, step: Step, value: Array) -> bool:
        arrays = (self.values[name] for name in step.reads)
        return any(isinstance(array, np.ndarray) and np.may_share_memory(array, value) for array in arrays)

    def _overwritten(self, number: int, step: Step, value: Array) -> Storage | None:
        """The storage of an input that nobody reads later, if the step may write there."""
        if step.node.op_type not in _IN_PLACE:
            return None
        for name in step.inputs[:2]:
            storage, old = self.storages.get(name), self.values[name]
            if storage is None or (old.shape, old.dtype) != (value.shape, value.dtype):
                continue
            if sum(self.storages.get(other) is storage for other in step.inputs) > 1:
                continue
            whole = old.nbytes == storage.bytes and old.flags.c_contiguous and storage.parent is None
            if whole and storage.span()[1] <= number:
                return storage
        return None

    def _adopt(self, step: Step, value: Array, storage: Storage) -> None:
        """Let the parts of a concatenation be computed in their places, where these are contiguous."""
        offset, axis = 0, int(step.node.get("axis", 1))
        joined = math.prod(value.shape[:axis]) == 1
        for name in step.inputs:
            part, source = self.storages.get(name), self.values[name]
            if part is not None and joined and part.bytes == source.nbytes and source.flags.c_contiguous:
                part.move_into(storage, offset)
            offset += source.nbytes


def _blocks(storages: Any) -> list[int]:
    """Give each root a block that is free during its span; return the bytes of the blocks."""
    roots = dict.fromkeys(storage.root()[0] for storage in storages)
    sizes: list[int] = []
    free_from: list[float] = []
    for root in sorted(roots, key=lambda root: root.span()[0]):
        first, last = root.span()
        free = [number for number, step in enumerate(free_from) if step < first]
        fitting = [number for number in free if sizes[number] >= root.bytes]
        if fitting:
            root.block = min(fitting, key=sizes.__getitem__)
        elif free:
            root.block = max(free, key=sizes.__getitem__)
        else:
            root.block = len(sizes)
            sizes.append(0)
            free_from.append(-1)
        sizes[root.block] = max(sizes[root.block], root.bytes)
        free_from[root.block] = last
    return sizes


def _aligned(size: int) -> Array:
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size]
