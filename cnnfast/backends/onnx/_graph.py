"""A model as a list of steps: what the outputs need, with everything that is constant computed."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto
from onnx.reference.op_run import OpRun

from cnnfast._arrays import FLOATS
from cnnfast.backends._backend import NotCovered
from cnnfast.backends.onnx._node import Node, Run
from cnnfast.backends.onnx._numpy import NUMPY
from cnnfast.backends.onnx._operators import OPERATORS, prepare
from cnnfast.backends.onnx._registry import node_of

Values = dict[str, Any]
MOVES = ("Concat", "Flatten", "Identity", "Reshape", "Shape", "Split", "Squeeze", "Transpose", "Unsqueeze")
_RANDOM = (
    "Bernoulli",
    "Dropout",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
)
# Outputs of these have a shape that the shapes of floats and the values of integers among the inputs decide.
_SHAPED = frozenset(OPERATORS.keys() | NUMPY.keys()) | {
    *("Abs", "And", "Ceil", "Equal", "Erf", "Expand", "Floor", "Greater", "LayerNormalization", "Less", "Neg", "Not"),
    *("Or", "Reciprocal", "ReduceMax", "ReduceSum", "Size", "Slice", "Tile", "Where"),
}
# The same, if floats other than the first are known too.
_SHAPED_BY_VALUES = frozenset({"Resize", "Upsample"})


@dataclass(eq=False)
class Step:
    """A node that remains to be run; `stock` runs what is not covered, and is missing in what fusion made."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    node: Node
    stock: OpRun | None = None
    context: tuple[str, ...] = ()

    def has_known_shape(self, known: Container[str], floats: Container[str]) -> bool:
        """Whether the outputs have the same shapes each time, given what is known, and which others are floats."""
        first_only = self.node.op_type in _SHAPED_BY_VALUES
        if self.node.op_type not in _SHAPED | _SHAPED_BY_VALUES:
            return False
        open_reads = [n for n, name in enumerate(self.reads) if name not in known]
        return all(self.reads[n] in floats and not (n and first_only) for n in open_reads)

    def is_constant(self, known: Container[str]) -> bool:
        """Whether it gives the same each time."""
        return (
            not self.context
            and not self.node.op_type.startswith(_RANDOM)
            and all(name in known for name in self.inputs)
        )

    @property
    def reads(self) -> tuple[str, ...]:
        return (*self.inputs, *self.context)

    def run(self, values: Mapping[str, Any]) -> tuple[Run, Any]:
        """(What runs the step, what it gave): the operator itself, the operator for halves, or the stock code."""
        inputs = [values[name] for name in self.reads]
        for candidate in self._candidates(inputs):
            try:
                return candidate, candidate(*inputs)
            except NotCovered:
                continue
        raise NotCovered(self.node.op_type)

    def named(self, result: Any) -> Values:
        """What `run` gave, by the names of the outputs."""
        results = result if isinstance(result, tuple) else (result,)
        return {name: value for name, value in zip(self.outputs, results, strict=False) if name}

    def _candidates(self, inputs: list[Any]) -> Iterator[Run]:
        op_type = self.node.op_type
        first = next((x for x in inputs if x is not None), None)
        floats = isinstance(first, np.ndarray) and first.dtype in FLOATS
        if op_type in NUMPY and (floats or op_type in MOVES):
            yield NUMPY[op_type](self.node)
        if op_type in OPERATORS:
            yield OPERATORS[op_type](self.node) if floats else prepare(self.node)
        if self.stock is not None:
            yield self._run_stock

    def _run_stock(self, *reads: Any) -> Any:
        assert self.stock is not None
        count = len(self.inputs)
        context = {"context": dict(zip(self.context, reads[count:], strict=True))} if self.context else {}
        results = self.stock.run(*reads[:count], **context)
        return results[0] if len(self.outputs) == 1 else results


@dataclass
class Graph:
    """Steps in order, the values that are known, and the names of inputs and outputs."""

    steps: list[Step]
    constants: Values
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def of(
        cls, nodes: Iterable[OpRun], constants: Mapping[str, Any], outputs: Iterable[str], foreign: Container[str]
    ) -> Graph:
        """What computes `outputs`; what is neither constant nor computed is an input.

        Operators named in `foreign` are left to their implementations.
        """
        graph = cls([_step(op, foreign) for op in nodes], {"": None, **constants}, (), tuple(outputs))
        graph.drop_unused()
        graph.fold()
        graph.drop_unused()
        return graph

    def knowing(self, constants: Mapping[str, Any]) -> Graph:
        """The same with more constants; a copy."""
        steps = [step for step in self.steps if not all(name in constants for name in step.outputs if name)]
        graph = Graph(steps, {**self.constants, **constants}, self.inputs, self.outputs)
        graph.drop_unused()
        return graph

    def fold(self) -> None:
        """Compute what is constant."""
        rest = []
        for step in self.steps:
            if step.is_constant(self.constants):
                self.constants.update(step.named(step.run(self.constants)[1]))
            else:
                rest.append(step)
        self.steps = rest

    def inline_branches(self) -> bool:
        """Put the branches of conditions that are known in their places; whether there were any."""
        before, self.steps = self.steps, []
        for step in before:
            condition = self.constants.get(step.inputs[0]) if step.node.op_type == "If" else None
            if condition is None or step.stock is None:
                self.steps.append(step)
                continue
            branch = step.stock.then_branch if condition.item() else step.stock.else_branch
            self.constants.update(branch.rt_inits_)
            self.steps += [_step(op, branch._foreign) for op in branch.rt_nodes_]
            pairs = zip(branch.output_names, step.outputs, strict=False)
            self.steps += [Step((inner,), (outer,), Node("Identity", 1, {})) for inner, outer in pairs if outer]
        found = before != self.steps
        if found:
            self.drop_unused()
            self.fold()
            self.drop_unused()
        return found

    def drop_unused(self) -> None:
        """Keep the steps and constants that the outputs need."""
        needed, kept = {*self.outputs, ""}, []
        for step in reversed(self.steps):
            if not needed.isdisjoint(filter(None, step.outputs)):
                kept.append(step)
                needed.update(step.reads)
        self.steps = kept[::-1]
        self.constants = {name: value for name, value in self.constants.items() if name in needed}
        made = {name for step in self.steps for name in step.outputs}
        self.inputs = tuple(sorted(needed - made - self.constants.keys()))

    def readers(self) -> dict[str, list[Step | None]]:
        """Who reads each value; of an output of the graph the caller does, which is None."""
        readers: dict[str, list[Step | None]] = {name: [None] for name in self.outputs}
        for step in self.steps:
            for name in dict.fromkeys(step.reads):
                readers.setdefault(name, []).append(step)
        return readers


def _step(op: OpRun, foreign: Container[str]) -> Step:
    attributes = {name: getattr(op, name) for name in op.attributes_names_}
    graphs = [a.g for a in op.onnx_node.attribute if a.type == AttributeProto.GRAPH]
    context = tuple(sorted({name for graph in graphs for name in _free(graph)}))
    node = node_of(op, attributes)
    if op.domain or op.op_type in foreign:
        node = node._replace(op_type=f"{op.domain}::{op.op_type}")
    return Step(tuple(op.input), tuple(op.output), node, op, context)


def _free(graph: GraphProto) -> set[str]:
    """Names that a subgraph takes from outside."""
    free = {name for node in graph.node for name in node.input if name} | {output.name for output in graph.output}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                free |= _free(attribute.g)
    own = {name for node in graph.node for name in node.output}
    return free - own - {value.name for value in (*graph.input, *graph.initializer)}
