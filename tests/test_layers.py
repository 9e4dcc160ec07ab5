"""Layers: gradients by central differences, what each adds to its op, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from layer_cases import CASES, DROPOUTS, Case, block, check_gradients, numeric_gradient, run

import cnnfast
from cnnfast import functional as F
from cnnfast import layers as L

F64 = {"dtype": np.float64}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES + DROPOUTS, ids=str)
def test_gradients(case: Case, training: bool, rng: np.random.Generator) -> None:
    layer = case.layer().train(training)
    check_gradients(layer, rng.standard_normal(case.shape), rng)


def test_gradients_of_a_net(rng: np.random.Generator) -> None:
    check_gradients(block(), rng.standard_normal((3, 2, 3, 4)), rng)


@pytest.mark.parametrize("case", [*CASES, *DROPOUTS], ids=str)
def test_backward_may_be_repeated_and_may_skip_the_input(case: Case, rng: np.random.Generator) -> None:
    layer = case.layer()
    grad_output = rng.standard_normal(layer(rng.standard_normal(case.shape)).shape)
    first = layer.backward(grad_output)
    once = [parameter.grad.copy() for parameter in layer.parameters()]
    assert layer.backward(grad_output, input_grad=False) is None
    np.testing.assert_array_equal(layer.backward(grad_output), first)
    for parameter, grad in zip(layer.parameters(), once, strict=True):
        np.testing.assert_allclose(parameter.grad, 3 * grad, rtol=1e-15)


@pytest.mark.parametrize("case", [*CASES, *DROPOUTS], ids=str)
def test_backward_needs_a_forward(case: Case) -> None:
    with pytest.raises(RuntimeError, match=rf"^{case.name}: backward needs a forward"):
        case.layer().backward(np.ones(case.shape))


def test_input_grad_reaches_only_the_first_layer(rng: np.random.Generator) -> None:
    net, x, grad_output = block(), rng.standard_normal((2, 2, 3, 4)), rng.standard_normal((2, 3))
    net(x)
    net.backward(grad_output)
    whole = {name: parameter.grad for name, parameter in net.named_parameters()}
    net.zero_grad()
    assert net.backward(grad_output, input_grad=False) is None
    for name, parameter in net.named_parameters():
        np.testing.assert_array_equal(parameter.grad, whole[name], err_msg=name)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_unpool_undoes_max_pool(rank: int, rng: np.random.Generator) -> None:
    pool = getattr(L, f"MaxPool{rank}d")(2, return_indices=True)
    unpool = getattr(L, f"MaxUnpool{rank}d")(2)
    x = rng.random((2, 3, *[5] * rank))
    y, indices = pool(x)
    z = unpool(y, indices, output_size=x.shape)
    np.testing.assert_array_equal(z, np.where(np.isin(x, y), x, 0))
    np.testing.assert_array_equal(unpool.backward(x), y)
    np.testing.assert_array_equal(pool.backward(y), z)
    assert unpool.backward(x, input_grad=False) is None


@pytest.mark.parametrize(
    ("make", "fan_in"),
    [
        (lambda: L.Conv2d(8, 32, 3, groups=2), 36),
        (lambda: L.ConvTranspose2d(32, 8, 3, groups=2), 36),
        (lambda: L.Linear(36, 64), 36),
    ],
    ids=["Conv2d", "ConvTranspose2d", "Linear"],
)
def test_initial_weights(make: Callable[[], Any], fan_in: int) -> None:
    cnnfast.manual_seed(3)
    layer, bound = make(), fan_in**-0.5
    assert layer.weight.data.dtype == layer.bias.data.dtype == np.float32
    assert 0.98 * bound < np.abs(layer.weight.data).max() <= np.float32(bound)
    assert abs(layer.weight.data.mean()) < 0.06 * bound
    assert 0 < np.abs(layer.bias.data).max() <= np.float32(bound)
    cnnfast.manual_seed(3)
    np.testing.assert_array_equal(make().weight.data, layer.weight.data)


@pytest.mark.parametrize(("mode", "numpy_mode"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
def test_padding_mode_is_padding_first(mode: str, numpy_mode: Any, rng: np.random.Generator) -> None:
    pads = ((3, 1), (0, 2))
    layer = L.Conv2d(2, 3, 2, padding=pads, padding_mode=mode, **F64)
    x = rng.standard_normal((2, 2, 4, 5))
    padded = np.pad(x, ((0, 0), (0, 0), *pads), mode=numpy_mode)
    np.testing.assert_array_equal(layer(x), F.conv2d(padded, layer.weight.data, layer.bias.data))
    if mode != "replicate":
        with pytest.raises(ValueError, match=r"Conv2d: padding is \(3, 1\) on an axis of 2"):
            layer(x[:, :, :2])


def test_conv_transpose_output_size(rng: np.random.Generator) -> None:
    layer = L.ConvTranspose2d(2, 3, 3, stride=(2, 3), **F64)
    x = rng.standard_normal((1, 2, 4, 4))
    for size in [(9, 12), (10, 14), (1, 3, 10, 13)]:
        assert layer(x, output_size=size).shape[2:] == size[-2:]
        assert layer.backward(layer(x, size)).shape == x.shape
    for size in [(11, 12), (9, 11), (9, 12, 1)]:
        with pytest.raises(ValueError, match="ConvTranspose2d: output_size is"):
            layer(x, output_size=size)


def test_batch_norm_running_statistics(rng: np.random.Generator) -> None:
    layer = L.BatchNorm1d(3, momentum=None, **F64)
    batches = rng.standard_normal((4, 5, 3))
    for batch in batches:
        layer(batch)
    np.testing.assert_allclose(layer.running_mean, batches.mean((0, 1)))
    np.testing.assert_allclose(layer.running_var, batches.var(1, ddof=1).mean(0))
    held = layer.state_dict()
    layer.eval()(batches[0])
    with pytest.raises(ValueError):
        layer.train()(np.ones((5, 4)))
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, held[name])
    assert layer.num_batches_tracked == 4


def test_batch_norm_without_statistics_is_the_same_in_evaluation(rng: np.random.Generator) -> None:
    layer, x = L.BatchNorm1d(3, track_running_stats=False, **F64), rng.standard_normal((4, 3))
    np.testing.assert_array_equal(layer(x), layer.eval()(x))


def test_dropout_in_evaluation_draws_nothing(rng: np.random.Generator) -> None:
    layer, x = L.Dropout(), rng.standard_normal((20, 20))
    first = run(layer, x)
    cnnfast.manual_seed(5)
    np.testing.assert_array_equal(layer.eval()(x), x)
    np.testing.assert_array_equal(layer.train()(x), first)
    assert 100 < np.sum(first == 0) < 300


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_loss(reduction: str, rng: np.random.Generator) -> None:
    logits, target = rng.standard_normal((4, 3, 2)), rng.integers(0, 3, (4, 2))
    target[0, 0] = -1
    loss = L.CrossEntropyLoss([1, 2, 3], ignore_index=-1, reduction=reduction, label_smoothing=0.1)
    value = loss(logits, target)
    assert isinstance(value, np.ndarray if reduction == "none" else float)
    grad_output = np.ones(np.shape(value))
    gradient = loss.backward(grad_output) if reduction == "none" else loss.backward()
    expected = numeric_gradient(lambda: float(np.sum(loss(logits, target))), logits)
    np.testing.assert_allclose(gradient, expected, atol=1e-8)
    assert loss.backward(grad_output, input_grad=False) is None
    assert list(loss.state_dict()) == ["weight"]


REFUSED = [
    (lambda: L.Conv2d(3, 4, 3, groups=2), ValueError, "Conv2d: 2 groups do not divide 3 input"),
    (lambda: L.Conv2d(2, 4, (3, 3, 3)), ValueError, "Conv2d: kernel_size"),
    (lambda: L.Conv2d(2, 4, 3, stride=0), ValueError, "Conv2d: stride"),
    (lambda: L.Conv2d(2, 4, 3, padding="half"), ValueError, "Conv2d: padding is 'half'"),
    (lambda: L.Conv2d(2, 4, 3, padding=-1), ValueError, "Conv2d: padding"),
    (lambda: L.Conv2d(2, 4, 3, padding_mode="same"), ValueError, "padding_mode is 'same'"),
    (
        lambda: L.Conv2d(2, 4, 3, 2, "same", padding_mode="reflect"),
        ValueError,
        "padding='same' with a stride",
    ),
    (lambda: L.Conv2d(2, 4, 3, dtype=np.int32), TypeError, "int32"),
    (
        lambda: L.Conv1d(2, 4, 1, padding_mode="reflect")(np.ones(3)),
        ValueError,
        "Conv1d: input",
    ),
    (lambda: L.ConvTranspose1d(2, 4, 3, padding="same"), TypeError, "ConvTranspose1d: padding"),
    (lambda: L.ConvTranspose1d(2, 4, 3, padding_mode="reflect"), ValueError, "padding_mode"),
    (lambda: L.BatchNorm1d(3)(np.ones((2, 3, 4, 4))), ValueError, "4 dimensions .expected 2 or 3"),
    (lambda: L.BatchNorm2d(3)(np.ones((2, 3, 4))), ValueError, "3 dimensions .expected 4"),
    (lambda: L.Dropout(1.5), ValueError, "Dropout: p is 1.5"),
    (lambda: L.Flatten()(np.ones(3)), ValueError, "Flatten: input has 1 dimensions"),
    (lambda: L.Flatten(2, 1)(np.ones((2, 3, 1))), ValueError, "start_dim 2 <= end_dim 1"),
    (lambda: L.Sequential(L.ReLU(), np.tanh), TypeError, "1 is ufunc .expected Module"),
    (lambda: L.Residual(L.Flatten())(np.ones((2, 3, 1))), ValueError, "Residual: body gives"),
    (lambda: L.Linear(2, 2)(np.ones((1, 2))), TypeError, "expected one dtype"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_refusals(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
