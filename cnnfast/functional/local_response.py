"""Local response normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _arrays, _config, _core
from cnnfast._geometry.tuples import integer, number, same_shape

__all__ = ["local_response_norm", "local_response_norm_backward"]

Array = NDArray[Any]
Settings = tuple[int, float, float, float]


def _settings(op: str, x: Array, size: Any, alpha: Any, beta: Any, k: Any) -> Settings:
    if x.ndim < 3:
        raise ValueError(f"{op}: input has shape {x.shape} (expected at least (N, C, L))")
    numbers = number(op, "alpha", alpha), number(op, "beta", beta), number(op, "k", k)
    return integer(op, "size", size, 1 if x.size else None), *numbers


def _view(x: Array) -> Array:
    return x.reshape(x.shape[0], x.shape[1], math.prod(x.shape[2:]))


def local_response_norm(
    input: ArrayLike,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    out: Array | None = None,
) -> Array:
    """``input / (k + alpha / size * sum(input[c']**2))**beta``; A. Krizhevsky et al., NIPS 2012.

    The sum runs over the channels ``c - size // 2 <= c' <= c + (size - 1) // 2`` that exist.

    Parameters
    ----------
    input : array_like, shape (N, C, L, ...), float32 or float64
    size : int
        Number of channels in the sum.
    alpha, beta, k : float
        The base of the power has to be positive.
    out : ndarray, optional

    Returns
    -------
    ndarray, shape and dtype of `input`

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64, fewer than three axes, a size below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import local_response_norm
    >>> local_response_norm(np.ones((1, 2, 1)), 2, alpha=2.0, beta=1.0).round(3).tolist()
    [[[0.5], [0.333]]]
    """
    op = "local_response_norm"
    (x,) = _arrays.floating(op, input=input)
    settings = _settings(op, x, size, alpha, beta, k)
    y = _arrays.target(op, out, x.shape, x.dtype, x)
    if x.size:
        _core.lrn(_config.how(), _view(x), None, *settings, y, None)
    return _arrays.deliver(y, out)


def local_response_norm_backward(
    grad_output: ArrayLike, input: ArrayLike, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """Gradient of `local_response_norm` with respect to the input.

    Raises
    ------
    TypeError, ValueError
        As `local_response_norm`, and if `grad_output` has not the shape of `input`.
    """
    op = "local_response_norm_backward"
    dy, x = _arrays.floating(op, grad_output=grad_output, input=input)
    same_shape(op, "grad_output", dy.shape, x.shape)
    settings = _settings(op, x, size, alpha, beta, k)
    dx: Array = np.empty_like(x)
    if x.size:
        _core.lrn(_config.how(), _view(x), dy, *settings, dx, np.empty_like(x))
    return dx
