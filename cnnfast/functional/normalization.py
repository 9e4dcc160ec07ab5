"""Batch, instance, group and layer normalisation and their gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from cnnfast import _arrays
from cnnfast._geometry.convolution import size
from cnnfast._geometry.tuples import flag, integer, number
from cnnfast.functional import _fused
from cnnfast.functional import _normalization as nd
from cnnfast.functional._normalization import Array, Gradients

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "group_norm",
    "group_norm_backward",
    "instance_norm",
    "instance_norm_backward",
    "layer_norm",
    "layer_norm_backward",
]


def batch_norm(
    input: ArrayLike,
    running_mean: Array | None,
    running_var: Array | None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """``(input - mean) / sqrt(variance + eps) * weight + bias`` per channel; S. Ioffe and C. Szegedy, arXiv:1502.03167.

    Parameters
    ----------
    input : array_like, shape (N, C, ...), float32 or float64
        An empty array of any rank gives an empty array and updates nothing.
    running_mean, running_var : ndarray, shape (C,), dtype of `input`, or None
        The statistics if not `training`.  In training they are updated in place:
        ``running = (1 - momentum) * running + momentum * statistic``, with the unbiased variance.
    weight, bias : array_like, shape (C,), dtype of `input`, optional
    training : bool
        Use mean and biased variance of the batch.
    momentum, eps : float
        Of any value.
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64 or dtypes that differ, shapes that do not fit, one value per channel
        in training, no running statistics without it.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import batch_norm
    >>> batch_norm(np.array([[1.0], [3.0]]), None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    arguments = input, running_mean, running_var, weight, bias, training, momentum, eps
    return _fused.batch_norm("batch_norm", *arguments, out)[0]


def batch_norm_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    running_mean: ArrayLike | None,
    running_var: ArrayLike | None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Gradients:
    """Gradients of `batch_norm` with respect to input, weight and bias; running statistics are not updated.

    Parameters
    ----------
    grad_output : array_like, shape of `input`
    input, running_mean, running_var, weight, bias, training, momentum, eps : as in `batch_norm`

    Returns
    -------
    (grad_input, grad_weight, grad_bias)

    Raises
    ------
    TypeError, ValueError
        As `batch_norm`, and if `grad_output` has not the shape of `input`.
    """
    op = "batch_norm_backward"
    dy, x, w, b, m, v = nd.gradient_arrays(op, grad_output, input, weight, bias, running_mean, running_var)
    shape = nd.batch(op, x)
    if x.size:
        nd.check_running(op, m, v, shape[1], False)
    p = nd.problem(op, shape, 0, x, w, b, eps)
    own = flag(op, "training", training)
    mean, variance = p.statistics() if own or not x.size else nd.running(op, m, v)
    return nd.backward(op, p, own, mean, variance, dy, x, (shape[1],))


def instance_norm(
    input: ArrayLike,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """`batch_norm` of each sample on its own, D. Ulyanov et al., arXiv:1607.08022.

    Parameters
    ----------
    input : array_like, shape (N, C, ...), float32 or float64
    running_mean, running_var : ndarray, shape (C,), dtype of `input`, or None
        The statistics if not `use_input_stats`, else updated in place with the means over the batch of the samples'
        mean and unbiased variance.
    weight, bias : array_like, shape (C,), dtype of `input`, optional
    use_input_stats : bool
    momentum, eps : float
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        As `batch_norm`, and for one point per channel.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import instance_norm
    >>> instance_norm(np.array([[[1.0, 3.0]], [[5.0, 9.0]]]), eps=0.0).tolist()
    [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    """
    op = "instance_norm"
    x, w, b, m, v = _arrays.floating(
        op, *nd.OPTIONAL, input=input, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var
    )
    n, channels, points = nd.samples(op, x)
    nd.check_running(op, running_mean, running_var, channels, flag(op, "use_input_stats", use_input_stats))
    weight_of_new = number(op, "momentum", momentum)
    if not use_input_stats:
        p = nd.problem(op, (n, channels, points), 0, x, w, b, eps)
        return nd.forward(op, p, False, *nd.running(op, m, v), x, out)
    nd.check_points(op, x, points)
    p = nd.problem(op, (n, channels, points), channels, x, w, b, eps)
    mean, variance = p.statistics()
    y = nd.forward(op, p, True, mean, variance, x, out)
    if x.size:
        nd.update(running_mean, weight_of_new, mean.reshape(n, channels).mean(0))
        nd.update(running_var, weight_of_new, variance.reshape(n, channels).mean(0) * (points / (points - 1)))
    return y


def instance_norm_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Gradients:
    """Gradients of `instance_norm` with respect to input, weight and bias; see `batch_norm_backward`."""
    op = "instance_norm_backward"
    dy, x, w, b, m, v = nd.gradient_arrays(op, grad_output, input, weight, bias, running_mean, running_var)
    shape = nd.samples(op, x)
    nd.check_running(op, m, v, shape[1], False)
    if not flag(op, "use_input_stats", use_input_stats):
        p = nd.problem(op, shape, 0, x, w, b, eps)
        return nd.backward(op, p, False, *nd.running(op, m, v), dy, x, (shape[1],))
    nd.check_points(op, x, shape[2])
    p = nd.problem(op, shape, shape[1], x, w, b, eps)
    return nd.backward(op, p, True, *p.statistics(), dy, x, (shape[1],))


def _group_problem(op: str, x: Array, num_groups: Any, w: Array | None, b: Array | None, eps: Any) -> nd.Problem:
    n, channels, points = nd.samples(op, x)
    groups = integer(op, "num_groups", num_groups, 1)
    if channels % groups:
        raise ValueError(f"{op}: input has {channels} channels, num_groups is {groups} (expected a divisor)")
    if n * channels * points == groups:
        raise ValueError(f"{op}: input has one value per group, shape {x.shape} (expected more)")
    return nd.problem(op, (n, channels, points), groups, x, w, b, eps)


def group_norm(
    input: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """``(input - mean) / sqrt(variance + eps) * weight + bias`` per group; Y. Wu and K. He, arXiv:1803.08494.

    Parameters
    ----------
    input : array_like, shape (N, C, ...), float32 or float64
    num_groups : int
        A divisor of C.  Mean and biased variance are those of C / num_groups neighbouring channels of one sample.
    weight, bias : array_like, shape (C,), dtype of `input`, optional
    eps : float
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64 or dtypes that differ, and shapes that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import group_norm
    >>> group_norm(np.array([[1.0, 3.0, 5.0, 9.0]]), 2, eps=0.0).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    op = "group_norm"
    x, w, b = _arrays.floating(op, *nd.OPTIONAL, input=input, weight=weight, bias=bias)
    p = _group_problem(op, x, num_groups, w, b, eps)
    return nd.forward(op, p, True, *p.statistics(), x, out)


def group_norm_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Gradients:
    """Gradients of `group_norm` with respect to input, weight and bias; see `batch_norm_backward`."""
    op = "group_norm_backward"
    dy, x, w, b = _arrays.floating(op, *nd.OPTIONAL, grad_output=grad_output, input=input, weight=weight, bias=bias)
    p = _group_problem(op, x, num_groups, w, b, eps)
    return nd.backward(op, p, True, *p.statistics(), dy, x, (x.shape[1],))


def _layer_problem(
    op: str, x: Array, normalized_shape: Sequence[int], w: Array | None, b: Array | None, eps: Any
) -> tuple[nd.Problem, tuple[int, ...]]:
    """Rows of the normalised axes are samples with a channel a point."""
    axes = size(op, "normalized_shape", normalized_shape)
    if not axes or x.shape[-len(axes) :] != axes:
        raise ValueError(f"{op}: normalized_shape is {axes}, input has shape {x.shape} (expected its last axes)")
    shape = math.prod(x.shape[: -len(axes)]), math.prod(axes), 1
    return nd.problem(op, shape, 1, x, w, b, eps, axes), axes


def layer_norm(
    input: ArrayLike,
    normalized_shape: Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """``(input - mean) / sqrt(variance + eps) * weight + bias`` over the last axes; J. Ba et al., arXiv:1607.06450.

    Parameters
    ----------
    input : array_like, shape (..., *normalized_shape), float32 or float64
    normalized_shape : sequence of ints
        The axes over which mean and biased variance are taken.
    weight, bias : array_like, shape `normalized_shape`, dtype of `input`, optional
    eps : float
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64 or dtypes that differ, and shapes that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import layer_norm
    >>> layer_norm(np.array([[1.0, 3.0], [5.0, 9.0]]), (2,), eps=0.0).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """
    op = "layer_norm"
    x, w, b = _arrays.floating(op, *nd.OPTIONAL, input=input, weight=weight, bias=bias)
    p, _ = _layer_problem(op, x, normalized_shape, w, b, eps)
    return nd.forward(op, p, True, *p.statistics(), x, out)


def layer_norm_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    normalized_shape: Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Gradients:
    """Gradients of `layer_norm` with respect to input, weight and bias; see `batch_norm_backward`."""
    op = "layer_norm_backward"
    dy, x, w, b = _arrays.floating(op, *nd.OPTIONAL, grad_output=grad_output, input=input, weight=weight, bias=bias)
    p, axes = _layer_problem(op, x, normalized_shape, w, b, eps)
    return nd.backward(op, p, True, *p.statistics(), dy, x, axes)
