"""ONNX Runtime as a contender: the forward pass of one node."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from cnnfast.bench.tasks import Call, Task
from cnnfast.testing import Problem

_NODES = {
    "conv": "Conv",
    "conv_transpose": "ConvTranspose",
    "linear": "Gemm",
    "max_pool": "MaxPool",
    "avg_pool": "AveragePool",
    "relu": "Relu",
}


class OnnxRuntime:
    """The CPU provider in float32, weights known when the session is made, as in inference."""

    name = "onnxruntime"

    def __init__(self, threads: int) -> None:
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.log_severity_level = 3

    def describe(self) -> str:
        return f"onnxruntime {onnxruntime.__version__}"

    def prepare(self, task: Task) -> Call | None:
        if not task.forward or task.x.dtype != np.float32 or not _has(task.problem):
            return None
        session = onnxruntime.InferenceSession(
            _model(task).SerializeToString(), self.options, providers=["CPUExecutionProvider"]
        )
        return partial(session.run, ["y"], {"x": task.x})


def _has(problem: Problem) -> bool:
    """ONNX Runtime wants less output padding than stride, where others also look at dilation."""
    return all(a < s for a, s in zip(problem.output_padding, problem.stride, strict=True))


def _model(task: Task) -> Any:
    weights = [] if task.w is None else [numpy_helper.from_array(task.w, "w")]
    inputs = ["x", "w"] if weights else ["x"]
    node = helper.make_node(_NODES[task.op], inputs, ["y"], **_attributes(task))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, task.x.shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, task.dy.shape)
    graph = helper.make_graph([node], "task", [x], [y], weights)
    # Opset 17 with IR version 8 is read by every ONNX Runtime since 1.12.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _attributes(task: Task) -> dict[str, Any]:
    problem = task.problem
    if not problem.kernel:
        return {"transB": 1} if problem.outputs else {}
    attributes: dict[str, Any] = {
        "kernel_shape": problem.kernel,
        "strides": problem.stride,
        "pads": problem.padding * 2,
    }
    if task.op == "avg_pool":
        return {**attributes, "count_include_pad": 1}
    attributes["dilations"] = problem.dilation
    if problem.outputs:
        attributes["group"] = problem.groups
    if problem.transposed:
        attributes["output_padding"] = problem.output_padding
    return attributes
