"""A task's forward pass as an ONNX model of one node, for the libraries that run such models."""

from __future__ import annotations

from typing import Any

from onnx import helper, numpy_helper

from cnnfast.bench.tasks import Task

_NODES = {
    "conv": "Conv",
    "conv_transpose": "ConvTranspose",
    "linear": "Gemm",
    "max_pool": "MaxPool",
    "avg_pool": "AveragePool",
    "relu": "Relu",
}


def model(task: Task) -> bytes | None:
    """Return the model from x to y, which holds the weights; None for what ONNX lacks.

    It wants less output padding than stride, where others also look at dilation.
    """
    problem = task.problem
    if not task.forward or any(a >= s for a, s in zip(problem.output_padding, problem.stride, strict=False)):
        return None
    weights = [] if task.w is None else [numpy_helper.from_array(task.w, "w")]
    inputs = ["x", "w"] if weights else ["x"]
    node = helper.make_node(_NODES[task.op], inputs, ["y"], **_attributes(task))
    kind = helper.np_dtype_to_tensor_dtype(task.x.dtype)
    x = helper.make_tensor_value_info("x", kind, task.x.shape)
    y = helper.make_tensor_value_info("y", kind, task.dy.shape)
    graph = helper.make_graph([node], "task", [x], [y], weights)
    # Opset 17 with IR version 8 is read by every ONNX Runtime since 1.12.
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


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
