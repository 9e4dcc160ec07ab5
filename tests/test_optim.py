"""Optimisers against their formulas in plain Python, and what they leave alone and refuse."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np
import pytest

from cnnfast.layers import Linear, Parameter
from cnnfast.optim import SGD, Adam, AdamW, Optimizer

Steps = Iterator[float]


def sgd(w: float, grads: list[float], lr: float, momentum: float, decay: float, nesterov: bool) -> Steps:
    velocity = 0.0
    for grad in grads:
        g = grad + decay * w
        velocity = momentum * velocity + g
        w -= lr * (g + momentum * velocity if nesterov else velocity)
        yield w


def adam(w: float, grads: list[float], lr: float, decay: float, decoupled: float) -> Steps:
    mean = square = 0.0
    for step, grad in enumerate(grads, 1):
        w *= 1 - lr * decoupled
        g = grad + decay * w
        mean = 0.9 * mean + 0.1 * g
        square = 0.999 * square + 0.001 * g * g
        w -= lr * (mean / (1 - 0.9**step)) / (sqrt(square / (1 - 0.999**step)) + 1e-8)
        yield w


FORMULAS = [
    (SGD, {"lr": 0.1}, lambda w, g: sgd(w, g, 0.1, 0, 0, False)),
    (SGD, {"lr": 0.1, "momentum": 0.9}, lambda w, g: sgd(w, g, 0.1, 0.9, 0, False)),
    (
        SGD,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.2, "nesterov": True},
        lambda w, g: sgd(w, g, 0.1, 0.9, 0.2, True),
    ),
    (Adam, {}, lambda w, g: adam(w, g, 1e-3, 0, 0)),
    (Adam, {"lr": 0.1, "weight_decay": 0.2}, lambda w, g: adam(w, g, 0.1, 0.2, 0)),
    (AdamW, {"lr": 0.1}, lambda w, g: adam(w, g, 0.1, 0, 0.01)),
]


@pytest.mark.parametrize(("kind", "options", "formula"), FORMULAS, ids=[f"{k.__name__}{o}" for k, o, _ in FORMULAS])
def test_steps_follow_the_formula(
    kind: type[Any],
    options: dict[str, Any],
    formula: Callable[..., Steps],
    rng: np.random.Generator,
) -> None:
    start, grads = rng.standard_normal(3), rng.standard_normal((10, 3))
    parameter = Parameter(start.copy())
    data, optimizer = parameter.data, kind([parameter], **options)
    expected = zip(*(formula(w, g) for w, g in zip(start, grads.T, strict=True)), strict=True)
    for grad, values in zip(grads, expected, strict=True):
        parameter.grad = grad
        held = grad.copy()
        optimizer.step()
        np.testing.assert_allclose(data, values, rtol=1e-13)
        np.testing.assert_array_equal(grad, held)
    assert parameter.data is data


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_step_passes_over_parameters_without_gradient(kind: type[Any]) -> None:
    moved, still = Parameter(np.ones(2)), Parameter(np.ones(2))
    optimizer = kind([moved, still, moved], lr=0.1)
    moved.grad = still.grad = np.ones(2)
    optimizer.zero_grad()
    assert moved.grad is still.grad is None
    moved.grad = np.ones(2)
    optimizer.step()
    np.testing.assert_array_equal(still.data, [1, 1])
    np.testing.assert_allclose(moved.data, [0.9, 0.9], rtol=1e-2)


def test_lr_may_change_and_dtype_stays() -> None:
    weight = Parameter(np.ones(2, np.float32))
    optimizer = SGD([weight], lr=0.5)
    for lr in (np.float64(0.5), 0.25):
        optimizer.lr = lr
        weight.grad = np.ones(2, np.float32)
        optimizer.step()
    np.testing.assert_array_equal(weight.data, np.full(2, 0.25, np.float32))
    assert weight.data.dtype == np.float32


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, 0.9), Adam])
def test_training_goes_on_after_a_pickle(make: Callable[[Any], Optimizer], rng: np.random.Generator) -> None:
    def train(net: Linear, optimizer: Optimizer) -> np.ndarray:
        for _ in range(3):
            optimizer.zero_grad()
            net.backward(net(x) - x)
            optimizer.step()
        return net.weight.data

    x, net = rng.standard_normal((4, 3)), Linear(3, 3, dtype=np.float64)
    optimizer = make(net.parameters())
    train(net, optimizer)
    copies = pickle.loads(pickle.dumps((net, optimizer)))
    np.testing.assert_array_equal(train(*copies), train(net, optimizer))


WEIGHT = Parameter(np.ones(2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SGD([], 0.1), ValueError, "SGD: params is empty"),
        (lambda: Adam([np.ones(2)]), TypeError, "Adam: params holds ndarray .expected Parameter"),
        (lambda: SGD([WEIGHT], -0.1), ValueError, "SGD: lr is -0.1"),
        (lambda: SGD([WEIGHT], 0.1, float("nan")), ValueError, "momentum is nan"),
        (lambda: SGD([WEIGHT], 0.1, nesterov=True), ValueError, "nesterov needs a momentum"),
        (lambda: Adam([WEIGHT], betas=(0.9, 1.0)), ValueError, "Adam: beta2 is 1.0"),
        (lambda: AdamW([WEIGHT], weight_decay=-1), ValueError, "AdamW: weight_decay is -1"),
    ],
)
def test_refusals(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
