"""Convolution and transposed convolution layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnfast._geometry.convolution import paddings
from cnnfast._geometry.tuples import IntOrTuple, Ints, check_rank, ints
from cnnfast.functional import _fused
from cnnfast.functional._convolution import Prepared
from cnnfast.layers._fusion import Tail
from cnnfast.layers._padding import MODES, pad, pad_backward
from cnnfast.layers.layer import WeightedLayer
from cnnfast.layers.module import Array

# For which a layer keeps its weight prepared; a service meets a few shapes again and again.
_PROBLEMS_KEPT = 8


class _ConvBase(WeightedLayer):
    """The attributes, checks and repr of both directions."""

    _rank: ClassVar[int]
    _hosts_norm = _hosts_clamp = True

    def _configure(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTuple,
        stride: IntOrTuple,
        padding: Any,
        dilation: IntOrTuple,
        output_padding: IntOrTuple,
        groups: int,
        padding_mode: str,
    ) -> None:
        name, rank = type(self).__name__, self._rank
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: {groups} groups do not divide {in_channels} input and {out_channels} output channels"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = ints(name, "kernel_size", kernel_size, rank, 1)
        self.stride = ints(name, "stride", stride, rank, 1)
        self.dilation = ints(name, "dilation", dilation, rank, 1)
        self.output_padding = ints(name, "output_padding", output_padding, rank, 0)
        self.padding_mode = padding_mode
        self.padding = tuple(padding) if isinstance(padding, list) else padding
        pads = self._pads()
        if not isinstance(padding, str):
            symmetric = all(low == high for low, high in pads)
            self.padding = tuple(low for low, _ in pads) if symmetric else tuple(pads)

    def _pads(self) -> list[tuple[int, int]]:
        """Return the (low, high) padding of each axis, unless it depends on the input's size."""
        name, any_size = type(self).__name__, self.kernel_size
        low, high = paddings(name, self.padding, any_size, self.kernel_size, self.stride, self.dilation)
        return list(zip(low, high, strict=True))

    def _compute(self, input: Array, keywords: dict[str, Any], tail: Tail, norm: Array | None = None) -> Array:
        windows = tuple(keywords.values())
        op = None if self.training else self._prepared_op(windows)
        if op is None:
            return _fused.convolution(self._op, input, *self._values(), windows, norm, *tail)
        output: Array = op((input, self._values()[1], norm, tail.residual), (tail.clamp,))
        return output

    def _prepared_op(self, windows: tuple[Any, ...]) -> Prepared | None:
        """Return an op that has the weight prepared, unless somebody may change the weight at any time."""
        weight = self.weight
        if weight is None or not weight._is_held_here_alone():
            vars(self).pop("_prepared", None)
            return None
        key = weight, weight._handed_out, windows
        kept: tuple[Any, Prepared] | None = vars(self).get("_prepared")
        if kept is None or kept[0] != key or kept[1].problems >= _PROBLEMS_KEPT:
            kept = vars(self)["_prepared"] = key, Prepared(self._op, lambda: weight._data, windows)
        return kept[1]

    def _infer_normalised(self, input: npt.ArrayLike, norm: Array, tail: Tail) -> Array:
        """Return what this layer, a batch norm with these rows, and a tail make of ``input``; keep nothing."""
        return self._compute(*self._prepare(input), tail, norm)

    def _gradients(self, grad_output: npt.ArrayLike, input_grad: bool) -> Any:
        mask = (input_grad, True, self.bias is not None)
        return self._differentiate(grad_output, output_mask=mask)

    def extra_repr(self) -> str:
        """Return the arguments; those of rarer use only where they are not the default."""
        zeros, ones = (0,) * self._rank, (1,) * self._rank
        rarer = [
            ("padding", self.padding, zeros),
            ("dilation", self.dilation, ones),
            ("output_padding", self.output_padding, zeros),
            ("groups", self.groups, 1),
            ("bias", self.bias is not None, True),
            ("padding_mode", self.padding_mode, "zeros"),
        ]
        shown = [f", {name}={value}" for name, value, usual in rarer if value != usual]
        if "_prepared" in vars(self):
            shown.append(f", prepared={vars(self)['_prepared'][1].nbytes / 1e6:.2f} MB")
        return (
            f"{self.in_channels}, {self.out_channels}, "
            f"kernel_size={self.kernel_size}, stride={self.stride}{''.join(shown)}"
        )


class _Conv(_ConvBase):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTuple,
        stride: IntOrTuple = 1,
        padding: Any = 0,
        dilation: IntOrTuple = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        if padding_mode not in ("zeros", *MODES):
            raise ValueError(
                f"{name}: padding_mode is {padding_mode!r} (expected 'zeros', 'reflect', 'replicate' or 'circular')"
            )
        self._configure(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            padding_mode,
        )
        if padding_mode != "zeros" and self.padding == "same" and max(self.stride) > 1:
            raise ValueError(f"{name}: padding='same' with a stride needs padding_mode='zeros'")
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self._learn(shape, out_channels if bias else None, dtype)

    def _prepare(self, input: npt.ArrayLike) -> tuple[Array, dict[str, Any]]:
        input, padding = np.asarray(input), self.padding
        if self.padding_mode != "zeros":
            name = type(self).__name__
            check_rank(name, "input", input.shape, self._rank)
            input, padding = pad(name, input, self._pads(), self.padding_mode), 0
        windows = {"stride": self.stride, "padding": padding, "dilation": self.dilation, "groups": self.groups}
        return input, windows

    def _input_gradient(self, gradient: Array) -> Array:
        if self.padding_mode == "zeros":
            return gradient
        return pad_backward(gradient, self._pads(), self.padding_mode)


class Conv1d(_Conv):
    """Convolution of (N, C, L) or (C, L); see `Conv2d`.

    Examples
    --------
    >>> Conv1d(2, 4, 3, stride=2)(np.zeros((1, 2, 9), np.float32)).shape
    (1, 4, 4)
    """

    _op, _rank = "conv1d", 1


class Conv2d(_Conv):
    """Convolution of (N, C, H, W) or (C, H, W) with learnt filters and bias.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and of the output; ``groups`` divides both.
    kernel_size, stride, dilation : int or sequence of int, optional
        Extent, step and spacing of the filter, for all axes or for each.
    padding : int, sequence of int, sequence of (low, high), 'same' or 'valid', optional
        Elements added around the input, as in `cnnfast.functional.conv2d`.
    groups : int, optional
        Number of groups of channels that do not see each other.
    bias : bool, optional
        Whether there is a ``bias`` parameter.
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}, optional
        What the padding is filled with.
    dtype : {float32, float64}, optional
        Of the parameters, and so of all arrays.

    Attributes
    ----------
    weight : Parameter of shape (out_channels, in_channels / groups, *kernel_size)
    bias : Parameter of shape (out_channels,), or None
        Both start uniform in (-b, b), b = (in_channels / groups * kernel elements) ** -0.5.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong type.

    Notes
    -----
    In evaluation the layer keeps the weight as the kernels read it, for each of a few shapes of inputs; `repr` tells
    how much memory that takes. It makes that anew after anybody asked for ``weight.data`` or assigned it, and keeps
    nothing in training, or while anybody else holds the array or a view of it, which may change at any time. What
    writes to its memory behind NumPy's back, by an address, is not noticed.

    Examples
    --------
    >>> layer = Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
    >>> layer(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 8, 6, 6)
    >>> layer.backward(np.ones((2, 8, 6, 6), np.float32)).shape
    (2, 3, 6, 6)
    >>> layer.weight.grad.shape
    (8, 3, 3, 3)
    """

    _op, _rank = "conv2d", 2


class Conv3d(_Conv):
    """Convolution of (N, C, D, H, W) or (C, D, H, W); see `Conv2d`.

    Examples
    --------
    >>> Conv3d(1, 2, 3, padding="same")(np.zeros((1, 4, 4, 4), np.float32)).shape
    (2, 4, 4, 4)
    """

    _op, _rank = "conv3d", 3


class _ConvTranspose(_ConvBase):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTuple,
        stride: IntOrTuple = 1,
        padding: Any = 0,
        output_padding: IntOrTuple = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntOrTuple = 1,
        padding_mode: str = "zeros",
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ValueError(f"{name}: padding_mode is {padding_mode!r} (expected 'zeros')")
        if isinstance(padding, str):
            raise TypeError(f"{name}: padding is {padding!r} (expected ints)")
        self._configure(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            padding_mode,
        )
        shape = (in_channels, out_channels // groups, *self.kernel_size)
        self._learn(shape, out_channels if bias else None, dtype)

    def forward(self, input: npt.ArrayLike, output_size: Sequence[int] | None = None) -> Array:
        """Return the transposed convolution of ``input``, (N, C, ...) or (C, ...).

        ``output_size``, the spatial or the whole shape wanted, replaces ``output_padding``.
        """
        input, windows = self._prepare(input)
        if output_size is not None:
            windows["output_padding"] = self._output_padding(input.shape, tuple(output_size))
        return self._run(input, windows, None)

    def _prepare(self, input: npt.ArrayLike) -> tuple[Array, dict[str, Any]]:
        return np.asarray(input), {
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "groups": self.groups,
            "dilation": self.dilation,
        }

    def _output_padding(self, shape: Ints, wanted: Ints) -> Ints:
        """Return the ``output_padding`` that turns an input of ``shape`` into the size wanted."""
        name, rank = type(self).__name__, self._rank
        check_rank(name, "input", shape, rank)
        if len(wanted) not in (rank, len(shape)):
            raise ValueError(f"{name}: output_size is {wanted} (expected {rank} or {len(shape)} elements)")
        axes = zip(
            *(shape[-rank:], self.kernel_size, self.stride, self.dilation, self._pads()),
            strict=True,
        )
        least = tuple((n - 1) * s + d * (k - 1) + 1 - sum(pads) for n, k, s, d, pads in axes)
        extra = tuple(w - size for w, size in zip(wanted[-rank:], least, strict=True))
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = tuple(size + s - 1 for size, s in zip(least, self.stride, strict=True))
            raise ValueError(f"{name}: output_size is {wanted} (expected {least} to {most})")
        return extra


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of (N, C, L) or (C, L); see `ConvTranspose2d`.

    Examples
    --------
    >>> ConvTranspose1d(4, 2, 3, stride=2)(np.zeros((1, 4, 4), np.float32)).shape
    (1, 2, 9)
    """

    _op, _rank = "conv_transpose1d", 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of (N, C, H, W) or (C, H, W): what `Conv2d` does to a gradient.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, groups, bias, dilation, dtype
        As in `Conv2d`.
    padding : int, sequence of int or sequence of (low, high), optional
        Elements cut off around the output.
    output_padding : int or sequence of int, optional
        Elements added at the high end of the output, to choose among the sizes that a convolution
        of this stride maps to the size of the input. ``layer(x, output_size=...)`` works it out.
    padding_mode : 'zeros', optional

    Attributes
    ----------
    weight : Parameter of shape (in_channels, out_channels / groups, *kernel_size)
    bias : Parameter of shape (out_channels,), or None

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong type.

    Examples
    --------
    >>> layer = ConvTranspose2d(8, 3, 3, stride=2)
    >>> x = np.zeros((2, 8, 4, 4), np.float32)
    >>> layer(x).shape, layer(x, output_size=(10, 10)).shape
    ((2, 3, 9, 9), (2, 3, 10, 10))
    """

    _op, _rank = "conv_transpose2d", 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of (N, C, D, H, W) or (C, D, H, W); see `ConvTranspose2d`.

    Examples
    --------
    >>> ConvTranspose3d(2, 1, 2, stride=2)(np.zeros((1, 2, 3, 3, 3), np.float32)).shape
    (1, 1, 6, 6, 6)
    """

    _op, _rank = "conv_transpose3d", 3
