"""The operators that run here: for each a function that is told about the node and returns what runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast._arrays import FLOATS
from cnnfast.backends._backend import NotCovered
from cnnfast.backends.onnx import _convolution, _elementwise, _pooling
from cnnfast.backends.onnx._node import Array, Node, Run

OPERATORS: dict[str, Callable[[Node], Run]] = {
    "AveragePool": _pooling.average_pool,
    "BatchNormalization": _elementwise.batch_normalization,
    "Clip": _elementwise.clip,
    "Col2Im": _convolution.col2im,
    "Conv": _convolution.conv,
    "ConvInteger": _convolution.conv_integer,
    "ConvTranspose": _convolution.conv_transpose,
    "Dropout": _elementwise.dropout,
    "Gemm": _elementwise.gemm,
    "GlobalAveragePool": _pooling.global_average_pool,
    "GlobalLpPool": _pooling.global_lp_pool,
    "GlobalMaxPool": _pooling.global_max_pool,
    "HardSigmoid": _elementwise.hard_sigmoid,
    "HardSwish": _elementwise.hard_swish,
    "InstanceNormalization": _elementwise.instance_normalization,
    "LRN": _elementwise.lrn,
    "LeakyRelu": _elementwise.leaky_relu,
    "LogSoftmax": _elementwise.log_softmax,
    "LpPool": _pooling.lp_pool,
    "MatMul": _elementwise.matmul,
    "MaxPool": _pooling.max_pool,
    "MaxUnpool": _pooling.max_unpool,
    "PRelu": _elementwise.prelu,
    "QLinearConv": _convolution.qlinear_conv,
    "Relu": _elementwise.relu,
    "Sigmoid": _elementwise.sigmoid,
    "Softmax": _elementwise.softmax,
    "Tanh": _elementwise.tanh,
}
_ANY_DTYPE = ("ConvInteger", "Dropout", "MaxPool", "MaxUnpool", "QLinearConv")
# Halves of these stay with NumPy, which rounds after each step: models in halves give the same bits as elsewhere.
_NO_HALVES = ("MatMul", "Softmax")
_HALVES = ("float16", "bfloat16")


def prepare(node: Node) -> Run:
    """Return what runs a node, given its inputs; it raises `NotCovered` for what is left to the stock code."""
    run = OPERATORS[node.op_type](node)
    any_dtype, halves = node.op_type in _ANY_DTYPE, node.op_type not in _NO_HALVES

    def call(*inputs: Any) -> Any:
        dtype = inputs[0].dtype
        if dtype in FLOATS or (any_dtype and dtype.name not in _HALVES):
            return run(*inputs)
        if dtype.name not in _HALVES or not halves:
            raise NotCovered
        return _cast(run(*map(_single, inputs)), dtype)

    return call


def _single(x: Array | None) -> Array | None:
    return x.astype(np.float32) if x is not None and x.dtype.name in _HALVES else x


def _cast(result: Any, dtype: Any) -> Any:
    if isinstance(result, tuple):
        return tuple(_cast(one, dtype) for one in result)
    return result.astype(dtype) if result.dtype == np.float32 else result
