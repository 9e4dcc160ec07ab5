"""Rewriting of a graph whose shapes are known: scales and shifts of channels go into the convolution before them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cnnfast._arrays import FLOATS
from cnnfast.backends.onnx._elementwise import is_training
from cnnfast.backends.onnx._graph import Graph, Step
from cnnfast.backends.onnx._node import Array, Node
from cnnfast.functional._fused import NO_CLAMP

Shapes = Mapping[str, tuple[int, ...]]


class Affine(NamedTuple):
    """``source * scale + shift``, one of each a channel."""

    source: str
    scale: Array
    shift: Array


def fuse(graph: Graph, shapes: Shapes) -> None:
    """Rewrite what may be: only values that have one reader, and that nobody asked for, vanish.

    `shapes` has those of float32 and float64 that never change.
    """
    _Fusion(graph, shapes).run()


class _Fusion:
    def __init__(self, graph: Graph, shapes: Shapes) -> None:
        self.graph, self.shapes, self.constants = graph, shapes, graph.constants
        self.readers = graph.readers()
        self.makers = {name: step for step in graph.steps for name in step.outputs}
        self.affines: dict[Step, Affine] = {}
        self.products: set[Step] = set()

    def run(self) -> None:
        self.graph.steps = [self._rewritten(step) for step in self.graph.steps]
        self.graph.drop_unused()
        self.graph.steps = [self._with_constant_weight(step) for step in self.graph.steps]

    def _with_constant_weight(self, step: Step) -> Step:
        if not self._is_convolution(step) or step.inputs[1] not in self.constants:
            return step
        return replace(step, node=step.node._replace(constant=True))

    def _rewritten(self, step: Step) -> Step:
        ways = self._hard_swish, self._product, self._clamped, self._scaled, self._summed
        new = next(filter(None, (way(step) for way in ways)), None)
        if new is None:
            return step
        self.makers.update(dict.fromkeys(new.outputs, new))
        return new

    def _maker(self, name: str) -> Step | None:
        """The step that makes a value which only one other reads."""
        return self.makers.get(name) if len(self.readers.get(name, ())) == 1 else None

    def _constant(self, like: Step, which: str, value: Array) -> str:
        """The name of a new constant."""
        name = f"{like.outputs[0]}/{which}"
        self.constants[name] = value
        return name

    def _split(self, step: Step) -> tuple[str, Array] | None:
        """(The variable, the constant) of a step of two inputs."""
        if len(step.inputs) != 2 or sum(name in self.constants for name in step.inputs) != 1:
            return None
        first, second = step.inputs
        return (first, self.constants[second]) if second in self.constants else (second, self.constants[first])

    def _scaled(self, step: Step) -> Step | None:
        """Scale and shift of channels: in the convolution before, or together with the ones before as one step."""
        affine = self._affine(step)
        if affine is None:
            return None
        maker = self._maker(affine.source)
        if maker is not None and maker.node.op_type in ("Conv", "ConvTranspose"):
            new = self._into_convolution(maker, affine, step)
            if new is not None:
                return new
        before = self.affines.get(maker) if maker is not None else None
        if before is not None:
            affine = Affine(before.source, before.scale * affine.scale, before.shift * affine.scale + affine.shift)
        elif step.node.op_type != "BatchNormalization":
            return None
        zeros = np.zeros_like(affine.scale)
        values = {"scale": affine.scale, "shift": affine.shift, "mean": zeros, "variance": zeros + 1}
        names = [self._constant(step, which, value) for which, value in values.items()]
        node = Node("BatchNormalization", 9, {"epsilon": 0.0})
        new = Step((affine.source, *names), step.outputs[:1], node)
        self.affines[new] = affine
        return new

    def _affine(self, step: Step) -> Affine | None:
        kind = step.node.op_type
        if kind == "BatchNormalization":
            return self._normalization(step)
        split = self._split(step) if kind in ("Add", "Mul") else None
        channels = self._channels(*split) if split else None
        if split is None or channels is None:
            return None
        ones = np.ones_like(channels)
        return Affine(split[0], *((channels, ones * 0) if kind == "Mul" else (ones, channels)))

    def _normalization(self, step: Step) -> Affine | None:
        x, *parameters = step.inputs
        if is_training(step.node) or step.node.outputs > 1 or any(name not in self.constants for name in parameters):
            return None
        dtype = self.constants[parameters[0]].dtype
        scale, bias, mean, var = (self.constants[name].astype(np.float64) for name in parameters)
        if dtype not in FLOATS or scale.shape != self.shapes.get(x, ())[1:2]:
            return None
        scale = scale / np.sqrt(var + float(step.node.get("epsilon", 1e-5)))
        return Affine(x, scale.astype(dtype), (bias - mean * scale).astype(dtype))

    def _channels(self, name: str, value: Array) -> Array | None:
        """A constant as one number a channel of the value that it meets, if it has no other axes."""
        shape = self.shapes.get(name, ())
        if len(shape) < 2 or value.ndim > len(shape) or value.dtype not in FLOATS:
            return None
        own = (1,) * (len(shape) - value.ndim) + value.shape
        if own not in ((1, shape[1], *(1,) * (len(shape) - 2)), (1,) * len(shape)):
            return None
        return np.broadcast_to(value.reshape(-1), shape[1:2]).copy()

    def _into_convolution(self, conv: Step, affine: Affine, step: Step) -> Step | None:
        if conv.node.clamp != NO_CLAMP or any(name not in self.constants for name in conv.inputs[1:]):
            return None
        weight = self.constants[conv.inputs[1]]
        bias = self.constants[conv.inputs[2]] if len(conv.inputs) > 2 and conv.inputs[2] else 0
        if weight.dtype != affine.scale.dtype:
            return None
        if conv.node.op_type == "Conv":
            scaled = weight * affine.scale.reshape(-1, *(1,) * (weight.ndim - 1))
        else:  # (inputs, outputs of a group, kernel), the groups one after the other
            grouped = weight.reshape(conv.node.get("group", 1), -1, *weight.shape[1:])
            scale = affine.scale.reshape(len(grouped), 1, -1, *(1,) * (weight.ndim - 2))
            scaled = (grouped * scale).reshape(weight.shape)
        names = self._constant(step, "weight", scaled), self._constant(step, "bias", bias * affine.scale + affine.shift)
        return replace(conv, inputs=(conv.inputs[0], *names), outputs=step.outputs[:1], stock=conv.stock)

    def _product(self, step: Step) -> Step | None:
        """Products with a constant matrix: stored as the kernels read it, and a bias that follows is theirs."""
        split = self._split(step) if step.node.op_type == "Add" else None
        if split is not None:
            maker = self._maker(split[0])
            if maker is None or maker not in self.products:
                return None
            if split[1].shape != self.constants[maker.inputs[1]].shape[:1]:
                return None
            bias = self._constant(step, "bias", split[1])
            return replace(maker, inputs=(*maker.inputs, bias), outputs=step.outputs)
        matrix = self.constants.get(step.inputs[1]) if step.node.op_type in ("Gemm", "MatMul") else None
        if matrix is None or matrix.ndim != 2 or matrix.dtype not in FLOATS or step.inputs[0] in self.constants:
            return None
        rows = matrix if step.node.get("transB", 0) else matrix.T
        name = self._constant(step, "matrix", np.ascontiguousarray(rows))
        node = Node("Gemm", 13, {**step.node.attributes, "transB": 1})
        new = Step((step.inputs[0], name, *step.inputs[2:]), step.outputs, node)
        if len(new.inputs) == 2 and node.get("alpha", 1.0) == 1:
            self.products.add(new)
        return new

    def _clamped(self, step: Step) -> Step | None:
        """Limits of a convolution, a product, a sum of two, or a scale and shift, are theirs."""
        limits = (0.0, math.inf) if step.node.op_type == "Relu" else self._limits(step)
        if limits is None or not limits[0] <= limits[1]:
            return None
        maker = self._maker(step.inputs[0])
        if maker is None or maker.node.clamp != NO_CLAMP:
            return None
        kind, shapes = maker.node.op_type, [self.shapes.get(name) for name in maker.inputs]
        is_sum = kind in ("Add", "Sum") and len(shapes) == 2 and shapes[0] == shapes[1] is not None
        is_affine = kind == "BatchNormalization" and maker.node.outputs == 1 and not is_training(maker.node)
        is_own_sum = is_sum and self.constants.keys().isdisjoint(maker.inputs)
        if not (is_affine or is_own_sum or kind == "Gemm" or self._is_convolution(maker)):
            return None
        return replace(maker, node=maker.node._replace(clamp=limits), outputs=step.outputs, stock=None)

    def _is_convolution(self, step: Step) -> bool:
        """Whether it surely runs here."""
        shape = self.shapes.get(step.inputs[0], ())
        return step.node.op_type == "Conv" and 3 <= len(shape) <= 5 and 0 not in shape

    def _summed(self, step: Step) -> Step | None:
        """An array of the same shape that is added to a convolution is its own."""
        shapes = [self.shapes.get(name) for name in step.inputs]
        if step.node.op_type not in ("Add", "Sum") or len(shapes) != 2 or shapes[0] is None or shapes[0] != shapes[1]:
            return None
        for name, other in (step.inputs, step.inputs[::-1]):
            conv = self._maker(name)
            if name == other or conv is None or not self._is_convolution(conv):
                continue
            if len(conv.inputs) < 4 and conv.node.clamp == NO_CLAMP:
                inputs = (*conv.inputs, *[""] * (3 - len(conv.inputs)), other)
                return replace(conv, inputs=inputs, outputs=step.outputs, stock=None)
        return None

    def _hard_swish(self, step: Step) -> Step | None:
        """``x * clip(x + 3, 0, 6) / 6``, as exporters write it."""
        if step.node.op_type != "Div" or not self._is(step, 6.0):
            return None
        product = self._maker(step.inputs[0])
        if product is None or product.node.op_type != "Mul":
            return None
        for x, clipped in (product.inputs, product.inputs[::-1]):
            clip = self._maker(clipped)
            limits = self._limits(clip) if clip is not None else None
            add = self._maker(clip.inputs[0]) if clip is not None and limits == (0.0, 6.0) else None
            if add is None or add.node.op_type != "Add" or x not in self.shapes:
                continue
            if self._is(add, 3.0) and x in add.inputs:
                return Step((x,), step.outputs, Node("HardSwish", 14, {}))
        return None

    def _is(self, step: Step, number: float) -> bool:
        split = self._split(step)
        return split is not None and split[1].size == 1 and split[1].item() == number

    def _limits(self, clip: Step) -> tuple[float, float] | None:
        """(Least, most) of what leaves the step, if it clips by constants."""
        given = [*clip.inputs[1:3], "", ""][:2]
        if clip.node.op_type != "Clip" or any(name not in self.constants for name in given):
            return None
        low, high = (self.constants[name] for name in given)
        least = clip.node.get("min", -math.inf) if low is None else low.item()
        return float(least), float(clip.node.get("max", math.inf) if high is None else high.item())
