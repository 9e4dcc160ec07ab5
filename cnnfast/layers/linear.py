"""Fully connected layer, and the layers that only reshape or pass on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast.functional import _fused
from cnnfast.layers._fusion import Tail, is_ours
from cnnfast.layers.layer import WeightedLayer
from cnnfast.layers.module import Array, Module


class Linear(WeightedLayer):
    """Fully connected layer, y = x W^T + b, over the last axis.

    Parameters
    ----------
    in_features, out_features : int
        Size of the last axis of the input and of the output.
    bias : bool, optional
        Whether there is a ``bias`` parameter.
    dtype : {float32, float64}, optional
        Of the parameters, and so of all arrays.

    Attributes
    ----------
    weight : Parameter of shape (out_features, in_features)
    bias : Parameter of shape (out_features,), or None
        Both start uniform in (-b, b), b = in_features ** -0.5.

    Examples
    --------
    >>> layer = Linear(6, 2)
    >>> layer
    Linear(in_features=6, out_features=2, bias=True)
    >>> layer(np.zeros((4, 6), np.float32)).shape
    (4, 2)
    """

    _op, _hosts_clamp = "linear", True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.in_features, self.out_features = in_features, out_features
        self._learn((out_features, in_features), out_features if bias else None, dtype)

    def _compute(self, input: Array, keywords: dict[str, Any], tail: Tail) -> Array:
        return _fused.linear(input, *self._values(), *tail)

    def extra_repr(self) -> str:
        """Return the sizes, and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Flatten(Module):
    """Merge the axes from ``start_dim`` to ``end_dim`` into one; by default all but the batch.

    Parameters
    ----------
    start_dim, end_dim : int, optional
        The first and the last of them; negative ones count from the end.

    Raises
    ------
    ValueError
        In the call, if the input has no such axes.

    Examples
    --------
    >>> Flatten()(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    _shown = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return a view of ``input`` with fewer axes (a copy where the layout forbids it)."""
        output = self._infer(input)
        self._saved = np.shape(input)
        return output

    def _infer(self, input: npt.ArrayLike) -> Array:
        input = np.asarray(input)
        shape = input.shape or (1,)
        start, end = (dim + len(shape) * (dim < 0) for dim in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < len(shape):
            raise ValueError(
                f"Flatten: input has {input.ndim} dimensions "
                f"(expected start_dim {self.start_dim} <= end_dim {self.end_dim} among them)"
            )
        return input.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])

    def _is_fixed(self) -> bool:
        return not self.training and is_ours(self)

    def backward(self, grad_output: npt.ArrayLike, input_grad: bool = True) -> Array | None:
        """Return the gradient in the shape of the input, or None."""
        shape = self._recall()
        return np.asarray(grad_output).reshape(shape) if input_grad else None


class Identity(Module):
    """Pass the input on, and the gradient; takes and ignores any arguments.

    Examples
    --------
    >>> Identity()(np.ones(2))
    array([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return ``input``."""
        self._saved = ()
        return np.asarray(input)

    def _infer(self, input: npt.ArrayLike) -> Array:
        return np.asarray(input)

    def _is_fixed(self) -> bool:
        return not self.training and is_ours(self)

    def backward(self, grad_output: npt.ArrayLike, input_grad: bool = True) -> Array | None:
        """Return ``grad_output``, or None."""
        self._recall()
        return np.asarray(grad_output) if input_grad else None
