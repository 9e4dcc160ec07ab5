"""Activation layers.

``inplace`` is taken as in torch and shown; no array of the caller is ever written to.
"""

from __future__ import annotations

import math

from cnnfast.layers.layer import Layer
from cnnfast.layers.module import Array


class _Rectifier(Layer):
    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return ``inplace=True`` if it is."""
        return "inplace=True" if self.inplace else ""


class _Clamp(_Rectifier):
    """A rectifier whose output says what its gradient is, so that the input need not be kept."""

    def _kept(self, input: Array, output: Array) -> Array:
        return output


class ReLU(_Clamp):
    """max(x, 0).

    Examples
    --------
    >>> import numpy as np
    >>> relu = ReLU()
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    >>> relu.backward(np.array([5.0, 5.0]))
    array([0., 5.])
    """

    _op, _clamp = "relu", (0.0, math.inf)


class ReLU6(_Clamp):
    """min(max(x, 0), 6).

    Examples
    --------
    >>> import numpy as np
    >>> ReLU6()(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """

    _op, _clamp = "relu6", (0.0, 6.0)


class SiLU(_Rectifier):
    """x sigmoid(x).

    Examples
    --------
    >>> import numpy as np
    >>> SiLU()(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.731])
    """

    _op = "silu"


class LeakyReLU(_Rectifier):
    """x if x > 0, else x times ``negative_slope``.

    Examples
    --------
    >>> import numpy as np
    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    _op, _arguments = "leaky_relu", ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def extra_repr(self) -> str:
        """Return the slope, and ``inplace=True`` if it is."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class Sigmoid(Layer):
    """1 / (1 + exp(-x)).

    Examples
    --------
    >>> import numpy as np
    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    _op = "sigmoid"


class Tanh(Layer):
    """Hyperbolic tangent.

    Examples
    --------
    >>> import numpy as np
    >>> Tanh()(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.762])
    """

    _op = "tanh"


class GELU(Layer):
    """x Phi(x), with Phi the distribution function of the normal distribution.

    Parameters
    ----------
    approximate : {'none', 'tanh'}, optional
        'tanh' takes Phi(x) = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, as in Hendrycks and
        Gimpel, arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> GELU()(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.841])
    """

    _op, _arguments, _shown = "gelu", ("approximate",), ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate


class _Softmax(Layer):
    _arguments = _shown = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim


class Softmax(_Softmax):
    """exp(x) / sum(exp(x)) over the axis ``dim``; None as in `cnnfast.functional.softmax`.

    Examples
    --------
    >>> import numpy as np
    >>> Softmax(1)(np.zeros((1, 4)))
    array([[0.25, 0.25, 0.25, 0.25]])
    """

    _op = "softmax"


class LogSoftmax(_Softmax):
    """Logarithm of `Softmax`, without its loss of small values.

    Examples
    --------
    >>> import numpy as np
    >>> LogSoftmax(1)(np.zeros((1, 4))).round(3)
    array([[-1.386, -1.386, -1.386, -1.386]])
    """

    _op = "log_softmax"
