"""An evaluator that prepares a model once for each set of input shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator

from cnnfast.backends.onnx._graph import Graph
from cnnfast.backends.onnx._program import Program
from cnnfast.backends.onnx._registry import Dispatcher, ops

# A program keeps weights and buffers of its own; a service meets a few shapes again and again.
_PROGRAMS_KEPT = 16


class _Prepared:
    """Programs that compute certain outputs, by the shapes and dtypes of the inputs.

    Of a graph with conditions also by the integers without axes among them, such as a sampling rate, which decide on
    branches; but not once there have been many: then they count something.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.programs: dict[Any, Program] = {}
        self.branches = any(step.node.op_type == "If" for step in graph.steps)

    def run(self, feeds: dict[str, Any]) -> list[Any]:
        arrays = [feeds[name] for name in self.graph.inputs]
        settings = self._settings(feeds) if self.branches else {}
        key = (*[(array.shape, array.dtype) for array in arrays], *[a.item() for a in settings.values()])
        program = self.programs.get(key)
        if program is None:
            graph = self.graph.knowing(settings)
            program = Program(graph, {name: feeds[name] for name in graph.inputs})
            if len(self.programs) >= _PROGRAMS_KEPT:
                self.programs.clear()
                self.branches = False
            self.programs[key] = program
        return program.run(feeds)

    def _settings(self, feeds: dict[str, Any]) -> dict[str, Any]:
        inputs = {name: feeds[name] for name in self.graph.inputs}
        return {name: array.copy() for name, array in inputs.items() if not array.ndim and array.dtype.kind in "biu"}


class CnnfastEvaluator(ReferenceEvaluator):
    """onnx's reference evaluator on these kernels, at the speed of a runtime.

    What is constant is computed once; batch norm, scales and shifts of channels go into the convolution before them;
    values share buffers that are kept, and concatenations are computed in place. Integers without axes that decide on
    branches, such as a sampling rate, count as constants. The first call with inputs of new shapes prepares that and
    takes longer. What is not covered runs as in the reference evaluator.

    Parameters
    ----------
    proto : ModelProto, GraphProto, FunctionProto, NodeProto, file name or bytes
    new_ops : list of classes derived from ``onnx.reference.op_run.OpRun``, optional
        They come before the operators of this package.
    options
        As for ``onnx.reference.ReferenceEvaluator``.

    Examples
    --------
    >>> import numpy as np
    >>> from onnx.parser import parse_model
    >>> net = CnnfastEvaluator(parse_model('''
    ...     <ir_version: 8, opset_import: ["" : 17]>
    ...     net (float[N, 3, H, W] image, float[8, 3, 3, 3] filters) => (float[N, 8, H, W] maps) {
    ...         raw = Conv <pads = [1, 1, 1, 1]> (image, filters)
    ...         maps = Relu (raw)
    ...     }'''))
    >>> feeds = {"image": np.ones((1, 3, 9, 9), np.float32), "filters": np.ones((8, 3, 3, 3), np.float32)}
    >>> float(net.run(None, feeds)[0].max())
    27.0
    """

    def __init__(self, proto: Any, *args: Any, new_ops: Sequence[Any] | None = None, **options: Any) -> None:
        self._prepared: dict[tuple[str, ...], _Prepared] = {}
        super().__init__(proto, *args, new_ops=[*(new_ops or ()), *ops()], **options)
        self._foreign = {name for (_, name), one in self.new_ops_.items() if not issubclass(one, Dispatcher)}

    def run(
        self,
        output_names: Sequence[str] | None,
        feed_inputs: dict[str, Any],
        attributes: dict[str, Any] | None = None,
        intermediate: bool = False,
        **options: Any,
    ) -> Any:
        """Return the outputs, a list; as ``ReferenceEvaluator.run``, which does what has to show what is in between."""
        prepared = self._prepare(tuple(output_names or self.output_names))
        watched = (
            intermediate or self.verbose or any(options.values()) or getattr(self, "check_shape_annotations_", False)
        )
        if watched or prepared is None or not self._is_plain(prepared.graph, feed_inputs):
            return super().run(output_names, feed_inputs, attributes, intermediate, **options)
        return prepared.run(feed_inputs)

    def _prepare(self, outputs: tuple[str, ...]) -> _Prepared | None:
        if self.has_linked_attribute:
            return None
        found = self._prepared.get(outputs)
        if found is None:
            graph = Graph.of(self.rt_nodes_, self.rt_inits_, outputs, self._foreign)
            found = self._prepared[outputs] = _Prepared(graph)
        return found

    def _is_plain(self, graph: Graph, feeds: dict[str, Any]) -> bool:
        """Whether the inputs are arrays, and none of them stands for a constant."""
        arrays = all(type(feeds.get(name)) is np.ndarray for name in graph.inputs)
        return arrays and self.rt_inits_.keys().isdisjoint(feeds)
