"""Modules: state, copies, text, sharing, and modules of one's own."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from layer_cases import CASES, DROPOUTS, Case, block, check_gradients, run

from cnnfast import layers as L

F64 = {"dtype": np.float64}

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
    y = net.eval()(x)
    for array in [*state.values(), *net.state_dict().values()]:
        array.fill(7)
    np.testing.assert_array_equal(net(x), y)
    np.testing.assert_array_equal(other.eval()(x), y)


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


@pytest.mark.parametrize("case", [*CASES, *DROPOUTS], ids=str)
def test_every_layer_pickles(case: Case, rng: np.random.Generator) -> None:
    layer, x = case.layer(), rng.standard_normal(case.shape)
    other = pickle.loads(pickle.dumps(layer))
    assert repr(other) == repr(layer)
    np.testing.assert_array_equal(run(other, x), run(layer, x))
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)


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


def test_sequential_is_a_sequence() -> None:
    net = L.Sequential(L.ReLU(), L.Tanh()).append(L.Sigmoid())
    assert len(net) == 3
    assert list(net) == [net[0], net[1], net[-1]]
    assert list(net[1:]) == [net[1], net[2]]
    x = np.ones(2)
    np.testing.assert_array_equal(L.Sequential()(x), x)
