"""Convolution, transposed convolution and their gradients: sums over the taps of the kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast._geometry import convolution as geometry
from cnnfast._geometry.convolution import Conv, Padding
from cnnfast.reference._common import Array, Ints, check_shape, give, ranks
from cnnfast.reference._layout import in_any_layout
from cnnfast.reference._windows import interior, pad, padded_zeros, taps

RANKS = (1, 2, 3)
FAMILIES = (
    "conv{}d",
    "conv_transpose{}d",
    "conv{}d_backward",
    "conv_transpose{}d_backward",
    "conv{}d_input",
    "conv{}d_weight",
)
__all__ = [family.format(rank) for family in FAMILIES for rank in RANKS]

Mask = tuple[bool, bool, bool]
Gradients = tuple[Array | None, Array | None, Array | None]


def _grouped(p: Conv, array: Array) -> Array:
    """(N, channels, ...) as (N, groups, channels per group, points)."""
    channels = array.shape[1] // p.groups
    return array.reshape(p.n, p.groups, channels, int(np.prod(array.shape[2:])))


def _weights(p: Conv, weight: Array) -> Array:
    """(K, C / groups, ...) as (groups, K / groups, C / groups, ...)."""
    return weight.reshape(p.groups, p.out_channels // p.groups, *p.weight_shape[1:])


def _correlate(p: Conv, x: Array, weight: Array) -> Array:
    """y[k, o] = sum_{c, t} weight[k, c, t] x[c, o * stride + t * dilation - pad]."""
    padded, w = pad(p, x), _weights(p, weight.astype(np.float64))
    y = np.zeros(p.output_shape)
    for tap, points in taps(p):
        y += (w[tap] @ _grouped(p, padded[points])).reshape(p.output_shape)
    return y


def _adjoint(p: Conv, y: Array, weight: Array) -> Array:
    """x[c, o * stride + t * dilation - pad] += weight[k, c, t] y[k, o] over all k, o, t."""
    padded, w = padded_zeros(p), _weights(p, weight.astype(np.float64))
    for tap, points in taps(p):
        product = w[tap].swapaxes(1, 2) @ _grouped(p, y.astype(np.float64))
        padded[points] += product.reshape(p.n, p.in_channels, *p.output)
    return interior(p, padded)


def _weight_gradient(p: Conv, x: Array, y: Array) -> Array:
    """weight[k, c, t] = sum_{n, o} y[n, k, o] x[n, c, o * stride + t * dilation - pad]."""
    padded, dw = pad(p, x), _weights(p, np.zeros(p.weight_shape))
    for tap, points in taps(p):
        products = _grouped(p, y.astype(np.float64)) @ _grouped(p, padded[points]).swapaxes(2, 3)
        dw[tap] = products.sum(axis=0)
    return dw.reshape(p.weight_shape)


def _bias_gradient(dy: Array, rank: int) -> Array:
    return np.asarray(_batched(dy, rank).sum(axis=(0, *range(2, rank + 2)), dtype=np.float64))


def _plus_bias(y: Array, bias: Array | None, rank: int) -> Array:
    return y if bias is None else y + bias.reshape(-1, *(1,) * rank)


def _batched(array: Array, rank: int) -> Array:
    return array.reshape(-1, *array.shape[-rank - 1 :]) if array.ndim == rank + 1 else array


def _gradients(op: str, found: Sequence[Array | None], x: Array, w: Array) -> Gradients:
    dx, dw, db = found
    return (
        None if dx is None else give(op, dx.reshape(x.shape), x.dtype),
        None if dw is None else give(op, dw.reshape(w.shape), x.dtype),
        None if db is None else give(op, db, x.dtype),
    )


def _check_algorithm(op: str, algo: str) -> None:
    if algo not in ("auto", "direct", "winograd"):
        raise ValueError(f"{op}: algo is {algo!r} (expected 'auto', 'direct' or 'winograd')")


@in_any_layout
def convNd(
    rank: int,
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    out: Array | None = None,
    algo: str = "auto",
) -> Array:
    """``out[n, k, o] = bias[k] + sum_{c, t} weight[k, c, t] input[n, c, o * stride + t * dilation - padding]``."""
    op = f"conv{rank}d"
    _check_algorithm(op, algo)
    x, w, b = _arrays.floating(op, "bias", input=input, weight=weight, bias=bias)
    p = geometry.conv(op, rank, x.shape, w.shape, None if b is None else b.shape, stride, padding, dilation, groups)
    y = _plus_bias(_correlate(p, _batched(x, rank), w), b, rank)
    return give(op, y.reshape(p.output_shape[x.ndim == rank + 1 :]), x.dtype, out)


@in_any_layout
def conv_transposeNd(
    rank: int,
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    out: Array | None = None,
    algo: str = "auto",
) -> Array:
    """``out[n, k, i * stride + t * dilation - padding] += weight[c, k, t] input[n, c, i]``, plus ``bias[k]``."""
    op = f"conv_transpose{rank}d"
    _check_algorithm(op, algo)
    x, w, b = _arrays.floating(op, "bias", input=input, weight=weight, bias=bias)
    shapes = x.shape, w.shape, None if b is None else b.shape
    p = geometry.conv_transpose(op, rank, *shapes, stride, padding, output_padding, groups, dilation)
    y = _plus_bias(_adjoint(p, _batched(x, rank), w), b, rank)
    return give(op, y.reshape(p.input_shape[x.ndim == rank + 1 :]), x.dtype, out)


@in_any_layout
def convNd_backward(
    rank: int,
    grad_output: ArrayLike,
    input: ArrayLike,
    weight: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    output_mask: Mask = (True, True, True),
) -> Gradients:
    """Gradients of `convNd` with respect to input, weight and bias."""
    op = f"conv{rank}d_backward"
    dy, x, w = _arrays.floating(op, grad_output=grad_output, input=input, weight=weight)
    p = geometry.conv(op, rank, x.shape, w.shape, None, stride, padding, dilation, groups)
    check_shape(op, "grad_output", dy, *p.output_shape[x.ndim == rank + 1 :])
    dys, xs = _batched(dy, rank), _batched(x, rank)
    found = (
        _adjoint(p, dys, w) if output_mask[0] else None,
        _weight_gradient(p, xs, dys) if output_mask[1] else None,
        _bias_gradient(dy, rank) if output_mask[2] else None,
    )
    return _gradients(op, found, x, w)


@in_any_layout
def conv_transposeNd_backward(
    rank: int,
    grad_output: ArrayLike,
    input: ArrayLike,
    weight: ArrayLike,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_mask: Mask = (True, True, True),
) -> Gradients:
    """Gradients of `conv_transposeNd` with respect to input, weight and bias."""
    op = f"conv_transpose{rank}d_backward"
    dy, x, w = _arrays.floating(op, grad_output=grad_output, input=input, weight=weight)
    arguments = stride, padding, output_padding, groups, dilation
    p = geometry.conv_transpose(op, rank, x.shape, w.shape, None, *arguments)
    check_shape(op, "grad_output", dy, *p.input_shape[x.ndim == rank + 1 :])
    dys, xs = _batched(dy, rank), _batched(x, rank)
    found = (
        _correlate(p, dys, w) if output_mask[0] else None,
        _weight_gradient(p, dys, xs) if output_mask[1] else None,
        _bias_gradient(dy, rank) if output_mask[2] else None,
    )
    return _gradients(op, found, x, w)


@in_any_layout
def convNd_input(
    rank: int,
    input_size: Sequence[int],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Array:
    """Gradient of `convNd` with respect to an input of shape `input_size`."""
    op = f"conv{rank}d_input"
    w, dy = _arrays.floating(op, weight=weight, grad_output=grad_output)
    shape = geometry.size(op, "input_size", input_size)
    p = geometry.conv(op, rank, shape, w.shape, None, stride, padding, dilation, groups)
    check_shape(op, "grad_output", dy, *p.output_shape[len(shape) == rank + 1 :])
    return give(op, _adjoint(p, _batched(dy, rank), w).reshape(shape), w.dtype)


@in_any_layout
def convNd_weight(
    rank: int,
    input: ArrayLike,
    weight_size: Sequence[int],
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Array:
    """Gradient of `convNd` with respect to a weight of shape `weight_size`."""
    op = f"conv{rank}d_weight"
    x, dy = _arrays.floating(op, input=input, grad_output=grad_output)
    shape = geometry.size(op, "weight_size", weight_size)
    p = geometry.conv(op, rank, x.shape, shape, None, stride, padding, dilation, groups)
    check_shape(op, "grad_output", dy, *p.output_shape[x.ndim == rank + 1 :])
    return give(op, _weight_gradient(p, _batched(x, rank), _batched(dy, rank)), x.dtype)


conv1d, conv2d, conv3d = ranks(convNd)
conv1d_backward, conv2d_backward, conv3d_backward = ranks(convNd_backward)
conv1d_input, conv2d_input, conv3d_input = ranks(convNd_input)
conv1d_weight, conv2d_weight, conv3d_weight = ranks(convNd_weight)
conv_transpose1d, conv_transpose2d, conv_transpose3d = ranks(conv_transposeNd)
conv_transpose1d_backward, conv_transpose2d_backward, conv_transpose3d_backward = ranks(conv_transposeNd_backward)
