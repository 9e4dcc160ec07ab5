"""Activations, softmax, normalisation, dropout, and products of matrices."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from cnnfast import functional as F
from cnnfast.backends._backend import NotCovered
from cnnfast.backends.onnx._node import Array, Node, Run
from cnnfast.functional import _fused


def relu(node: Node) -> Run:
    """X."""
    return F.relu


def sigmoid(node: Node) -> Run:
    """X."""
    return F.sigmoid


def tanh(node: Node) -> Run:
    """X."""
    return F.tanh


def hard_swish(node: Node) -> Run:
    """X."""
    return F.hardswish


def hard_sigmoid(node: Node) -> Run:
    """X."""
    alpha, beta = float(node.get("alpha", 0.2)), float(node.get("beta", 0.5))

    def run(x: Array, out: Array | None = None) -> Array:
        y = np.multiply(x, x.dtype.type(alpha), out=out)
        y += x.dtype.type(beta)
        return F.hardtanh(y, 0.0, 1.0, out=y)

    return run


def leaky_relu(node: Node) -> Run:
    """X."""
    return partial(F.leaky_relu, negative_slope=float(node.get("alpha", 0.01)))


def prelu(node: Node) -> Run:
    """X, slope."""

    def run(x: Array, slope: Array, out: Array | None = None) -> Array:
        shape = (1,) * (x.ndim - slope.ndim) + slope.shape
        if slope.size > 1 and (x.ndim < 2 or shape != (1, x.shape[1], *(1,) * (x.ndim - 2))):
            raise NotCovered
        return F.prelu(x, slope.reshape(-1), out=out)

    return run


def clip(node: Node) -> Run:
    """X, min, max; before opset 11 the limits are attributes."""
    limits = node.get("min", -math.inf), node.get("max", math.inf)

    def run(x: Array, low: Array | None = None, high: Array | None = None, out: Array | None = None) -> Array:
        least = limits[0] if low is None else low.item()
        most = limits[1] if high is None else high.item()
        if not least <= most:
            raise NotCovered
        return F.hardtanh(x, least, most, out=out)

    return run


def softmax(node: Node) -> Run:
    """X."""
    return _softmax(node, F.softmax)


def log_softmax(node: Node) -> Run:
    """X."""
    return _softmax(node, F.log_softmax)


def _softmax(node: Node, function: Run) -> Run:
    """Along an axis from opset 13 on, before that over all axes from it on."""
    if node.opset >= 13:
        return partial(function, dim=node.get("axis", -1))
    axis = node.get("axis", 1)

    def run(x: Array, out: Array | None = None) -> Array:
        rows = math.prod(x.shape[: axis % (x.ndim + 1) if axis >= 0 else axis])
        flat = x.reshape(rows, -1)
        return function(flat, dim=1, out=None if out is None else out.reshape(flat.shape)).reshape(x.shape)

    return run


def batch_normalization(node: Node) -> Run:
    """X, scale, B, mean, variance."""
    eps, momentum = float(node.get("epsilon", 1e-5)), float(node.get("momentum", 0.9))
    training = is_training(node)

    def run(x: Array, scale: Array, bias: Array, old_mean: Array, old_var: Array, out: Array | None = None) -> Any:
        # Before opset 9 statistics could be those of each point.
        view = x if scale.size == x.shape[1] else x.reshape(x.shape[0], -1)
        mean, var, weight, shift = (np.asarray(a, x.dtype).reshape(-1) for a in (old_mean, old_var, scale, bias))
        if training:
            axes = (0, *range(2, view.ndim))
            mean, var = view.mean(axes), view.var(axes)
        view_out = out if out is None or view is x else out.reshape(view.shape)
        arguments = mean, var, weight, shift, False, 0.1, eps, view_out
        y = _fused.batch_norm("batch_norm", view, *arguments, clamp=node.clamp)[0].reshape(x.shape)
        if node.outputs == 1:
            return y
        kept = _mixed(old_mean, mean, momentum), _mixed(old_var, var, momentum)
        return (y, *kept, mean, var)[: node.outputs]

    return run


def _mixed(old: Array, new: Array, momentum: float) -> Array:
    return (old * momentum + new * (1 - momentum)).astype(old.dtype)


def is_training(node: Node) -> bool:
    """By an attribute from opset 14 on, by the number of outputs from 7 on, by another attribute before."""
    if node.opset >= 14:
        return bool(node.get("training_mode", 0))
    return node.outputs > 1 if node.opset >= 7 else not node.get("is_test", 0)


def instance_normalization(node: Node) -> Run:
    """X, scale, B."""
    eps = float(node.get("epsilon", 1e-5))

    def run(x: Array, scale: Array, bias: Array, out: Array | None = None) -> Array:
        if math.prod(x.shape[2:]) < 2:
            raise NotCovered
        return F.instance_norm(x, weight=scale, bias=bias, eps=eps, out=out)

    return run


def lrn(node: Node) -> Run:
    """X."""
    size = int(node.get("size", 1))
    alpha, beta, bias = (float(node.get(*one)) for one in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))

    def run(x: Array, out: Array | None = None) -> Array:
        if x.ndim < 3:
            raise NotCovered
        if size % 2:
            return F.local_response_norm(x, size, alpha, beta, bias, out=out)
        # Of an even number of channels PyTorch has one more below, ONNX one more above.
        return F.local_response_norm(x[:, ::-1], size, alpha, beta, bias)[:, ::-1]

    return run


def dropout(node: Node) -> Run:
    """X, ratio, training mode: nothing happens in inference; masks of training are the stock ones."""
    training = node.opset < 7 and not node.get("is_test", 0)

    def run(x: Array, ratio: Array | None = None, mode: Array | None = None) -> Any:
        if training or (mode is not None and mode.item()):
            raise NotCovered
        return (x, np.ones(x.shape, bool)) if node.outputs > 1 else x

    return run


def gemm(node: Node) -> Run:
    """A, B, C: alpha * A' @ B' + beta * C."""
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    transposed = bool(node.get("transA", 0)), bool(node.get("transB", 0))

    def run(a: Array, b: Array, c: Array | None = None, out: Array | None = None) -> Array:
        rows, weight = (a.T if transposed[0] else a), (b if transposed[1] else b.T)
        if alpha != 1:
            rows = rows * rows.dtype.type(alpha)
        if c is not None and beta != 1:
            c = c * c.dtype.type(beta)
        return _fused.linear(rows, weight, c, None, node.clamp, out)

    return run


def matmul(node: Node) -> Run:
    """A, B, which is one matrix."""

    def run(a: Array, b: Array, out: Array | None = None) -> Array:
        if b.ndim != 2:
            raise NotCovered
        return F.linear(a, b.T, out=out)

    return run
