"""numpy-ml's layers are the same on our kernels as on its own."""

from __future__ import annotations

import collections
import collections.abc
from typing import Any

import numpy as np
import pytest

vars(collections).setdefault("Hashable", collections.abc.Hashable)  # numpy-ml 0.1.2 uses what Python 3.10 took away
pytest.importorskip("numpy_ml", exc_type=ImportError)
from numpy_ml.neural_nets.layers import layers  # noqa: E402

from cnnfast.backends import numpy_ml as backend  # noqa: E402


def run(layer: Any, x: np.ndarray) -> list[np.ndarray]:
    y = layer.forward(x)
    dx = layer.backward(np.arange(y.size).reshape(y.shape) / 8)
    return [y, dx, *layer.gradients.values()]


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Conv2D(4, (3, 2), pad=1, stride=2),
        lambda: layers.Conv2D(4, (3, 3), pad="same", dilation=1, act_fn="ReLU"),
        lambda: layers.Conv2D(4, (2, 2), pad=(1, 0, 2, 1)),
        lambda: layers.Deconv2D(4, (3, 3), stride=2),
        lambda: layers.Pool2D((2, 2), 2),
        lambda: layers.Pool2D((3, 2), 1, mode="average"),
        lambda: layers.Pool2D((3, 3), 1, pad=1, mode="average"),
    ],
)
def test_layers(make: Any, rng: np.random.Generator) -> None:
    x = rng.permutation(2 * 6 * 7 * 3).reshape(2, 6, 7, 3) / 64
    results = []
    for ours in (False, True):
        np.random.seed(1)  # noqa: NPY002  numpy-ml draws its weights from there
        if ours:
            with backend.active(verify=True):
                results.append(run(make(), x))
        else:
            results.append(run(make(), x))
    for one, other in zip(*results, strict=True):
        assert np.allclose(one, other, rtol=1e-10, atol=1e-10)


def test_conv1d(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 9, 3))
    with backend.active(verify=True):
        run(layers.Conv1D(4, 3, pad="causal"), x)


def test_padded_max_pool_is_the_adjoint(rng: np.random.Generator) -> None:
    """Where theirs reads the input without its padding."""
    x = rng.random((2, 6, 7, 3)) + 1
    with backend.active():
        y, dx = run(layers.Pool2D((3, 3), 2, pad=1), x)[:2]
    assert np.isclose((dx * x).sum(), (np.arange(y.size).reshape(y.shape) / 8 * y).sum())
