"""Keras on NumPy without JAX: a process of its own, since a process has one backend; JAX's and PyTorch's judge."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

if not importlib.util.find_spec("keras"):
    pytest.skip("could not import keras", allow_module_level=True)

PRELUDE = """
import os, sys
import numpy as np
if os.environ["KERAS_BACKEND"] == "numpy":
    import cnnfast.backends.keras as backend
import keras
from keras import layers as L, ops

rng = np.random.default_rng(1)
def array(*shape):
    return rng.standard_normal(shape).astype("float32")
def save(results):
    np.savez(sys.argv[1], **{str(i): np.asarray(ops.convert_to_numpy(r)) for i, r in enumerate(results)})
def randomized(net):
    for weight in net.weights:
        value = array(*weight.shape) / max(1, np.prod(weight.shape[:-1])) ** 0.5
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return net
"""

OPS = """
results = []
for rank in (1, 2, 3):
    x, size = array(2, *(9, 8, 7)[:rank], 4), (9, 8, 7)[:rank]
    k = (3, 2, 3)[:rank]
    for padding in ("valid", "same"):
        for strides, dilation in ((1, 1), (2, 1), ((2, 3, 1)[:rank], 1), (1, 2)):
            options = dict(strides=strides, padding=padding, dilation_rate=dilation)
            results.append(ops.conv(x, array(*k, 4, 6), **options))
            results.append(ops.conv(x, array(*k, 2, 6), **options))
            if rank < 3:
                results.append(ops.depthwise_conv(x, array(*k, 4, 3), **options))
                results.append(ops.separable_conv(x, array(*k, 4, 3), array(*(1,) * rank, 12, 5), **options))
            results.append(ops.conv_transpose(x, array(*k, 6, 4), **options))
        for strides in (1, 2, 3, 4):
            results.append(ops.conv_transpose(x, array(*(2,) * rank, 5, 4), strides, padding))
            results.append(ops.max_pool(x, 3, strides, padding))
            if padding == "valid":  # PyTorch's backend counts points of padding, unlike JAX's
                results.append(ops.average_pool(x, k, strides, padding))
        results.append(ops.max_pool(x, 2, None, padding))
    if rank < 3:
        results.append(ops.adaptive_average_pool(x, (4, 3)[:rank]))
        results.append(ops.adaptive_max_pool(x, (4, 3)[:rank]))
    results.append(ops.conv(np.moveaxis(x, -1, 1), array(*k, 4, 6), data_format="channels_first"))
    results.append(ops.max_pool(np.moveaxis(x, -1, 1), 2, data_format="channels_first"))
    results.append(ops.batch_normalization(x, array(4), array(4) ** 2, -1, array(4), array(4)))
    results.append(ops.batch_normalization(x, array(size[0]), array(size[0]) ** 2, 1, array(size[0])))
    results.append(ops.batch_normalization(x, array(4), array(4) ** 2, -1, None, array(4)))
image = ops.convert_to_tensor(array(2, 3, 7, 6))
results.append(ops.unfold(image, 3, 2, 1, (1, 2)))
results.append(ops.fold(results[-1], (7, 6), 3, 2, 1, (1, 2)))
real, imaginary = array(3, 4), array(3, 4)
results.extend(ops.fft((real, imaginary)))
results.extend(ops.fft2((real, imaginary)))
save(results)
"""

NETS = """
small = keras.Sequential([
    L.Input((20, 20, 3)), L.Conv2D(8, 3, activation="relu"), L.MaxPooling2D(), L.BatchNormalization(),
    L.SeparableConv2D(12, 3, padding="same"), L.Conv2DTranspose(6, 3, 2, padding="same"),
    L.GlobalAveragePooling2D(), L.Dense(5, "softmax"),
])
mobile = keras.applications.MobileNet((64, 64, 3), alpha=0.25, weights=None, classes=10)
volume = keras.Sequential([
    L.Input((8, 9, 7, 2)), L.Conv3D(4, 3, padding="same", activation="relu"), L.AveragePooling3D(2),
    L.Conv3D(6, 2, 2), L.Flatten(), L.Dense(3),
])
save([randomized(net).predict(array(2, *net.input_shape[1:]), verbose=0) for net in (small, mobile, volume)])
"""


def run(script: str, backend: str, path: Path) -> list[np.ndarray]:
    environment = {**os.environ, "KERAS_BACKEND": backend}
    subprocess.run([sys.executable, "-c", PRELUDE + script, str(path)], env=environment, check=True)
    with np.load(path) as file:
        return [file[name] for name in file.files]


# JAX's backend refuses some of the ops that are tested.
@pytest.mark.parametrize(("judge", "script"), [("torch", OPS), ("torch", NETS), ("jax", NETS)])
def test_as_with_another_backend(judge: str, script: str, tmp_path: Path) -> None:
    if not importlib.util.find_spec(judge):
        pytest.skip(f"could not import {judge}")
    ours, theirs = (run(script, backend, tmp_path / f"{backend}.npz") for backend in ("numpy", judge))
    assert len(ours) == len(theirs) > 2
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        assert np.abs(one - other).max() <= 1e-4 * max(1, np.abs(other).max())


def test_no_jax_is_left_behind(tmp_path: Path) -> None:
    script = """
assert importlib.util.find_spec("jax") or not any(name.split(".")[0] == "jax" for name in sys.modules)
for dtype in ("float16", "bfloat16", "float64", "int32"):
    x = ops.ones((1, 4, 4, 1), dtype)
    y = ops.max_pool(x, 2)
    assert ops.convert_to_numpy(y).dtype == ops.convert_to_numpy(x).dtype, dtype
backend.uninstall()
try:
    ops.max_pool(array(1, 4, 4, 1), 2)
except ImportError as error:
    assert "jax.lax" in str(error) or "JAX" in str(error)
with backend.active():
    ops.max_pool(array(1, 4, 4, 1), 2)
save([array(1)])
"""
    run("import importlib.util\n" + script, "numpy", tmp_path / "x.npz")


def test_average_counts_no_padding(tmp_path: Path) -> None:
    script = """
for size in (5, 6, 7, 8):
    for k in (2, 3):
        for s in (1, 2, 3):
            x = array(size)
            points = -(-size // s)
            low = max((points - 1) * s + k - size, 0) // 2
            windows = [x[max(i * s - low, 0) : i * s - low + k] for i in range(points)]
            found = ops.average_pool(x[None, :, None], k, s, "same")
            assert np.allclose(np.asarray(found)[0, :, 0], [w.mean() for w in windows]), (size, k, s)
save([array(1)])
"""
    run(script, "numpy", tmp_path / "x.npz")


def test_another_backend_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    script = """
import cnnfast.backends.keras as late
try:
    late.install()
except RuntimeError as error:
    assert "'torch'" in str(error) and "KERAS_BACKEND=numpy" in str(error)
else:
    raise AssertionError
save([array(1)])
"""
    run(script, "torch", tmp_path / "x.npz")
