"""Pooling, unpooling and their gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast._geometry import pooling as geometry
from cnnfast._geometry.convolution import size
from cnnfast._geometry.pooling import Pool
from cnnfast._geometry.tuples import Ints as Tuple
from cnnfast._geometry.tuples import flag, integer, number
from cnnfast.reference._common import Array, Ints, check_shape, give, ranks
from cnnfast.reference._layout import in_any_layout
from cnnfast.reference._pooling import maximum, maximum_backward, mean, mean_backward, planes

RANKS = (1, 2, 3)
FAMILIES = ("max_pool", "avg_pool", "lp_pool", "adaptive_max_pool", "adaptive_avg_pool", "max_unpool")
__all__ = [f"{family}{rank}d{suffix}" for family in FAMILIES for rank in RANKS for suffix in ("", "_backward")]


def _override(op: str, value: Any) -> int | None:
    if value is None:
        return None
    if integer(op, "divisor_override", value) == 0:
        raise ValueError(f"{op}: divisor_override is 0 (expected another number)")
    return int(value)


@in_any_layout
def max_poolNd(
    rank: int,
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    out: Array | None = None,
) -> Any:
    """``out[o] = max_t input[o * stride + t * dilation - padding]``, and where it was found, flat in the plane."""
    op = f"max_pool{rank}d"
    (x,) = _arrays.floating(op, input=input)
    y, indices = maximum(geometry.pool(op, rank, x.shape, kernel_size, stride, padding, dilation, ceil_mode), x)
    y = give(op, y, x.dtype, out)
    return (y, indices) if return_indices else y


@in_any_layout
def max_poolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    indices: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> Array:
    """Gradient of `max_poolNd`: ``grad_input[indices[o]] += grad_output[o]``."""
    op = f"max_pool{rank}d_backward"
    shape = size(op, "input_size", input_size)
    p = geometry.pool(op, rank, shape, kernel_size, stride, padding, dilation, ceil_mode)
    return maximum_backward(op, p, grad_output, indices)


@in_any_layout
def avg_poolNd(
    rank: int,
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Array | None = None,
) -> Array:
    """``out[o] = sum_t input[o * stride + t - padding] / divisor``, the divisor being the size of the window."""
    op = f"avg_pool{rank}d"
    (x,) = _arrays.floating(op, input=input)
    override = _override(op, divisor_override)
    p = geometry.average(op, rank, x.shape, kernel_size, stride, padding, ceil_mode)
    return give(op, mean(p, x, flag(op, "count_include_pad", count_include_pad), override), x.dtype, out)


@in_any_layout
def avg_poolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    input_size: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Gradient of `avg_poolNd`: each window gets ``grad_output[o] / divisor``."""
    op = f"avg_pool{rank}d_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    override, shape = _override(op, divisor_override), size(op, "input_size", input_size)
    p = geometry.average(op, rank, shape, kernel_size, stride, padding, ceil_mode)
    check_shape(op, "grad_output", dy, *p.output_shape)
    return give(op, mean_backward(p, dy, flag(op, "count_include_pad", count_include_pad), override), dy.dtype)


def _power_arguments(
    op: str, rank: int, x: Array, norm_type: float, kernel_size: Ints, stride: Any, ceil_mode: bool
) -> tuple[Pool, float, int]:
    """(Windows, power, points of a whole window)."""
    power = number(op, "norm_type", norm_type)
    if power == 0:
        raise ValueError(f"{op}: norm_type is 0 (expected another number)")
    if math.isinf(power):
        p = geometry.pool(op, rank, x.shape, kernel_size, stride, 0, 1, ceil_mode)
    else:
        p = geometry.average(op, rank, x.shape, kernel_size, stride, 0, ceil_mode)
    return p, power, int(np.prod(p.kernel or ()))


@in_any_layout
def lp_poolNd(
    rank: int,
    input: ArrayLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    out: Array | None = None,
) -> Array:
    """``out[o] = (points * mean_t input[o * stride + t]**p)**(1 / p)``; for p = inf the largest magnitude."""
    op = f"lp_pool{rank}d"
    (x,) = _arrays.floating(op, input=input)
    p, power, points = _power_arguments(op, rank, x, norm_type, kernel_size, stride, ceil_mode)
    with np.errstate(all="ignore"):
        if math.isinf(power):
            sign = np.sign(power)
            return give(op, sign * maximum(p, sign * np.abs(x))[0], x.dtype, out)
        total = points * mean(p, x.astype(np.float64) ** power)
        return give(op, total ** (1 / power), x.dtype, out)


@in_any_layout
def lp_poolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    input: ArrayLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Array:
    """``grad_input[i] += grad_output[o] * (input[i] / out[o])**(norm_type - 1)`` for whole windows; 0 where out is."""
    op = f"lp_pool{rank}d_backward"
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    p, power, points = _power_arguments(op, rank, x, norm_type, kernel_size, stride, ceil_mode)
    check_shape(op, "grad_output", dy, *p.output_shape)
    with np.errstate(all="ignore"):
        if math.isinf(power):
            dx, places = planes(op, maximum(p, np.sign(power) * np.abs(x))[1], p.input_shape, rank)
            np.add.at(dx.reshape(-1), places, dy)
            return give(op, dx * np.sign(x), x.dtype)
        base = x.astype(np.float64)
        total = points * mean(p, base**power)
        g = np.where(total == 0, 0, dy * total ** (1 / power - 1))
        return give(op, points * mean_backward(p, g) * base ** (power - 1), x.dtype)


@in_any_layout
def adaptive_max_poolNd(
    rank: int, input: ArrayLike, output_size: Any, return_indices: bool = False, *, out: Array | None = None
) -> Any:
    """``out[o] = max(input[floor(o * I / O) : ceil((o + 1) * I / O)])`` for I points in and O out."""
    op = f"adaptive_max_pool{rank}d"
    (x,) = _arrays.floating(op, input=input)
    y, indices = maximum(geometry.adaptive(op, rank, x.shape, output_size), x)
    y = give(op, y, x.dtype, out)
    return (y, indices) if return_indices else y


@in_any_layout
def adaptive_max_poolNd_backward(
    rank: int, grad_output: ArrayLike, indices: ArrayLike, input_size: Sequence[int], output_size: Any
) -> Array:
    """Gradient of `adaptive_max_poolNd`: ``grad_input[indices[o]] += grad_output[o]``."""
    op = f"adaptive_max_pool{rank}d_backward"
    p = geometry.adaptive(op, rank, size(op, "input_size", input_size), output_size)
    return maximum_backward(op, p, grad_output, indices)


@in_any_layout
def adaptive_avg_poolNd(rank: int, input: ArrayLike, output_size: Any, *, out: Array | None = None) -> Array:
    """``out[o] = mean(input[floor(o * I / O) : ceil((o + 1) * I / O)])`` for I points in and O out."""
    op = f"adaptive_avg_pool{rank}d"
    (x,) = _arrays.floating(op, input=input)
    p = geometry.adaptive(op, rank, x.shape, output_size, True)
    return give(op, mean(p, x), x.dtype, out)


@in_any_layout
def adaptive_avg_poolNd_backward(
    rank: int, grad_output: ArrayLike, input_size: Sequence[int], output_size: Any
) -> Array:
    """Gradient of `adaptive_avg_poolNd`: each window gets ``grad_output[o] / points``."""
    op = f"adaptive_avg_pool{rank}d_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    p = geometry.adaptive(op, rank, size(op, "input_size", input_size), output_size, True)
    check_shape(op, "grad_output", dy, *p.output_shape)
    return give(op, mean_backward(p, dy), dy.dtype)


def _unpooled(
    op: str, rank: int, shape: Tuple, kernel_size: Ints, stride: Any, padding: Ints, output_size: Any
) -> Tuple:
    wanted = None if output_size is None else size(op, "output_size", output_size)
    return geometry.unpool(op, rank, shape, kernel_size, stride, padding, wanted)[1]


def max_unpoolNd(
    rank: int,
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """``out[indices[i]] = input[i]``, zeros elsewhere."""
    op = f"max_unpool{rank}d"
    (x,) = _arrays.floating(op, input=input)
    (index,) = _arrays.integers(op, indices=indices)
    check_shape(op, "indices", index, *x.shape)
    shape = _unpooled(op, rank, x.shape, kernel_size, stride, padding, output_size)
    y, places = planes(op, index, shape, rank)
    y.reshape(-1)[places] = x
    return give(op, y, x.dtype)


def max_unpoolNd_backward(
    rank: int,
    grad_output: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Gradient of `max_unpoolNd`: ``grad_input[i] = grad_output[indices[i]]``."""
    op = f"max_unpool{rank}d_backward"
    (dy,) = _arrays.floating(op, grad_output=grad_output)
    (index,) = _arrays.integers(op, indices=indices)
    shape = _unpooled(op, rank, index.shape, kernel_size, stride, padding, output_size)
    check_shape(op, "grad_output", dy, *shape)
    return np.asarray(dy.reshape(-1)[planes(op, index, shape, rank)[1]])


max_pool1d, max_pool2d, max_pool3d = ranks(max_poolNd)
max_pool1d_backward, max_pool2d_backward, max_pool3d_backward = ranks(max_poolNd_backward)
avg_pool1d, avg_pool2d, avg_pool3d = ranks(avg_poolNd)
avg_pool1d_backward, avg_pool2d_backward, avg_pool3d_backward = ranks(avg_poolNd_backward)
lp_pool1d, lp_pool2d, lp_pool3d = ranks(lp_poolNd)
lp_pool1d_backward, lp_pool2d_backward, lp_pool3d_backward = ranks(lp_poolNd_backward)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = ranks(adaptive_max_poolNd)
adaptive_max_pool1d_backward, adaptive_max_pool2d_backward, adaptive_max_pool3d_backward = ranks(
    adaptive_max_poolNd_backward
)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = ranks(adaptive_avg_poolNd)
adaptive_avg_pool1d_backward, adaptive_avg_pool2d_backward, adaptive_avg_pool3d_backward = ranks(
    adaptive_avg_poolNd_backward
)
max_unpool1d, max_unpool2d, max_unpool3d = ranks(max_unpoolNd)
max_unpool1d_backward, max_unpool2d_backward, max_unpool3d_backward = ranks(max_unpoolNd_backward)
