"""Fully connected layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfast import _core
from cnnfast._geometry.tuples import same_shape
from cnnfast.functional._op import Op, Settings

__all__ = ["linear", "linear_backward"]

Array = NDArray[Any]
Shape = tuple[int, ...]


def _check(op: str, x: Shape, weight: Shape, bias: Shape | None) -> Shape:
    """Shape of the output."""
    if len(weight) not in (1, 2):
        raise ValueError(f"{op}: weight has shape {weight} (expected (out, in) or (in,))")
    if not x or x[-1] != weight[-1]:
        raise ValueError(
            f"{op}: weight takes {weight[-1]} features, input has shape {x} (expected input.shape[-1] == {weight[-1]})"
        )
    shape = (*x[:-1], *weight[:-1])
    if bias is None:
        return shape
    if len(weight) == 1 and shape:
        raise ValueError(f"{op}: bias is given, weight has shape {weight} (expected none)")
    if len(bias) > len(shape) or any(b not in (1, s) for b, s in zip(bias[::-1], shape[::-1], strict=False)):
        raise ValueError(f"{op}: bias has shape {bias} (expected what broadcasts to {shape})")
    return shape


def _linear(how: Settings, x: Shape, weight: Shape, bias: Shape | None, *clamp: tuple[float, float]) -> _core.Plan:
    shape = _check("linear", x, weight, bias)
    rows, outputs = math.prod(x[:-1]), math.prod(weight[:-1])
    product = _core.GemmPlan(shape, rows, outputs, x[-1], *how, False, True, *clamp)
    return product if bias in (None, (outputs,)) else _core.Plus(product)


def _linear_backward(how: Settings, dy: Shape, x: Shape, weight: Shape) -> _core.Plan:
    op = "linear_backward"
    same_shape(op, "grad_output", dy, _check(op, x, weight, None))
    rows, outputs, features = math.prod(x[:-1]), math.prod(weight[:-1]), x[-1]
    ones = np.ones(rows, np.float64 if how[2] else np.float32)
    return _core.Several(
        (_core.GemmPlan(x, rows, features, outputs, *how), (0, 2)),
        (_core.GemmPlan(weight, outputs, features, rows, *how, transpose_a=True), (0, 1)),
        (_core.Bound(_core.GemmPlan(weight[:-1], 1, outputs, rows, *how), ones), (0,)),
    )


LINEAR = Op("linear", _linear, "input", "weight", "bias?")
_LINEAR_BACKWARD = Op("linear_backward", _linear_backward, "grad_output", "input", "weight")


def linear(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, out: Array | None = None) -> Array:
    """``input @ weight.T + bias``.

    Parameters
    ----------
    input : array_like, shape (..., in), float32 or float64
    weight : array_like, shape (out, in) or (in,), dtype of `input`
    bias : array_like, shape (out,) or what broadcasts to the output, optional
    out : ndarray, optional

    Returns
    -------
    ndarray, shape (..., out) or (...)

    Raises
    ------
    TypeError, ValueError
        For dtypes other than float32 and float64 or dtypes that differ, and for shapes that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import linear
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.0, 1.0])).tolist()
    [[11.0, 18.0]]
    """
    return LINEAR((input, weight, bias), (), out)


def linear_backward(grad_output: ArrayLike, input: ArrayLike, weight: ArrayLike) -> tuple[Array, Array, Array]:
    """Gradients of `linear` with respect to input, weight and bias.

    Parameters
    ----------
    grad_output : array_like, shape of the output of `linear`
    input, weight : array_like, as in `linear`

    Returns
    -------
    (grad_input, grad_weight, grad_bias)

    Raises
    ------
    TypeError, ValueError
        As `linear`, and if `grad_output` has not the shape of its output.
    """
    return _LINEAR_BACKWARD((grad_output, input, weight), ())
