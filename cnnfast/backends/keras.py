"""Keras 3 on NumPy: its NumPy backend without JAX, the convolutions, pools and batch norm on these kernels.

Import this module before keras: it chooses the NumPy backend, unless the variable KERAS_BACKEND says otherwise, and
installs itself.  With JAX missing it lets the backend import; what then still needs JAX says so when it is called.

Arrays that are channels-last come back as views of channels-first ones, whose layout NumPy keeps: a net transposes its
input once, not every layer.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from cnnfast import functional as F
from cnnfast._geometry.convolution import paddings
from cnnfast._geometry.tuples import ints
from cnnfast.backends._arrays import Array, channels_first, channels_last
from cnnfast.backends._backend import NotCovered, Replacement
from cnnfast.backends._imports import LateBackend

_NN = "keras.src.backend.numpy.nn"
_MATH = "keras.src.backend.numpy.math"


def _keras() -> Any:
    """Of Keras what these functions use."""
    return sys.modules["keras.src.backend"]


def _computed(*arrays: Any) -> tuple[np.dtype[Any], list[Array]]:
    """(dtype of the result, arrays in a dtype that holds its values): float32 for the half floats, float64 for ints."""
    given = [
        np.asarray(array if isinstance(array, np.ndarray) else _keras().convert_to_numpy(array)) for array in arrays
    ]
    dtype = given[0].dtype
    if dtype.kind == "c":
        raise NotCovered
    exact = np.float64 if dtype.kind in "iub" or dtype == np.float64 else np.float32
    return dtype, [array.astype(exact, copy=False) for array in given]


class _Images:
    """Images (N, C, ...) of inputs in a data format, and what goes back in it."""

    def __init__(self, inputs: Any, data_format: str | None, *others: Any) -> None:
        self.dtype, (x, *self.others) = _computed(inputs, *others)
        self.rank = x.ndim - 2
        if not 1 <= self.rank <= 3 or not x.size:
            raise NotCovered
        self.last = _keras().standardize_data_format(data_format) == "channels_last"
        self.x = channels_first(x) if self.last else x

    def op(self, name: str) -> Callable[..., Array]:
        return getattr(F, f"{name}{self.rank}d")

    def back(self, result: Array) -> Array:
        result = result.astype(self.dtype, copy=False)
        return channels_last(result) if self.last else result


def _check_padding(op: str, padding: Any) -> str:
    if padding not in ("valid", "same"):
        raise ValueError(f"{op}: padding is {padding!r} (expected 'valid' or 'same')")
    return str(padding)


def _check_groups(images: _Images, kernel: Array) -> int:
    channels, of_kernel = images.x.shape[1], kernel.shape[-2]
    if channels % of_kernel:
        raise ValueError(
            "The number of input channels must be evenly divisible by kernel's in_channels. "
            f"Received input channels {channels} and kernel in_channels {of_kernel}."
        )
    return channels // of_kernel


def _filters(kernel: Array) -> Array:
    """A kernel (..., in, out) as a weight (out, in, ...)."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def conv(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
) -> Array:
    images = _Images(inputs, data_format, kernel)
    groups = _check_groups(images, images.others[0])
    weight = _filters(images.others[0])
    return images.back(images.op("conv")(images.x, weight, None, strides, padding.lower(), dilation_rate, groups))


def depthwise_conv(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
) -> Array:
    images = _Images(inputs, data_format, kernel)
    channels, kernel = images.x.shape[1], images.others[0]
    if kernel.shape[-2] != channels:
        raise NotCovered
    weight = _filters(kernel.reshape(*kernel.shape[:-2], 1, -1))
    return images.back(images.op("conv")(images.x, weight, None, strides, padding.lower(), dilation_rate, channels))


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> Array:
    images = _Images(inputs, data_format, kernel)
    given = (images.x.shape, images.others[0].shape, strides, padding, output_padding, dilation_rate)
    pads = sys.modules[_NN].compute_conv_transpose_padding_args_for_jax(*given)
    weight = _filters(images.others[0])
    if images.x.shape[1] != len(weight):
        raise NotCovered
    dilation = ints("conv_transpose", "dilation_rate", dilation_rate, images.rank, 1)
    whole = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    cut = tuple((max(w - lo, 0), max(w - hi, 0)) for w, (lo, hi) in zip(whole, pads, strict=True))
    zeros = [(max(lo - w, 0), max(hi - w, 0)) for w, (lo, hi) in zip(whole, pads, strict=True)]
    result = images.op("conv_transpose")(images.x, weight, None, strides, cut, 0, 1, dilation)
    return images.back(np.pad(result, [(0, 0), (0, 0), *zeros]) if np.any(zeros) else result)


def _windows(op: str, images: _Images, pool_size: Any, strides: Any, padding: str) -> tuple[Any, Any, Any]:
    """(kernel_size, stride, padding as pairs)."""
    kernel = ints(op, "pool_size", pool_size, images.rank, 1)
    steps = kernel if strides is None else ints(op, "strides", strides, images.rank, 1)
    ones = (1,) * images.rank
    low, high = paddings(op, _check_padding(op, padding), images.x.shape[2:], kernel, steps, ones)
    return kernel, steps, tuple(zip(low, high, strict=True))


def max_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: Any = None
) -> Array:
    images = _Images(inputs, data_format)
    windows = _windows("max_pool", images, pool_size, strides, padding)
    return images.back(images.op("max_pool")(images.x, *windows))


def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: Any = None
) -> Array:
    images = _Images(inputs, data_format)
    windows = _windows("average_pool", images, pool_size, strides, padding)
    return images.back(images.op("avg_pool")(images.x, *windows, count_include_pad=False))


def adaptive_average_pool(inputs: Any, output_size: Any, data_format: Any = None) -> Array:
    images = _Images(inputs, data_format)
    return images.back(images.op("adaptive_avg_pool")(images.x, output_size))


def adaptive_max_pool(inputs: Any, output_size: Any, data_format: Any = None) -> Array:
    images = _Images(inputs, data_format)
    return images.back(images.op("adaptive_max_pool")(images.x, output_size))


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Array:
    dtype, (x, *statistics) = _computed(x, *(v for v in (mean, variance, scale, offset) if v is not None))
    if dtype not in (np.float32, np.float64) or not x.size or x.ndim < 2 or any(s.ndim != 1 for s in statistics):
        raise NotCovered
    mean, variance, *affine = statistics
    scale = affine.pop(0) if scale is not None else None
    images = np.moveaxis(x, axis, 1)
    y = F.batch_norm(images, mean, variance, scale, affine[0] if affine else None, False, 0.0, epsilon)
    return np.moveaxis(y, 1, axis)


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    dtype, (x,) = _computed(input)
    return F.unfold(x, kernel_size, dilation, padding, stride).astype(dtype, copy=False)


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    dtype, (columns,) = _computed(x)
    return F.fold(columns, output_size, kernel_size, dilation, padding, stride).astype(dtype, copy=False)


def fft(x: Any) -> tuple[Array, Array]:
    return _parts(np.fft.fft, x)


def fft2(x: Any) -> tuple[Array, Array]:
    return _parts(np.fft.fft2, x)


def _parts(transform: Callable[[Array], Array], x: Any) -> tuple[Array, Array]:
    """A transform of (real, imaginary) parts; NumPy before 2 gives complex128 for float32."""
    real, imaginary = x
    result = transform(sys.modules[_MATH]._get_complex_tensor_from_tuple(x))
    return result.real.astype(real.dtype), result.imag.astype(imaginary.dtype)


class _NoJax(ModuleType):
    """Stands for JAX while the NumPy backend is imported, and in its functions that are left."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(
            f"keras: jax.{name} is needed for this call, which cnnfast does not cover (no JAX is installed)"
        )


@contextmanager
def _without_jax() -> Iterator[None]:
    """Where JAX is missing, show the backend a stand-in, and nobody else."""
    if importlib.util.find_spec("jax"):
        yield
        return
    jax = _NoJax("jax")
    vars(jax)["lax"] = _NoJax("jax.lax")
    transforms = ModuleType("keras.src.backend.jax.math")
    vars(transforms).update(fft=fft, fft2=fft2)
    shown = {"jax": jax, "jax.lax": jax.lax, transforms.__name__: transforms}
    sys.modules.update(shown)
    try:
        yield
    finally:
        for name in shown:
            sys.modules.pop(name, None)


_COVERED = (
    conv,
    depthwise_conv,
    conv_transpose,
    max_pool,
    average_pool,
    adaptive_average_pool,
    adaptive_max_pool,
    batch_normalization,
    unfold,
    fold,
)


def _replacements() -> list[Replacement]:
    current = getattr(sys.modules.get("keras.src.backend"), "backend", None)
    name = current() if current else "numpy"
    if name != "numpy":
        raise RuntimeError(f"keras: the backend is {name!r} (expected KERAS_BACKEND=numpy before keras is imported)")
    module = sys.modules.get(_NN)
    loaded = module is not None and hasattr(module, "conv_transpose")
    return [Replacement(module, one.__name__, one) for one in _COVERED if loaded and hasattr(module, one.__name__)]


backend = LateBackend("keras", _replacements, (_NN, _MATH), _without_jax)
install, uninstall, active = backend.install, backend.uninstall, backend.active

if "keras" not in sys.modules:
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    install()
