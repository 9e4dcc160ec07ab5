"""HIPS autograd: ops that it differentiates to any order, and its `scipy.signal.convolve` on these kernels.

``conv{1,2,3}d``, ``conv_transpose{1,2,3}d``, ``max_pool{1,2,3}d``, ``avg_pool{1,2,3}d``, ``adaptive_max_pool{1,2,3}d``,
``adaptive_avg_pool{1,2,3}d``, ``linear`` and ``batch_norm`` take what the functions of these names in
`cnnfast.functional` take (but for ``out`` and ``return_indices``), arrays by position.  `install` makes
`autograd.scipy.signal.convolve` fast, wherever it was imported, and `max` of short axes, which is how nets pool there.

Examples
--------
>>> import autograd.numpy as np
>>> from autograd import grad
>>> from cnnfast.backends.autograd import conv1d
>>> square = lambda x: np.sum(conv1d(x, np.ones((1, 1, 2))) ** 2)
>>> grad(square)(np.ones((1, 1, 3)))
array([[[4., 8., 4.]]])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp, primitive_vjps
from autograd.extend import Box, defvjp, defvjp_argnums, notrace_primitive, primitive
from autograd.scipy import signal

from cnnfast import functional as F
from cnnfast.backends._arrays import Array, alike
from cnnfast.backends._backend import Backend, NotCovered, Replacement

RANKS = (1, 2, 3)
# NumPy's `max` takes 1.1 to 54 times as long as a `maximum` for each point of an axis of at most 16 points with at most
# 32 elements behind it, and less for some longer ones (measured on 1 M elements, AVX2).
SHORT, BEHIND = 16, 32


def _op(name: str, rank: int, suffix: str = "") -> Any:
    return getattr(F, f"{name}{rank}d{suffix}")


def _channel_sum(rank: int, g: Any) -> Any:
    """Gradient of the bias."""
    channel = g.ndim - rank - 1
    return anp.sum(g, axis=tuple(axis for axis in range(g.ndim) if axis != channel))


def _convolution(rank: int) -> tuple[Any, Any]:
    """conv and conv_transpose: with the gradients of conv they are each other's derivatives, so any order closes."""
    conv, transpose = primitive(_op("conv", rank)), primitive(_op("conv_transpose", rank))
    of_input, of_weight = (primitive(_op("conv", rank, suffix)) for suffix in ("_input", "_weight"))

    def windows(stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: Any = 1, dilation: Any = 1) -> Any:
        return stride, padding, dilation, groups

    defvjp(
        conv,
        lambda y, x, w, b=None, *a, **k: lambda g: of_input(x.shape, w, g, *a, **k),
        lambda y, x, w, b=None, *a, **k: lambda g: of_weight(x, w.shape, g, *a, **k),
        lambda y, x, w, b=None, *a, **k: lambda g: _channel_sum(rank, g),
    )
    defvjp(
        of_input,
        lambda x, shape, w, g, *a, **k: lambda h: of_weight(h, w.shape, g, *a, **k),
        lambda x, shape, w, g, *a, **k: lambda h: conv(h, w, None, *a, **k),
        argnums=(1, 2),
    )
    defvjp(
        of_weight,
        lambda w, x, shape, g, *a, **k: lambda h: of_input(x.shape, h, g, *a, **k),
        lambda w, x, shape, g, *a, **k: lambda h: conv(x, h, None, *a, **k),
        argnums=(0, 2),
    )
    defvjp(
        transpose,
        lambda y, x, w, b=None, *a, **k: lambda g: conv(g, w, None, *windows(*a, **k)),
        lambda y, x, w, b=None, *a, **k: lambda g: of_weight(g, w.shape, x, *windows(*a, **k)),
        lambda y, x, w, b=None, *a, **k: lambda g: _channel_sum(rank, g),
    )
    return conv, transpose


def _maximum(name: str, rank: int) -> Any:
    """A max pool: its derivative moves elements to where the maxima were, and that of this takes them from there."""
    pool, scatter = primitive(_op(name, rank)), primitive(_op(name, rank, "_backward"))

    @notrace_primitive
    def places(x: Array, *a: Any, **k: Any) -> Array:
        indices: Array = _op(name, rank)(x, *a, **k, return_indices=True)[1]
        return indices

    @primitive
    def gather(h: Array, indices: Array, *a: Any, **k: Any) -> Array:
        flat = indices.reshape(*indices.shape[:-rank], -1)
        taken = np.take_along_axis(h.reshape(*h.shape[:-rank], -1), flat, -1)
        return np.where(flat < 0, 0, taken).reshape(indices.shape)

    defvjp(pool, lambda y, x, *a, **k: lambda g: scatter(g, places(x, *a, **k), x.shape, *a, **k))
    defvjp(scatter, lambda x, g, indices, shape, *a, **k: lambda h: gather(h, indices, *a, **k))
    defvjp(gather, lambda y, h, indices, *a, **k: lambda g: scatter(g, indices, h.shape, *a, **k))
    return pool


def _mean(name: str, rank: int) -> Any:
    """An average pool, which is linear."""
    pool, spread = primitive(_op(name, rank)), primitive(_op(name, rank, "_backward"))
    defvjp(pool, lambda y, x, *a, **k: lambda g: spread(g, x.shape, *a, **k))
    defvjp(spread, lambda x, g, shape, *a, **k: lambda h: pool(h, *a, **k))
    return pool


def _matrix(x: Any) -> Any:
    return anp.reshape(x, (-1, x.shape[-1]))


linear = primitive(F.linear)
defvjp(
    linear,
    lambda y, x, w, b=None: lambda g: anp.dot(g, w),
    lambda y, x, w, b=None: lambda g: anp.dot(anp.transpose(_matrix(g)), _matrix(x)),
    lambda y, x, w, b=None: lambda g: anp.sum(_matrix(g), axis=0),
)


def _normalized(
    x: Any, mean: Any, var: Any, weight: Any, bias: Any, training: bool = False, momentum: Any = 0.1, eps: float = 1e-5
) -> Any:
    """Batch norm in ops that autograd knows."""
    axes, shape = (0, *range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))
    if training or mean is None:
        mean, var = anp.mean(x, axis=axes), anp.var(x, axis=axes)
    y = (x - anp.reshape(mean, shape)) / anp.sqrt(anp.reshape(var, shape) + eps)
    y = y if weight is None else y * anp.reshape(weight, shape)
    return y if bias is None else y + anp.reshape(bias, shape)


batch_norm = primitive(F.batch_norm)


def _batch_norm_vjp(argnums: Sequence[int], y: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The fast gradients; where those are to be differentiated, the gradients of the formula."""
    args = (*args, *(None,) * (5 - len(args)))

    def formula(chosen: tuple[Any, ...]) -> Any:
        given = list(args)
        for argnum, value in zip(argnums, chosen, strict=True):
            given[argnum] = value
        return _normalized(*given, **kwargs)

    def vjp(g: Any) -> Any:
        if any(isinstance(array, Box) for array in (g, *args)):
            return make_vjp(formula, tuple(args[argnum] for argnum in argnums))[0](g)
        gradients = dict(zip((0, 3, 4), F.batch_norm_backward(g, *args, **kwargs), strict=True))
        return tuple(gradients[argnum] for argnum in argnums)

    return vjp


defvjp_argnums(batch_norm, _batch_norm_vjp)

_CONVOLUTIONS = [_convolution(rank) for rank in RANKS]
conv1d, conv2d, conv3d = (conv for conv, _ in _CONVOLUTIONS)
conv_transpose1d, conv_transpose2d, conv_transpose3d = (transpose for _, transpose in _CONVOLUTIONS)
max_pool1d, max_pool2d, max_pool3d = (_maximum("max_pool", rank) for rank in RANKS)
avg_pool1d, avg_pool2d, avg_pool3d = (_mean("avg_pool", rank) for rank in RANKS)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = (_maximum("adaptive_max_pool", rank) for rank in RANKS)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (_mean("adaptive_avg_pool", rank) for rank in RANKS)


def _banks(array: Array, axes: Sequence[int], dots: Sequence[int]) -> tuple[tuple[int, ...], Array]:
    """(Axes that are neither, the array as (those, the summed, the convolved)), the first two flat."""
    others = [axis for axis in range(array.ndim) if axis not in axes and axis not in dots]
    shape = tuple(array.shape[axis] for axis in others)
    flat = math.prod(shape), math.prod(array.shape[axis] for axis in dots)
    return shape, array.transpose(*others, *dots, *axes).reshape(*flat, *(array.shape[axis] for axis in axes))


def _correlate(images: Array, filters: Array, padding: tuple[tuple[int, int], ...]) -> Array:
    """Correlation (N, D, image) with (K, D, filter), summed over D: (N, K, output).

    Filters with more points than the output, as in gradients, are the slow case of a convolution: then this is the
    gradient of the weights of one whose weights are the output, D being its batch.
    """
    rank = len(padding)
    sizes = zip(images.shape[2:], filters.shape[2:], padding, strict=True)
    output = [size + lo + hi - k + 1 for size, k, (lo, hi) in sizes]
    if math.prod(filters.shape[2:]) <= math.prod(output):
        result: Array = _op("conv", rank)(images, filters, padding=padding)
        return result
    shape = (len(filters), len(images), *output)
    weights = _op("conv", rank, "_weight")(images.swapaxes(0, 1), shape, filters.swapaxes(0, 1), padding=padding)
    swapped: Array = weights.swapaxes(0, 1)
    return swapped


def _is_filter(a: Sequence[int], b: Sequence[int], mode: str) -> bool:
    """Whether A, of size `a` along the convolved axes, is the filter that slides over B."""
    if mode == "same":
        return False
    if mode == "full":
        return math.prod(a) < math.prod(b)
    if all(m >= n for m, n in zip(a, b, strict=True)):
        return False
    if all(m <= n for m, n in zip(a, b, strict=True)):
        return True
    raise NotCovered


_PADDINGS: dict[str, Callable[[int], tuple[int, int]]] = {
    "valid": lambda k: (0, 0),
    "full": lambda k: (k - 1, k - 1),
    "same": lambda k: (k // 2, (k - 1) // 2),
}


def convolve(A: Array, B: Array, axes: Any = None, dot_axes: Any = ((), ()), mode: str = "full") -> Array:
    """`autograd.scipy.signal.convolve` along up to three axes; others are summed over or kept."""
    axes = (range(A.ndim), range(B.ndim)) if axes is None else axes
    rank = len(axes[0])
    if mode not in _PADDINGS or rank not in RANKS or min(min(pair) for pair in (*axes, *dot_axes) if pair) < 0:
        raise NotCovered
    A, B = alike(A, B)
    (kept_a, images), (kept_b, filters) = _banks(A, axes[0], dot_axes[0]), _banks(B, axes[1], dot_axes[1])
    if not A.size or not B.size:
        raise NotCovered
    swapped = _is_filter(images.shape[2:], filters.shape[2:], mode)
    if swapped:
        images, filters = filters, images
    padding = tuple(_PADDINGS[mode](k) for k in filters.shape[2:])
    result = _correlate(images, np.flip(filters, tuple(range(2, rank + 2))), padding)
    result = result.swapaxes(0, 1) if swapped else result
    return result.reshape(*kept_a, *kept_b, *result.shape[2:])


def _short_axis(x: Any, axis: Any = None, *others: Any, **named: Any) -> int:
    """The axis of a call of `numpy.max` along one short axis, which NumPy would reduce an element at a time."""
    if not isinstance(axis, int) or others or named or not 1 < x.shape[axis] <= SHORT:
        raise NotCovered
    if math.prod(x.shape[axis % x.ndim + 1 :]) > BEHIND:
        raise NotCovered
    return axis


def maximum(*args: Any, **kwargs: Any) -> Array:
    """`numpy.max` along a short axis: one pass a point of it."""
    result: Array = reduce(np.maximum, np.moveaxis(args[0], _short_axis(*args, **kwargs), 0))
    return result


def _shares(x: Array, y: Array, axis: int) -> tuple[list[Array], Array]:
    """(Where each point of the axis has the maximum, how many have)."""
    masks = [point == y for point in np.moveaxis(x, axis, 0)]
    return masks, reduce(np.add, (mask.view(np.uint8) for mask in masks))


@primitive
def _to_maxima(g: Array, x: Array, y: Array, axis: int) -> Array:
    """Gradient of a maximum `y`: equal elements share it."""
    masks, count = _shares(x, y, axis)
    share, result = g / count, np.empty(x.shape, g.dtype)
    for mask, point in zip(masks, np.moveaxis(result, axis, 0), strict=True):
        np.multiply(share, mask, out=point)
    return result


@primitive
def _from_maxima(h: Array, x: Array, y: Array, axis: int) -> Array:
    """The adjoint of `_to_maxima`."""
    masks, count = _shares(x, y, axis)
    return sum(mask * point for mask, point in zip(masks, np.moveaxis(h, axis, 0), strict=True)) / count


defvjp(_to_maxima, lambda dx, g, *which: lambda h: _from_maxima(h, *which), None, None)
defvjp(_from_maxima, lambda y, h, *which: lambda g: _to_maxima(g, *which), None, None)


def _max_vjp(theirs: Any) -> Any:
    """The rule of autograd for a maximum, with `theirs` for what `maximum` does not cover."""

    def vjp(argnums: Sequence[int], y: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            axis = _short_axis(*args, **kwargs)
        except NotCovered:
            return theirs(argnums, y, args, kwargs)
        return lambda g: (_to_maxima(g, args[0], y, axis),)

    return vjp


def _raw(function: Any) -> Any:
    """Where a primitive keeps the function of arrays that it wraps; whoever imported the primitive calls that."""
    return next(cell for cell in function.__closure__ if cell.cell_contents is function.fun)


def _replacements() -> list[Replacement]:
    return [
        Replacement(_raw(signal.convolve), "cell_contents", convolve),
        *(Replacement(_raw(function), "cell_contents", maximum) for function in (anp.max, anp.amax)),
        *(Replacement(primitive_vjps, f, _max_vjp(primitive_vjps[f]), whole=True) for f in (anp.max, anp.amax)),
    ]


backend = Backend("autograd", _replacements)
install, uninstall, active = backend.install, backend.uninstall, backend.active
