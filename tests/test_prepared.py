"""Convolutions in evaluation keep their weights as kernels read them, and notice every change of them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F
from cnnfast import layers as L
from cnnfast import optim

Array = np.ndarray[Any, Any]


def is_prepared(layer: L.Module) -> bool:
    return "prepared=" in repr(layer)


@pytest.fixture
def layer() -> L.Conv2d:
    made = L.Conv2d(16, 24, 3, padding=1)
    made.eval()
    return made


@pytest.fixture
def x(rng: np.random.Generator) -> Array:
    return rng.standard_normal((2, 16, 9, 10)).astype(np.float32)


def expected(layer: L.Conv2d, x: Array) -> Array:
    return F.conv2d(x, layer.weight.data.copy(), layer.bias.data.copy(), padding=1)


def check(layer: L.Conv2d, x: Array) -> None:
    """What it gives now, in the layer alone and in a container."""
    wanted = expected(layer, x)
    for net in (layer, L.Sequential(layer).eval()):
        for _ in range(2):
            np.testing.assert_allclose(net(x), wanted, atol=1e-5 * np.abs(wanted).max())


def test_evaluation_prepares_and_training_does_not(layer: L.Conv2d, x: Array) -> None:
    check(layer, x)
    assert is_prepared(layer)
    layer.train()
    assert not is_prepared(layer)
    layer(x)
    assert not is_prepared(layer)


def test_what_is_prepared_is_used_again(layer: L.Conv2d, x: Array) -> None:
    layer(x)
    kept = vars(layer)["_prepared"][1]
    for _ in range(3):
        layer(x)
    assert vars(layer)["_prepared"][1] is kept
    assert kept.problems == 1
    layer(x[:1])
    assert kept.problems == 2


def test_a_batch_norm_does_not_ask_for_the_weight(layer: L.Conv2d, x: Array) -> None:
    net = L.Sequential(layer, L.BatchNorm2d(24), L.ReLU()).eval()
    net(x)
    kept = vars(layer)["_prepared"][1]
    net(x)
    assert vars(layer)["_prepared"][1] is kept


def in_place(layer: L.Conv2d) -> None:
    layer.weight.data *= 2


def assigned(layer: L.Conv2d) -> None:
    layer.weight.data = layer.weight.data + 1


def replaced(layer: L.Conv2d) -> None:
    layer.weight = L.Parameter(layer.weight.data + 1)


def loaded(layer: L.Conv2d) -> None:
    layer.load_state_dict({name: array + 1 for name, array in layer.state_dict().items()})


def stepped(layer: L.Conv2d) -> None:
    layer.weight.grad = np.ones_like(layer.weight.data)
    optim.SGD([layer.weight], lr=1.0).step()


@pytest.mark.parametrize("change", [in_place, assigned, replaced, loaded, stepped])
def test_changes_are_noticed(change: Callable[[L.Conv2d], None], layer: L.Conv2d, x: Array) -> None:
    check(layer, x)
    before = layer(x)
    change(layer)
    assert np.abs(layer(x) - before).max() > 0.1
    check(layer, x)


@pytest.mark.parametrize("view", [lambda w: w, lambda w: w[1:], memoryview, lambda w: w.T])
def test_whoever_holds_the_weight_may_change_it(view: Any, layer: L.Conv2d, x: Array) -> None:
    check(layer, x)
    held = view(layer.weight.data)
    for _ in range(3):
        before = layer(x)
        assert not is_prepared(layer)
        np.asarray(held)[...] += 1
        assert np.abs(layer(x) - before).max() > 0.1
    before = layer(x)
    np.asarray(held)[...] += 1
    del held
    assert np.abs(layer(x) - before).max() > 0.1
    check(layer, x)
    assert is_prepared(layer)


def test_an_array_of_the_user_is_his(rng: np.random.Generator, layer: L.Conv2d, x: Array) -> None:
    store = rng.standard_normal((2, 24, 16, 3, 3)).astype(np.float32)
    layer.weight = L.Parameter(store[0])
    check(layer, x)
    store += 1
    check(layer, x)
    assert not is_prepared(layer)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_prepare_their_own(again: Any, layer: L.Conv2d, x: Array) -> None:
    layer(x)
    other = again(layer)
    assert not is_prepared(other)
    other.weight.data += 1
    check(other, x)
    check(layer, x)


def test_other_dtypes_are_refused_alike(layer: L.Conv2d, x: Array) -> None:
    for net in (layer, copy.deepcopy(layer).train()):
        net(x)
        with pytest.raises(TypeError, match="is float32"):
            net(x.astype(np.float64))
