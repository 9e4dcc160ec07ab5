"""Pooling and unpooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnfast._geometry.tuples import IntOrTuple, Ints, ints
from cnnfast.functional import _fused
from cnnfast.layers.layer import Layer
from cnnfast.layers.module import Array

AdaptiveSize = int | None | Sequence[int | None]


class _MaxLayer(Layer):
    """A maximum with ``return_indices``; the indices also carry the gradient."""

    return_indices: bool

    def forward(self, input: npt.ArrayLike) -> Any:
        """Return the maxima of ``input``, (N, C, ...) or (C, ...); if asked for also where."""
        input, keywords = np.asarray(input), self._keywords()
        output, indices = self._apply(input, **keywords, return_indices=True)
        self._save(indices, input.shape, **keywords)
        return (output, indices) if self.return_indices else output

    def _infer(self, input: npt.ArrayLike) -> Any:
        return self._apply(np.asarray(input), **self._keywords(), return_indices=self.return_indices)


class _Placed(NamedTuple):
    """Where maxima were, the shape of the input, and the windows: arguments from kernel_size to ceil_mode."""

    places: Array
    shape: Ints
    windows: tuple[Any, ...]


class _MaxPool(_MaxLayer):
    _arguments = _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: IntOrTuple,
        stride: IntOrTuple | None = None,
        padding: IntOrTuple = 0,
        dilation: IntOrTuple = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: npt.ArrayLike) -> Any:
        """Return the maxima of ``input``, (N, C, ...) or (C, ...); if asked for also where."""
        if self.return_indices:
            return super().forward(input)
        input, windows = np.asarray(input), tuple(self._keywords().values())
        output, places = _fused.max_pool(self._op, input, windows)
        vars(self)["_saved"] = _Placed(places, input.shape, windows)
        return output

    def _differentiate(self, grad_output: npt.ArrayLike, **keywords: Any) -> Any:
        saved = self._recall()
        if isinstance(saved, _Placed):
            return _fused.max_pool_backward(f"{self._op}_backward", grad_output, *saved)
        return super()._differentiate(grad_output, **keywords)


class MaxPool1d(_MaxPool):
    """Maximum over windows of (N, C, L) or (C, L); see `MaxPool2d`.

    Examples
    --------
    >>> MaxPool1d(2)(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[3., 2.]])
    """

    _op = "max_pool1d"


class MaxPool2d(_MaxPool):
    """Maximum over windows of (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or sequence of int, optional
        Extent, step, border and spacing of the window; the step is its extent unless given.
    return_indices : bool, optional
        Whether a call returns ``(output, indices)``, for `MaxUnpool2d`.
    ceil_mode : bool, optional
        Whether a window may hang over the high end.

    Examples
    --------
    >>> pool = MaxPool2d(2, return_indices=True)
    >>> pool
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    >>> y, indices = pool(np.array([[[1.0, 2.0], [4.0, 3.0]]]))
    >>> y, indices
    (array([[[4.]]]), array([[[2]]]))
    >>> pool.backward(np.array([[[7.0]]]))
    array([[[0., 0.],
            [7., 0.]]])
    """

    _op = "max_pool2d"


class MaxPool3d(_MaxPool):
    """Maximum over windows of (N, C, D, H, W) or (C, D, H, W); see `MaxPool2d`.

    Examples
    --------
    >>> MaxPool3d(2)(np.zeros((1, 4, 4, 4))).shape
    (1, 2, 2, 2)
    """

    _op = "max_pool3d"


class _AvgPool(Layer):
    _arguments: ClassVar[tuple[str, ...]] = (
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
        "divisor_override",
    )
    _shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: IntOrTuple,
        stride: IntOrTuple | None = None,
        padding: IntOrTuple = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def _kept(self, input: Array, output: Array) -> Ints:
        return input.shape


class AvgPool1d(_AvgPool):
    """Mean over windows of (N, C, L) or (C, L); see `AvgPool2d`.

    Examples
    --------
    >>> AvgPool1d(2)(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[2., 1.]])
    """

    _op, _arguments = "avg_pool1d", _AvgPool._arguments[:-1]

    def __init__(
        self,
        kernel_size: IntOrTuple,
        stride: IntOrTuple | None = None,
        padding: IntOrTuple = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        window = ints("AvgPool1d", "kernel_size", kernel_size, 1, 1)
        step = window if stride in (None, ()) else ints("AvgPool1d", "stride", stride, 1, 1)
        border = ints("AvgPool1d", "padding", padding, 1, 0)
        super().__init__(window, step, border, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """Mean over windows of (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    kernel_size, stride, padding : int or sequence of int, optional
        Extent, step and border of the window; the step is its extent unless given.
    ceil_mode : bool, optional
        Whether a window may hang over the high end.
    count_include_pad : bool, optional
        Whether the border counts as elements of the window.
    divisor_override : int, optional
        What the sum is divided by, in place of the number of elements.

    Examples
    --------
    >>> pool = AvgPool2d(2)
    >>> pool(np.array([[[1.0, 2.0], [4.0, 3.0]]]))
    array([[[2.5]]])
    >>> pool.backward(np.array([[[4.0]]]))
    array([[[1., 1.],
            [1., 1.]]])
    """

    _op = "avg_pool2d"


class AvgPool3d(_AvgPool):
    """Mean over windows of (N, C, D, H, W) or (C, D, H, W); see `AvgPool2d`.

    Examples
    --------
    >>> AvgPool3d(2)(np.zeros((1, 4, 4, 4))).shape
    (1, 2, 2, 2)
    """

    _op = "avg_pool3d"


class _AdaptiveAvgPool(Layer):
    _arguments = _shown = ("output_size",)

    def __init__(self, output_size: AdaptiveSize) -> None:
        self.output_size = output_size

    def _kept(self, input: Array, output: Array) -> Ints:
        return input.shape


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Mean over ``output_size`` windows that cover (N, C, L) or (C, L); see `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> AdaptiveAvgPool1d(2)(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[2., 1.]])
    """

    _op = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Mean over the windows that divide (N, C, H, W) or (C, H, W) into ``output_size``.

    Parameters
    ----------
    output_size : int, None, or a sequence of them
        Size of the output, for all axes or for each; None keeps that of the input.

    Examples
    --------
    >>> AdaptiveAvgPool2d((1, None))(np.zeros((2, 3, 5, 7))).shape
    (2, 3, 1, 7)
    """

    _op = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Mean over windows that cover (N, C, D, H, W) or (C, D, H, W); see `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> AdaptiveAvgPool3d(1)(np.zeros((2, 3, 4, 4, 4))).shape
    (2, 3, 1, 1, 1)
    """

    _op = "adaptive_avg_pool3d"


class _AdaptiveMaxPool(_MaxLayer):
    _arguments = _shown = ("output_size",)

    def __init__(self, output_size: AdaptiveSize, return_indices: bool = False) -> None:
        self.output_size, self.return_indices = output_size, return_indices


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Maximum over ``output_size`` windows that cover (N, C, L) or (C, L).

    Examples
    --------
    >>> AdaptiveMaxPool1d(2)(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[3., 2.]])
    """

    _op = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Maximum over the windows that divide (N, C, H, W) or (C, H, W) into ``output_size``.

    Parameters
    ----------
    output_size : int, None, or a sequence of them
        Size of the output, for all axes or for each; None keeps that of the input.
    return_indices : bool, optional
        Whether a call returns ``(output, indices)``.

    Examples
    --------
    >>> AdaptiveMaxPool2d(1)(np.array([[[1.0, 2.0], [4.0, 3.0]]]))
    array([[[4.]]])
    """

    _op = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Maximum over windows that cover (N, C, D, H, W) or (C, D, H, W); see `AdaptiveMaxPool2d`.

    Examples
    --------
    >>> AdaptiveMaxPool3d(1)(np.zeros((2, 3, 4, 4, 4))).shape
    (2, 3, 1, 1, 1)
    """

    _op = "adaptive_max_pool3d"


class _MaxUnpool(Layer):
    _rank: ClassVar[int]
    _arguments = _shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: IntOrTuple, stride: IntOrTuple | None = None, padding: IntOrTuple = 0) -> None:
        name, rank = type(self).__name__, self._rank
        self.kernel_size = ints(name, "kernel_size", kernel_size, rank, 1)
        self.stride = self.kernel_size if stride is None else ints(name, "stride", stride, rank, 1)
        self.padding = ints(name, "padding", padding, rank, 0)

    def forward(  # type: ignore[override]
        self,
        input: npt.ArrayLike,
        indices: npt.ArrayLike,
        output_size: Sequence[int] | None = None,
    ) -> Array:
        """Return zeros, with ``input`` at the ``indices`` that a max pool returned."""
        keywords = {**self._keywords(), "output_size": output_size}
        output: Array = self._apply(input, indices, **keywords)
        self._save(indices, **keywords)
        return output


class MaxUnpool1d(_MaxUnpool):
    """Put maxima back in their places in (N, C, L) or (C, L); see `MaxUnpool2d`.

    Examples
    --------
    >>> MaxUnpool1d(2)(np.array([[3.0, 2.0]]), np.array([[1, 2]]))
    array([[0., 3., 2., 0.]])
    """

    _op, _rank = "max_unpool1d", 1


class MaxUnpool2d(_MaxUnpool):
    """Put the maxima of `MaxPool2d` back in their places, with zeros around.

    Parameters
    ----------
    kernel_size, stride, padding : int or sequence of int, optional
        Those of the pooling.

    Examples
    --------
    >>> MaxUnpool2d(2)(np.array([[[4.0]]]), np.array([[[2]]]))
    array([[[0., 0.],
            [4., 0.]]])
    """

    _op, _rank = "max_unpool2d", 2


class MaxUnpool3d(_MaxUnpool):
    """Put maxima back in their places in (N, C, D, H, W) or (C, D, H, W); see `MaxUnpool2d`.

    Examples
    --------
    >>> y = MaxUnpool3d(2)(np.full((1, 1, 1, 1), 5.0), np.full((1, 1, 1, 1), 7))
    >>> y.shape, float(y[0, 1, 1, 1])
    ((1, 2, 2, 2), 5.0)
    """

    _op, _rank = "max_unpool3d", 3
