"""Layers: gradients by central differences, state, copies, sharing, and what they refuse."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from layer_cases import CASES, DROPOUTS, Case

import cnnfast
from cnnfast import functional as F
from cnnfast import layers as L

F64 = {"dtype": np.float64}


def run(layer: L.Module, x: np.ndarray) -> np.ndarray:
    """The output, with the same random zeros every time."""
    cnnfast.manual_seed(5)
    return layer(x)


def numeric_gradient(f: Callable[[], float], array: np.ndarray, step: float = 1e-6) -> np.ndarray:
    gradient = np.empty_like(array)
    for i, value in np.ndenumerate(array):
        array[i] = value + step
        above = f()
        array[i] = value - step
        gradient[i] = (above - f()) / (2 * step)
        array[i] = value
    return gradient


def check_gradients(layer: L.Module, x: np.ndarray, rng: np.random.Generator) -> None:
    """All gradients against central differences, on arrays that must not be written to."""
    grad_output = rng.standard_normal(run(layer, x).shape)
    layer.zero_grad()
    grad_output.flags.writeable = x.flags.writeable = False
    grad_input = layer.backward(grad_output)
    x.flags.writeable = True

    def loss() -> float:
        return float(np.sum(run(layer, x) * grad_output))

    np.testing.assert_allclose(grad_input, numeric_gradient(loss, x), atol=1e-7)
    for name, parameter in layer.named_parameters():
        expected = numeric_gradient(loss, parameter.data)
        np.testing.assert_allclose(parameter.grad, expected, atol=1e-7, err_msg=name)


def block() -> L.Sequential:
    """A net with every kind of container and state in it."""
    body = L.Sequential(
        OrderedDict(
            conv=L.Conv2d(2, 2, 3, padding=1, padding_mode="circular", bias=False, **F64),
            norm=L.BatchNorm2d(2, **F64),
            relu=L.ReLU(),
        )
    )
    residual = L.Residual(body, L.Conv2d(2, 2, 1, **F64))
    return L.Sequential(residual, L.Residual(L.Tanh()), L.Flatten(), L.Linear(24, 3, **F64))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES + DROPOUTS, ids=str)
def test_gradients(case: Case, training: bool, rng: np.random.Generator) -> None:
    layer = case.layer().train(training)
    check_gradients(layer, rng.standard_normal(case.shape), rng)


def test_gradients_of_a_net(rng: np.random.Generator) -> None:
    check_gradients(block(), rng.standard_normal((3, 2, 3, 4)), rng)


@pytest.mark.parametrize("case", [*CASES, *DROPOUTS], ids=str)
def test_backward_may_be_repeated_and_may_skip_the_input(
    case: Case, rng: np.random.Generator
) -> None:
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


# State, copies, text


TRACKED = "0.body.norm.num_batches_tracked"
STATE = [
    "0.body.conv.weight",
    "0.body.norm.weight",
    "0.body.norm.bias",
    "0.body.norm.running_mean",
    "0.body.norm.running_var",
    TRACKED,
    "0.shortcut.weight",
    "0.shortcut.bias",
    "3.weight",
    "3.bias",
]


def test_state_dict_round_trip(tmp_path: Any, rng: np.random.Generator) -> None:
    net, other, x = block(), block(), rng.standard_normal((2, 2, 3, 4))
    net(x)
    state = net.state_dict()
    assert list(state) == STATE
    tracked = state[TRACKED]
    assert (tracked.shape, tracked.dtype, tracked) == ((), np.int64, 1)
    np.savez(tmp_path / "net.npz", **state)
    with np.load(tmp_path / "net.npz") as loaded:
        assert other.load_state_dict(loaded) == ([], [])
    np.testing.assert_array_equal(other.eval()(x), net.eval()(x))
    held = other.state_dict()
    for array in [*state.values(), *held.values()]:
        array.fill(7)
    np.testing.assert_array_equal(other(x), net(x))


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda state: state.pop(name)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (without("3.bias"), ValueError, r"missing 3\.bias"),
        (without("0.body.norm.running_var"), ValueError, r"missing 0\.body\.norm\.running_var"),
        (lambda s: s.update(more=1), ValueError, "unexpected more"),
        (lambda s: s.update({"3.bias": np.ones(4)}), ValueError, r"3\.bias has shape \(4,\)"),
        (lambda s: s.update({"3.bias": np.ones(3, complex)}), TypeError, r"3\.bias is complex128"),
        (lambda s: s.update({TRACKED: np.array(1.0)}), TypeError, "tracked is float64"),
    ],
)
def test_load_state_dict_is_all_or_nothing(
    change: Callable[[dict[str, Any]], Any], error: type[Exception], message: str
) -> None:
    net, state = block(), {name: array + 1 for name, array in block().state_dict().items()}
    before = net.state_dict()
    change(state)
    with pytest.raises(error, match=message):
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_load_state_dict_of_part_of_a_net() -> None:
    net = block()
    keys = net.load_state_dict({"3.bias": [1, 2, 3], "more": 0}, strict=False)
    np.testing.assert_array_equal(net[3].bias.data, [1.0, 2.0, 3.0])
    assert keys.unexpected_keys == ["more"]
    assert keys.missing_keys == [k for k in STATE if k not in ("3.bias", TRACKED)]
    assert net.load_state_dict({k: v for k, v in net.state_dict().items() if k != TRACKED})


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_whole_and_leave_activations_behind(
    duplicate: Callable[[L.Module], L.Module], rng: np.random.Generator
) -> None:
    net, x = block(), rng.standard_normal((2, 2, 3, 4))
    size = len(pickle.dumps(net))
    y = net(x)
    assert len(pickle.dumps(net)) == size
    other = duplicate(net)
    with pytest.raises(RuntimeError, match="needs a forward"):
        other.backward(y)
    np.testing.assert_array_equal(other.eval()(x), net.eval()(x))
    other[3].weight.data += 1
    assert not np.array_equal(other(x), net(x))


def test_repr() -> None:
    expected = """Sequential(
  (0): Residual(
    (body): Sequential(
      (conv): Conv2d(2, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False, \
padding_mode=circular)
      (norm): BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=True, bias=True, \
track_running_stats=True)
      (relu): ReLU()
    )
    (shortcut): Conv2d(2, 2, kernel_size=(1, 1), stride=(1, 1))
  )
  (1): Residual(
    (body): Tanh()
  )
  (2): Flatten(start_dim=1, end_dim=-1)
  (3): Linear(in_features=24, out_features=3, bias=True)
)"""
    assert repr(block()) == expected


# Sharing


def test_a_parameter_in_two_layers_gets_both_gradients(rng: np.random.Generator) -> None:
    first, second = L.Linear(3, 3, **F64), L.Linear(3, 3, **F64)
    second.weight = first.weight
    net = L.Sequential(first, L.Tanh(), second)
    assert [p.name for p in net.parameters()] == ["0.weight", "0.bias", "2.bias"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    check_gradients(net, rng.standard_normal((2, 3)), rng)
    twin = copy.deepcopy(net)
    assert twin[0].weight is twin[2].weight


def test_a_layer_in_several_places_gets_all_gradients(rng: np.random.Generator) -> None:
    conv, tanh = L.Conv1d(2, 2, 3, padding=1, **F64), L.Tanh()
    pair = L.Sequential(conv, tanh)
    net = L.Sequential(pair, L.Residual(tanh, conv), tanh, pair)
    assert len(list(net.parameters())) == 2
    check_gradients(net, rng.standard_normal((2, 2, 4)), rng)


# Modules of one's own


class Mixture(L.Module):
    def __init__(self) -> None:
        self.first = L.Linear(2, 3)
        self.register_buffer("scale", np.ones(1))
        self.gate = L.Parameter(np.ones(3, np.float32))
        self.rest = L.Sequential(L.Dropout(), L.ReLU())


def test_own_module_holds_what_its_attributes_are() -> None:
    net = Mixture()
    assert [name for name, _ in net.named_parameters()] == ["gate", "first.weight", "first.bias"]
    assert list(net.state_dict()) == ["gate", "scale", "first.weight", "first.bias"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
    assert list(net.children()) == [net.first, net.rest]
    assert not net.eval().rest[0].training
    assert net.train().rest[0].training
    for parameter in net.parameters():
        parameter.accumulate(np.ones_like(parameter.data))
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_own_module_refuses_arrays_in_the_place_of_parts() -> None:
    net = Mixture()
    with pytest.raises(TypeError, match=r"Mixture\.gate is ndarray \(expected Parameter or None\)"):
        net.gate = np.ones(3)
    with pytest.raises(TypeError, match=r"Mixture\.first is function \(expected Module or None\)"):
        net.first = lambda x: x
    with pytest.raises(ValueError, match="'train' cannot name a module"):
        net.add_module("train", L.ReLU())
    with pytest.raises(NotImplementedError, match="Mixture has no forward"):
        net(1)
    net.gate = None
    assert "gate" not in net.state_dict()


def test_parameter_checks_what_it_holds_and_adds() -> None:
    with pytest.raises(TypeError, match=r"data is int64 \(expected float32 or float64\)"):
        L.Parameter(np.arange(3))
    parameter = L.Parameter(np.zeros(3, np.float32))
    grad = np.ones(3, np.float32)
    parameter.accumulate(grad)
    parameter.accumulate(grad)
    assert grad.sum() == 3
    np.testing.assert_array_equal(parameter.grad, [2, 2, 2])
    with pytest.raises(ValueError, match=r"the gradient has shape \(1,\) \(expected \(3,\)\)"):
        parameter.accumulate([1.0])


# Single layers


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


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]
)
def test_padding_mode_is_padding_first(
    mode: str, numpy_mode: Any, rng: np.random.Generator
) -> None:
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
    loss = L.CrossEntropyLoss(
        [1.0, 2.0, 3.0], ignore_index=-1, reduction=reduction, label_smoothing=0.1
    )
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


def test_sequential_is_a_sequence() -> None:
    net = L.Sequential(L.ReLU(), L.Tanh()).append(L.Sigmoid())
    assert len(net) == 3
    assert list(net) == [net[0], net[1], net[-1]]
    assert list(net[1:]) == [net[1], net[2]]
    x = np.ones(2)
    np.testing.assert_array_equal(L.Sequential()(x), x)
