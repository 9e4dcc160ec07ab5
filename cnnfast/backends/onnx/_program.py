"""A graph made ready for inputs of certain shapes: what can be known beforehand is, and every value has its place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from cnnfast._arrays import FLOATS
from cnnfast.backends._backend import NotCovered
from cnnfast.backends.onnx._fusion import fuse
from cnnfast.backends.onnx._graph import Graph, Step, Values
from cnnfast.backends.onnx._memory import Layout, layout
from cnnfast.backends.onnx._node import Run

_SHAPES = ("Shape", "Size")


class Program:
    """Runs a graph on inputs of the shapes and dtypes of `feeds`; of several calls at once each has its own memory."""

    def __init__(self, graph: Graph, feeds: Values) -> None:
        known = True
        while known:
            _, values = execute(graph, feeds)
            static, shaped = _static(graph, values)
            graph = graph.knowing({name: values[name] for name in static})
            known = graph.inline_branches()
        self.graph = graph
        arrays = {name: values[name] for name in shaped if isinstance(values[name], np.ndarray)}
        fuse(graph, {name: array.shape for name, array in arrays.items() if array.dtype in FLOATS})
        self.runs, values = execute(self.graph, feeds)
        self.layout = layout(self.graph, self.runs, values, _static(self.graph, values)[1])
        self.idle: list[_Bound] = []

    def run(self, feeds: Values) -> list[Any]:
        """The outputs."""
        try:
            bound = self.idle.pop()
        except IndexError:
            bound = _Bound(self.graph, self.runs, self.layout)
        try:
            return bound.run(feeds)
        except NotCovered:  # values of inputs may decide that
            values = execute(self.graph, feeds)[1]
            return [values[name] for name in self.graph.outputs]
        finally:
            self.idle.append(bound)


def execute(graph: Graph, feeds: Values) -> tuple[dict[Step, Run], Values]:
    """(What ran each step, all values)."""
    runs: dict[Step, Run] = {}
    values = {**graph.constants, **feeds}
    for step in graph.steps:
        runs[step], result = step.run(values)
        values.update({name: _array(value) for name, value in step.named(result).items()})
    return runs, values


def _array(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, np.generic) else value


def _static(graph: Graph, values: Values) -> tuple[set[str], frozenset[str]]:
    """(Values, values of a shape) that depend on nothing but constants and the shapes of inputs."""
    known, shaped = set(graph.constants), {*graph.constants, *graph.inputs}
    floats = {name for name, value in values.items() if _is_floats(value)}
    for step in graph.steps:
        measures = step.node.op_type in _SHAPES
        if not shaped.issuperset(step.reads) or not (measures or step.has_known_shape(known, floats)):
            continue
        shaped.update(values.keys() & step.outputs)
        if measures or step.is_constant(known):
            known.update(values.keys() & step.outputs)
    return known - graph.constants.keys(), frozenset(shaped)


def _is_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind not in "biuOU"


class _Bound:
    """The steps with their memory: a list of calls."""

    def __init__(self, graph: Graph, runs: Mapping[Step, Run], places: Layout) -> None:
        self.graph, self.runs, self.views = graph, runs, places.views
        self.own = places.arrays()
        self.fixed: Values = {**graph.constants, **self.own}
        self.slots: dict[str, int] = {}
        self.calls: list[tuple[Run, tuple[int, ...], int | None, tuple[int, ...]]] = []
        self.memory: list[Any] = []
        for step in graph.steps:
            self._bind(step)
        self.feeds = [(name, self._slot(name)) for name in graph.inputs]
        self.outputs = [self._slot(name) for name in graph.outputs]
        self.transient = [slot for name, slot in self.slots.items() if name not in self.fixed]

    def run(self, feeds: Values) -> list[Any]:
        memory = self.memory
        for name, slot in self.feeds:
            memory[slot] = feeds[name]
        for call, reads, single, several in self.calls:
            result = call(*[memory[slot] for slot in reads])
            if single is not None:
                memory[single] = result
            else:
                for slot, value in zip(several, result, strict=False):
                    memory[slot] = value
        results = [_array(memory[slot]) for slot in self.outputs]
        for slot in self.transient:
            memory[slot] = None
        return results

    def _slot(self, name: str) -> int:
        if name not in self.slots:
            self.slots[name] = len(self.memory)
            self.memory.append(self.fixed.get(name))
        return self.slots[name]

    def _bind(self, step: Step) -> None:
        run, name = self.runs[step], step.outputs[0]
        stays = self.fixed.keys() >= {*step.reads}
        if name in self.own and step.node.op_type == "Concat" and stays:
            self._bind_copies(step)
            return
        if name in self.own:
            run = partial(run, out=self.own[name])
        reads = tuple(map(self._slot, step.reads))
        if stays:
            run, reads = partial(run, *[self.fixed[read] for read in step.reads]), ()
        if stays and self.views.issuperset(filter(None, step.outputs)) and len(step.outputs) == 1:
            self.fixed[name] = run()
        elif len(step.outputs) == 1:
            self.calls.append((run, reads, self._slot(name), ()))
        else:
            self.calls.append((run, reads, None, tuple(map(self._slot, step.outputs))))

    def _bind_copies(self, step: Step) -> None:
        """A concatenation copies what was not computed in its place."""
        whole, axis = self.own[step.outputs[0]], int(step.node.get("axis", 1))
        parts = [self.fixed[name] for name in step.inputs]
        ends = list(accumulate(part.shape[axis] for part in parts))
        for part, place in zip(parts, np.split(whole, ends[:-1], axis), strict=True):
            if place.ctypes.data != part.ctypes.data:
                self.calls.append((partial(np.copyto, place, part), (), self._slot(""), ()))
