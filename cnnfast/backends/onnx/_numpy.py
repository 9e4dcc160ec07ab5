"""Operators that NumPy has, for prepared graphs: arithmetic of floats, and what moves elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np

from cnnfast.backends.onnx._node import Array, Node, Run


def _ufunc(function: Any) -> Callable[[Node], Run]:
    return lambda node: function


def _sum(node: Node) -> Run:
    def run(*terms: Array, out: Array | None = None) -> Array:
        if len(terms) == 1:
            return terms[0]
        first = np.add(terms[0], terms[1], out=out)
        return reduce(partial(np.add, out=out), terms[2:], first)

    return run


def _concat(node: Node) -> Run:
    axis = int(node.get("axis", 1))

    def run(*parts: Array, out: Array | None = None) -> Array:
        return np.concatenate(parts, axis, out=out)

    return run


def _transpose(node: Node) -> Run:
    order = node.ints("perm", None)

    def run(x: Array, out: Array | None = None) -> Array:
        if out is None:
            return np.ascontiguousarray(x.transpose(order))
        np.copyto(out, x.transpose(order))
        return out

    return run


def _identity(node: Node) -> Run:
    return lambda x: x


def _reshape(node: Node) -> Run:
    keeps_zero = bool(node.get("allowzero", 0))

    def run(x: Array, shape: Array) -> Array:
        sizes = shape.tolist()
        return x.reshape(sizes if keeps_zero else [s or x.shape[axis] for axis, s in enumerate(sizes)])

    return run


def _flatten(node: Node) -> Run:
    axis = int(node.get("axis", 1))

    def run(x: Array) -> Array:
        return x.reshape(math.prod(x.shape[: axis if axis >= 0 else x.ndim + axis]), -1)

    return run


def _shape(node: Node) -> Run:
    start, end = node.get("start", None), node.get("end", None)
    return lambda x: np.array(x.shape[start:end], np.int64)


NUMPY: dict[str, Callable[[Node], Run]] = {
    "Add": _ufunc(np.add),
    "Concat": _concat,
    "Div": _ufunc(np.divide),
    "Exp": _ufunc(np.exp),
    "Flatten": _flatten,
    "Identity": _identity,
    "Mul": _ufunc(np.multiply),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sqrt": _ufunc(np.sqrt),
    "Sub": _ufunc(np.subtract),
    "Sum": _sum,
    "Transpose": _transpose,
}
