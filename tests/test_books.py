"""Nets of a course and of a book run on our kernels, on imitations of their packages with the same interface."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import reference as R
from cnnfast.backends import Mismatch, cs231n, dlfs


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The imitations can be imported, anew in each test."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "imitations")
    yield
    for backend in (cs231n, dlfs):
        backend.uninstall()
    for name in [name for name in sys.modules if name.split(".")[0] in ("common", "cs231n")]:
        del sys.modules[name]


@pytest.mark.parametrize("imported_before", [False, True])
@pytest.mark.parametrize("pool", [(2, 2, 2), (3, 2, 1)])
def test_course(imported_before: bool, pool: tuple[int, int, int], rng: np.random.Generator) -> None:
    if imported_before:
        importlib.import_module("cs231n.fast_layers")
    cs231n.install()
    utils = importlib.import_module("cs231n.layer_utils")
    x, w, b = rng.integers(-4, 5, (2, 3, 8, 7)), rng.integers(-4, 5, (4, 3, 3, 2)).astype(float), np.arange(4.0)
    conv, kernel = {"stride": 1, "pad": 1}, dict(zip(("pool_height", "pool_width", "stride"), pool, strict=True))
    out, cache = utils.conv_pool_forward(x, w, b, conv, kernel)
    maps = R.conv2d(x.astype(float), w, b, 1, 1)
    expected, indices = R.max_pool2d(maps, pool[:2], pool[2], return_indices=True)
    assert np.array_equal(out, expected)
    dout = rng.integers(-4, 5, out.shape).astype(float)
    grad = R.max_pool2d_backward(dout, indices, maps.shape, pool[:2], pool[2])
    gradients = R.conv2d_backward(grad, x.astype(float), w, 1, 1)
    for one, other in zip(utils.conv_pool_backward(dout, cache), gradients, strict=True):
        assert np.array_equal(one, other)


def test_course_columns(rng: np.random.Generator) -> None:
    cs231n.install()
    extension = importlib.import_module("cs231n.im2col_cython")
    x, shape = rng.integers(-4, 5, (2, 3, 6, 5)).astype(np.float32), (2, 3, 6, 5)
    cols = extension.im2col_cython(x, 3, 2, 1, 1)
    by_place = R.im2col(x, (3, 2), 1, 1, order="CK ON")
    assert np.array_equal(cols, by_place)
    assert np.array_equal(
        extension.col2im_cython(cols, *shape, 3, 2, 1, 1), R.col2im(by_place, shape, (3, 2), 1, 1, order="CK ON")
    )
    by_image = R.im2col(x, (3, 2), 1, 1, order="CK NO")
    six = by_image.reshape(3, 3, 2, 2, 6, 6)
    assert np.array_equal(
        extension.col2im_6d_cython(six, *shape, 3, 2, 1, 1), R.col2im(by_image, shape, (3, 2), 1, 1, order="CK NO")
    )


def test_course_uninstalls() -> None:
    theirs = importlib.import_module("cs231n.fast_layers").conv_forward_fast
    with cs231n.active():
        assert importlib.import_module("cs231n.fast_layers") is cs231n
    assert importlib.import_module("cs231n.fast_layers").conv_forward_fast is theirs


def train(layers: Any, seed: int) -> list[float]:
    """Losses of a small net."""
    rng = np.random.default_rng(seed)
    x, target = rng.standard_normal((4, 2, 9, 8)), rng.standard_normal((4, 3, 3, 3))
    net = [
        layers.Convolution(rng.standard_normal((5, 2, 3, 2)) / 4, np.zeros(5), pad=1),
        layers.Relu(),
        layers.Pooling(3, 2, stride=2),
        layers.Convolution(rng.standard_normal((3, 5, 2, 2)) / 4, np.zeros(3)),
    ]
    losses = []
    for _ in range(8):
        y = x
        for layer in net:
            y = layer.forward(y)
        gradient = y - target[:, :, : y.shape[2], : y.shape[3]]
        losses.append(float((gradient**2).sum()))
        for layer in reversed(net):
            gradient = layer.backward(gradient)
        for layer in (net[0], net[3]):
            layer.W -= 0.001 * layer.dW
            layer.b -= 0.001 * layer.db
    return losses


@pytest.mark.parametrize("imported_before", [False, True])
def test_book(imported_before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if imported_before:
        importlib.import_module("common.layers")
    dlfs.install()
    layers = importlib.import_module("common.layers")
    calls = []
    conv2d = dlfs.F.conv2d
    monkeypatch.setattr(dlfs.F, "conv2d", lambda *arguments: calls.append(1) or conv2d(*arguments))
    ours = train(layers, 1)
    assert len(calls) == 16
    dlfs.uninstall()
    theirs = train(layers, 1)
    assert len(calls) == 16
    assert theirs[-1] < theirs[0]
    assert np.allclose(ours, theirs, rtol=1e-12)


def taken(x: np.ndarray) -> np.ndarray:
    """Of windows of 2x2 that tile x with a ring of zeros, where the largest of -abs(x) is no zero."""
    inner = -abs(x)[1:-1, 1:-1]
    maxima = inner.reshape(2, 2, 2, 2).max((1, 3))
    return np.pad(inner == maxima.repeat(2, 0).repeat(2, 1), 1)


def test_book_in_float64_and_with_padded_pools(rng: np.random.Generator) -> None:
    layers = importlib.import_module("common.layers")
    x, w = rng.standard_normal((1, 1, 6, 6)).astype(np.float32), rng.standard_normal((1, 1, 2, 2)).astype(np.float32)
    with dlfs.active(verify=True):
        conv, pool = layers.Convolution(w, np.zeros(1)), layers.Pooling(2, 2, 2, pad=1)
        assert conv.forward(x).dtype == np.float64
        y = pool.forward(-abs(x))
        assert y.shape == (1, 1, 4, 4)
        assert y[0, 0, 0, 0] == 0
        assert np.array_equal(pool.backward(np.ones((1, 1, 4, 4)))[0, 0] != 0, taken(x[0, 0]))
        conv.backward(np.ones((1, 1, 5, 5)))
        assert np.array_equal(layers.im2col(x, 2, 3, 1, 1), R.im2col(x.astype(float), (2, 3), 1, 1, order="NO CK"))


def test_book_verify_finds_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = importlib.import_module("common.layers")
    monkeypatch.setattr(dlfs, "_double", lambda *arrays: [1.1 * np.asarray(array, float) for array in arrays])
    with dlfs.active(verify=True), pytest.raises(Mismatch):
        layers.Convolution(np.ones((1, 1, 2, 2)), np.zeros(1)).forward(np.ones((1, 1, 3, 3)))
