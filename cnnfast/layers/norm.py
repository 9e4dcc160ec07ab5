"""Batch normalisation layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnfast.functional import _fused
from cnnfast.functional._fused import NO_CLAMP
from cnnfast.layers._fusion import NOTHING, Tail
from cnnfast.layers.layer import WeightedLayer
from cnnfast.layers.module import Array


class _BatchNorm(WeightedLayer):
    _op, _is_norm, _hosts_clamp = "batch_norm", True, True
    _ranks: ClassVar[tuple[int, ...]]
    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = self.bias = None
        dtype = np.dtype(np.float32 if dtype is None else dtype)
        if affine:
            self._learn((num_features,), num_features if bias else None, dtype)
        tracked = (np.zeros(num_features, dtype), np.ones(num_features, dtype), np.array(0))
        names = ("running_mean", "running_var", "num_batches_tracked")
        for name, array in zip(names, tracked, strict=True):
            self.register_buffer(name, array if track_running_stats else None)

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                parameter.data.fill(value)

    def _run(self, input: Array, keywords: dict[str, Any], rectifier: Any) -> Array:
        """Return ``input``, normalised over all axes but the channels, scaled and shifted."""
        clamp = NO_CLAMP if rectifier is None else rectifier._clamp
        output, kept = _fused.batch_norm(self._op, input, **self._arguments_of(input), clamp=clamp)
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        self._save(kept)
        return output

    def _infer(self, input: npt.ArrayLike, tail: Tail = NOTHING) -> Array:
        return self._normalise(np.asarray(input), tail, None)

    def _finish(self, input: Array, tail: Tail) -> Array:
        """Normalise in place an array that nobody else holds."""
        return self._normalise(input, tail, input)

    def _rows_for(self, host: Any) -> Array | None:
        """Return what evaluation needs to run with a convolution, or None if it cannot."""
        mean, variance, values = self.running_mean, self.running_var, self._values()
        shape, dtype = (host.out_channels,), host.weight._data.dtype
        given = [array for array in (mean, variance, *values) if array is not None]
        if mean is None or variance is None or any(a.shape != shape or a.dtype != dtype for a in given):
            return None
        return _fused.norm_rows(mean, variance, *values, self.eps)

    def _normalise(self, input: Array, tail: Tail, out: Array | None) -> Array:
        arguments = self._arguments_of(input)
        output, _ = _fused.batch_norm(self._op, input, **arguments, out=out, residual=tail.residual, clamp=tail.clamp)
        return output

    def _arguments_of(self, input: Array) -> dict[str, Any]:
        if input.ndim not in self._ranks:
            ranks = " or ".join(map(str, self._ranks))
            raise ValueError(f"{type(self).__name__}: input has {input.ndim} dimensions (expected {ranks})")
        momentum = self.momentum
        if momentum is None:
            count = self.num_batches_tracked if self.training else None
            momentum = 0.0 if count is None else 1 / (int(count) + 1)
        weight, bias = self._values()
        return {
            "running_mean": self.running_mean,
            "running_var": self.running_var,
            "weight": weight,
            "bias": bias,
            "training": self.training or self.running_mean is None,
            "momentum": momentum,
            "eps": self.eps,
        }

    def _gradients(self, grad_output: npt.ArrayLike, input_grad: bool) -> Any:
        return _fused.batch_norm_backward(f"{self._op}_backward", self._recall().arrays[0], grad_output)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see `BatchNorm2d`.

    Examples
    --------
    >>> BatchNorm1d(1, dtype=np.float64)(np.array([[1.0], [3.0]])).round(3)
    array([[-1.],
           [ 1.]])
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W) (Ioffe and Szegedy 2015).

    y = (x - mean) / sqrt(var + eps) * weight + bias, a channel at a time. In training the mean and
    the (biased) variance are those of the batch; in evaluation they are the running ones.

    Parameters
    ----------
    num_features : int
        Number of channels.
    eps : float, optional
        Added to the variance.
    momentum : float or None, optional
        Weight of a new batch in the running mean and the running (unbiased) variance; None weighs
        all batches alike.
    affine, bias : bool, optional
        Whether there are a ``weight`` and a ``bias``, and whether of these two there is a ``bias``.
    track_running_stats : bool, optional
        False means no running statistics, and those of the batch in evaluation too.
    dtype : {float32, float64}, optional
        Of the parameters, and so of all arrays.

    Attributes
    ----------
    weight, bias : Parameter of shape (num_features,), or None
        At first 1 and 0.
    running_mean, running_var : ndarray of shape (num_features,), or None
    num_batches_tracked : ndarray of shape () and int64, or None

    Examples
    --------
    >>> layer = BatchNorm2d(3)
    >>> layer
    BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    >>> layer(np.ones((2, 3, 4, 4), np.float32)).shape
    (2, 3, 4, 4)
    >>> layer.running_mean
    array([0.1, 0.1, 0.1], dtype=float32)
    """

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W); see `BatchNorm2d`.

    Examples
    --------
    >>> BatchNorm3d(2)(np.ones((1, 2, 2, 2, 2), np.float32)).shape
    (1, 2, 2, 2, 2)
    """

    _ranks = (5,)
