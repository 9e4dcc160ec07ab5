"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast.functional import _cross_entropy
from cnnfast.layers.layer import Layer
from cnnfast.layers.module import Array


class CrossEntropyLoss(Layer):
    """Mean over all targets of -log(softmax(logits)[target]).

    Parameters
    ----------
    weight : array_like of shape (C,), optional
        Weight of each class, also in the mean; converted to the dtype of the logits.
    ignore_index : int, optional
        A target that does not count.
    reduction : {'mean', 'sum', 'none'}, optional
        'none' gives the array of all losses.
    label_smoothing : float, optional
        How much of each target is spread over all classes (Szegedy et al. 2016).

    Examples
    --------
    >>> loss = CrossEntropyLoss()
    >>> loss(np.zeros((2, 4)), np.array([1, 3]))
    1.3862943611198906
    >>> loss.backward()
    array([[ 0.125, -0.375,  0.125,  0.125],
           [ 0.125,  0.125,  0.125, -0.375]])
    """

    _op = "cross_entropy"
    _arguments = ("weight", "ignore_index", "reduction", "label_smoothing")
    weight: Array | None

    def __init__(
        self,
        weight: npt.ArrayLike | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.register_buffer("weight", None if weight is None else np.array(weight))
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: npt.ArrayLike, target: npt.ArrayLike) -> Any:  # type: ignore[override]
        """Return the loss: a float, or with reduction 'none' an array.

        Parameters
        ----------
        input : array_like of shape (N, C), (N, C, d1, ...) or (C,)
            The logits.
        target : array_like of int, of the shape of ``input`` without C, or class probabilities
        """
        input = np.asarray(input)
        weight = None if self.weight is None else self.weight.astype(input.dtype)
        arguments = weight, self.ignore_index, self.reduction, self.label_smoothing
        problem = _cross_entropy.problem(self._op, input, target, *arguments)
        loss = _cross_entropy.loss(self._op, problem, self.reduction)
        self._save(problem, self.reduction)
        return loss if self.reduction == "none" else float(loss)

    def backward(self, grad_output: npt.ArrayLike = 1.0, input_grad: bool = True) -> Any:
        """Return the gradient of the logits; with reduction 'none', ``grad_output`` is needed."""
        problem, reduction = self._recall().arrays
        grad = np.asarray(grad_output, problem.logits.dtype)
        return _cross_entropy.gradient(f"{self._op}_backward", problem, reduction, grad) if input_grad else None
