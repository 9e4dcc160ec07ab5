"""Operators that NumPy has, for prepared graphs: arithmetic of floats, and what moves elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial, reduce
from itertools import accumulate
from typing import Any

import numpy as np
from onnx.helper import tensor_dtype_to_np_dtype

from cnnfast import functional as F
from cnnfast._arrays import FLOATS
from cnnfast.backends._backend import NotCovered
from cnnfast.backends.onnx._node import Array, Node, Run
from cnnfast.functional import _fused
from cnnfast.functional._fused import NO_CLAMP


def _ufunc(function: Any) -> Callable[[Node], Run]:
    return lambda node: function


def _add(node: Node) -> Run:
    return np.add if node.clamp == NO_CLAMP else _sum(node)


def _sum(node: Node) -> Run:
    if node.clamp != NO_CLAMP:
        return lambda x, z, out=None: _fused.tail(x, z, node.clamp, out)

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


def _unsqueeze(node: Node) -> Run:
    """X, axes; before opset 13 the axes are an attribute."""

    def run(x: Array, axes: Array | None = None) -> Array:
        new = _axes(node, axes)
        rank = x.ndim + len(new)
        places = {axis % rank for axis in new}
        return x[tuple([None if axis in places else slice(None) for axis in range(rank)])]

    return run


def _squeeze(node: Node) -> Run:
    """X, axes; before opset 13 the axes are an attribute."""

    def run(x: Array, axes: Array | None = None) -> Array:
        return x.squeeze(_axes(node, axes))

    return run


def _split(node: Node) -> Run:
    """X, sizes of the parts, which are views; before opset 13 they are an attribute."""
    axis, fixed = int(node.get("axis", 0)), node.ints("split", None)

    def run(x: Array, sizes: Array | None = None) -> tuple[Array, ...]:
        lengths = fixed if sizes is None else sizes.tolist()
        if lengths is None:
            length = -(-x.shape[axis] // node.outputs)
            lengths = [length] * node.outputs
        lead, ends = (slice(None),) * (axis % x.ndim), list(accumulate(lengths))
        return tuple([x[(*lead, slice(e - n, e))] for n, e in zip(lengths, ends, strict=True)])

    return run


def _axes(node: Node, given: Array | None) -> Any:
    return node.ints("axes", None) if given is None else tuple(given.reshape(-1).tolist())


def _gather(node: Node) -> Run:
    """X, index: a view of one place of an axis."""
    axis = int(node.get("axis", 0))

    def run(x: Array, index: Array) -> Array:
        if index.ndim:
            raise NotCovered
        return x[(slice(None),) * (axis % x.ndim) + (int(index),)]

    return run


def _power(node: Node) -> Run:
    """X, exponent; only squares."""

    def run(x: Array, exponent: Array, out: Array | None = None) -> Array:
        if exponent.size == 1 and exponent.ndim <= x.ndim and exponent.item() == 2:
            return np.square(x, out=out)
        raise NotCovered

    return run


def _mean(node: Node) -> Run:
    """X, axes; before opset 18 the axes are an attribute."""
    keep, noop = bool(node.get("keepdims", 1)), bool(node.get("noop_with_empty_axes", 0))

    def run(x: Array, axes: Array | None = None) -> Array:
        along = _axes(node, axes) or None
        if noop and along is None:
            raise NotCovered
        return np.asarray(x.mean(along, keepdims=keep))

    return run


@lru_cache(maxsize=64)
def _padded(size: int, low: int, high: int, mode: Any) -> Array:
    """Which element of an axis each element of its padded form is."""
    return np.pad(np.arange(size), (low, high), mode)


def _pad(node: Node) -> Run:
    """X, pads, of opset 11 and later: repeats what is there, constants are left to the stock code."""
    mode = node.text("mode", "constant")

    def run(x: Array, pads: Array | None = None, *rest: Array | None) -> Array:
        if mode not in ("reflect", "edge", "wrap") or pads is None or len(rest) > 1 or pads.min() < 0:
            raise NotCovered
        pairs = zip(*pads.reshape(2, -1).tolist(), strict=True)
        for axis, (low, high) in enumerate(pairs):
            if low or high:
                x = x.take(_padded(x.shape[axis], low, high, mode), axis)
        return x

    return run


def _cast(node: Node) -> Run:
    """X, between float32 and float64."""
    dtype = tensor_dtype_to_np_dtype(node.get("to", 0))

    def run(x: Array) -> Array:
        if dtype not in FLOATS:
            raise NotCovered
        return x.astype(dtype, copy=False)

    return run


def _shape(node: Node) -> Run:
    start, end = node.get("start", None), node.get("end", None)
    return lambda x: np.array(x.shape[start:end], np.int64)


_ROUNDINGS: dict[str, Run] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


def _nearest(node: Node, size: int, out: int, scale: float) -> Array:
    """Which element of an axis each element of its resized form is."""
    i = np.arange(out, dtype=np.float64)
    kind = node.text("coordinate_transformation_mode", "half_pixel")
    if kind == "asymmetric":
        place = i / scale
    elif kind == "align_corners":
        place = i * ((size - 1) / max(out - 1, 1))
    elif kind == "half_pixel" or (kind == "pytorch_half_pixel" and out > 1):
        place = (i + 0.5) / scale - 0.5
    else:
        raise NotCovered
    rounding = _ROUNDINGS[node.text("nearest_mode", "round_prefer_floor")]
    return np.clip(rounding(place), 0, size - 1).astype(np.intp)


def _resize(node: Node) -> Run:
    """X, region, scales, sizes; to the nearest element only."""

    def run(x: Array, region: Array | None = None, scales: Array | None = None, sizes: Array | None = None) -> Array:
        plain = node.text("mode", "nearest") == "nearest" and node.get("axes", None) is None and node.opset > 10
        if not plain or node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise NotCovered
        if sizes is not None:
            factors = [size / old for size, old in zip(sizes.tolist(), x.shape, strict=True)]
        else:
            factors = [] if scales is None else scales.tolist()
            sizes = np.floor(np.multiply(x.shape, factors)).astype(np.intp)
        for axis, (new, factor) in enumerate(zip(sizes.tolist(), factors, strict=True)):
            if new != x.shape[axis] or factor != 1:
                x = x.take(_nearest(node, x.shape[axis], new, factor), axis)
        return x

    return run


def _lstm(node: Node) -> Run:
    """X, W, R, B, lengths, H, C, peepholes; one direction, as frameworks export it."""
    special = ("activations", "activation_alpha", "activation_beta", "clip", "input_forget", "layout")
    plain = node.text("direction", "forward") == "forward" and not any(node.get(name, 0) for name in special)

    def run(x: Array, w: Array, r: Array, *rest: Array | None) -> tuple[Array, ...]:
        b, lengths, h, c, peepholes = (*rest, *[None] * 5)[:5]
        if not plain or lengths is not None or peepholes is not None:
            raise NotCovered
        size = r.shape[2]
        zero = np.zeros((x.shape[1], size), x.dtype)
        state, cell = (zero if a is None else a[0] for a in (h, c))
        bias = None if b is None else b[0, : 4 * size] + b[0, 4 * size :]
        gates = F.linear(x, w[0], bias)
        states = np.empty((x.shape[0], 1, *zero.shape), x.dtype)
        for step, out in zip(gates, states[:, 0], strict=True):
            now = step + F.linear(state, r[0])
            opened = F.sigmoid(now[:, : 3 * size])
            into, output, kept = (opened[:, k * size : (k + 1) * size] for k in range(3))
            cell = kept * cell + into * F.tanh(now[:, 3 * size :])
            state = np.multiply(output, F.tanh(cell), out=out)
        return (states, state[None], cell[None])[: max(node.outputs, 1)]

    return run


NUMPY: dict[str, Callable[[Node], Run]] = {
    "Add": _add,
    "Cast": _cast,
    "Concat": _concat,
    "Div": _ufunc(np.divide),
    "Exp": _ufunc(np.exp),
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "LSTM": _lstm,
    "Mul": _ufunc(np.multiply),
    "Pad": _pad,
    "Pow": _power,
    "ReduceMean": _mean,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Split": _split,
    "Sqrt": _ufunc(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _ufunc(np.subtract),
    "Sum": _sum,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
