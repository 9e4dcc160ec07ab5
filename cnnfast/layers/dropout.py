"""Dropout layers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnfast import _random
from cnnfast.functional import _fused
from cnnfast.layers.layer import Layer
from cnnfast.layers.module import Array


class Dropout(Layer):
    """In training, zero each element with probability ``p`` and divide the others by 1 - p.

    Parameters
    ----------
    p : float, optional
        Probability of a zero (Srivastava et al. 2014).
    inplace : bool, optional
        Taken as in torch and shown; the caller's array is never written to.

    Raises
    ------
    ValueError
        If ``p`` is not in [0, 1].

    Examples
    --------
    >>> layer = Dropout(1.0)
    >>> layer(np.ones(2)), layer.eval()(np.ones(2))
    (array([0., 0.]), array([1., 1.]))
    """

    _op, _shown = "dropout", ("p", "inplace")

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p is {p} (expected 0 to 1)")
        self.p, self.inplace = p, inplace

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return ``input`` with zeros, those that `cnnfast.manual_seed` determines."""
        input = np.asarray(input)
        output: Array
        if self.training and self._op == "dropout" and self.p < 1:
            output, kept = _fused.dropout(input, self.p, _random.seed())
            self._save(self.p, output.shape, kept)
            return output
        seed = _random.seed() if self.training else 0
        output = self._apply(input, self.p, self.training, seed=seed)
        self._save(p=self.p if self.training else 0.0, seed=seed)
        return output

    def backward(self, grad_output: npt.ArrayLike, input_grad: bool = True) -> Array | None:
        """Return the gradient of the input, or None; see `Module.backward`."""
        arrays = self._recall().arrays
        if input_grad and arrays:
            return _fused.dropout_backward(grad_output, *arrays)
        return super().backward(grad_output, input_grad)

    def _infer(self, input: npt.ArrayLike) -> Array:
        return np.asarray(input)


class Dropout1d(Dropout):
    """In training, zero whole channels of (N, C, L) or (C, L); see `Dropout`.

    Examples
    --------
    >>> layer = Dropout1d(0.5)
    >>> y = layer(np.ones((2, 3, 4)))
    >>> bool(np.all(y == y[:, :, :1]))
    True
    """

    _op = "dropout1d"


class Dropout2d(Dropout):
    """In training, zero whole channels of (N, C, H, W); see `Dropout` (Tompson et al. 2015).

    Examples
    --------
    >>> Dropout2d()
    Dropout2d(p=0.5, inplace=False)
    """

    _op = "dropout2d"


class Dropout3d(Dropout):
    """In training, zero whole channels of (N, C, D, H, W) or (C, D, H, W); see `Dropout`.

    Examples
    --------
    >>> Dropout3d(0.2)
    Dropout3d(p=0.2, inplace=False)
    """

    _op = "dropout3d"
