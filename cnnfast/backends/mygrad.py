"""MyGrad: its `conv_nd` along up to three axes and its `max_pool` on these kernels, forward and backward."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
from mygrad.nnet.layers.conv import ConvND
from mygrad.nnet.layers.pooling import MaxPoolND

from cnnfast import functional as F
from cnnfast.backends._arrays import Array, alike
from cnnfast.backends._backend import Backend, NotCovered, Replacement


def _fits(extent: tuple[int, ...], kernel: Any, stride: Any, padding: Any, dilation: Any) -> bool:
    """Whether windows tile the padded input: MyGrad refuses others, and says so itself."""
    spans = zip(extent, kernel, stride, padding, dilation, strict=True)
    rests = [(e + 2 * p - d * (k - 1) - 1, s) for e, k, s, p, d in spans]
    return all(rest >= 0 and rest % s == 0 for rest, s in rests)


def _per_axis(value: Any, rank: int, least: int) -> tuple[int, ...]:
    values = (value,) * rank if isinstance(value, Integral) else tuple(value)
    if len(values) != rank or not all(isinstance(v, Integral) and int(v) >= least for v in values):
        raise NotCovered
    return tuple(int(v) for v in values)


def _owned(result: Array) -> Array:
    """MyGrad locks an array and its base, which it takes for one: large results lie in memory that is none."""
    return result if result.flags.owndata else result.copy()


def conv_forward(self: Any, x: Any, w: Any, *, stride: Any, padding: Any = 0, dilation: Any = 1) -> Array:
    images, filters = alike(x.data, w.data)
    rank = images.ndim - 2
    if not 1 <= rank <= 3 or filters.ndim != images.ndim or images.shape[1] != filters.shape[1] or not images.size:
        raise NotCovered
    steps, pads, dil = _per_axis(stride, rank, 1), _per_axis(padding, rank, 0), _per_axis(dilation, rank, 1)
    if not _fits(images.shape[2:], filters.shape[2:], steps, pads, dil):
        raise NotCovered
    self.variables = (x, w)
    self.stride, self.padding, self.dilation = np.array(steps), np.array(pads), np.array(dil)
    return _owned(getattr(F, f"conv{rank}d")(images, filters, None, steps, pads, dil))


def conv_backward(self: Any, grad: Array, index: int, **kwargs: Any) -> Array:
    dy, x, w = alike(grad, *(variable.data for variable in self.variables))
    rank = x.ndim - 2
    if not 1 <= rank <= 3 or not dy.size:
        raise NotCovered
    windows = (tuple(int(v) for v in values) for values in (self.stride, self.padding, self.dilation))
    mask = (index == 0, index == 1, False)
    return _owned(getattr(F, f"conv{rank}d_backward")(dy, x, w, *windows, output_mask=mask)[index])


def _planes(x: Array, rank: int) -> Array:
    """The pooled axes behind one plane axis, in a batch of one."""
    return x.reshape(1, math.prod(x.shape[: x.ndim - rank]), *x.shape[x.ndim - rank :])


def pool_forward(self: Any, x: Any, pool: Any, stride: Any) -> Array:
    (data,) = alike(x.data)
    rank = len(pool) if isinstance(pool, tuple | list | np.ndarray) else 0
    if not 1 <= rank <= min(3, data.ndim) or not data.size:
        raise NotCovered
    kernel, steps, zeros = _per_axis(pool, rank, 1), _per_axis(stride, rank, 1), (0,) * rank
    if not _fits(data.shape[-rank:], kernel, steps, zeros, (1,) * rank):
        raise NotCovered
    self.variables = (x,)
    self.pool, self.stride = np.array(kernel), np.array(steps)
    result = getattr(F, f"max_pool{rank}d")(_planes(data, rank), kernel, steps)
    return _owned(result).reshape(*data.shape[:-rank], *result.shape[2:])


def pool_backward(self: Any, grad: Array, index: int, **kwargs: Any) -> Array:
    dy, x = alike(grad, self.variables[index].data)
    rank = len(self.pool)
    if rank > 3 or not x.size:
        raise NotCovered
    windows = tuple(int(k) for k in self.pool), tuple(int(s) for s in self.stride)
    planes = _planes(x, rank)
    _, indices = getattr(F, f"max_pool{rank}d")(planes, *windows, return_indices=True)
    backward = getattr(F, f"max_pool{rank}d_backward")
    return _owned(backward(_planes(dy, rank), indices, planes.shape, *windows)).reshape(x.shape)


def _replacements() -> list[Replacement]:
    return [
        Replacement(ConvND, "__call__", conv_forward),
        Replacement(ConvND, "backward_var", conv_backward),
        Replacement(MaxPoolND, "__call__", pool_forward),
        Replacement(MaxPoolND, "backward_var", pool_backward),
    ]


backend = Backend("mygrad", _replacements)
install, uninstall, active = backend.install, backend.uninstall, backend.active
