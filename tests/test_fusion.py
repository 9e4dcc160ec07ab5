"""Layers that run as one give what they give one by one, notice every change, and write to nothing that is held."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cnnfast
from cnnfast import _config, _core
from cnnfast import layers as L

Array = np.ndarray[Any, Any]
RANKS = (1, 2, 3)
SETTINGS = [(isa, threads) for isa in _core.supported_isas() for threads in (1, 2)]


def activated(rng: np.random.Generator) -> list[L.Module]:
    return [[], [L.ReLU()], [L.ReLU6()], [L.ReLU(), L.ReLU6()], [L.LeakyReLU(0.1)]][int(rng.integers(5))]


def block(rank: int, channels: int, rng: np.random.Generator, dtype: Any) -> list[L.Module]:
    """Layers that keep shape and channels, in an order that may or may not be one to run together."""
    conv, norm = getattr(L, f"Conv{rank}d"), getattr(L, f"BatchNorm{rank}d")
    transposed = getattr(L, f"ConvTranspose{rank}d")
    kinds = [
        lambda: [conv(channels, channels, 3, padding=1, dtype=dtype)],
        lambda: [conv(channels, channels, 3, padding=1, padding_mode="reflect", bias=False, dtype=dtype)],
        lambda: [transposed(channels, channels, 3, padding=1, dtype=dtype)],
        lambda: [norm(channels, dtype=dtype)],
        lambda: [norm(channels, affine=False, track_running_stats=False, dtype=dtype)],
        lambda: [conv(channels, channels, 1, dtype=dtype), norm(channels, eps=0.1, bias=False, dtype=dtype)],
        lambda: [L.Residual(L.Sequential(*block(rank, channels, rng, dtype)))],
        lambda: [
            L.Residual(L.Sequential(*block(rank, channels, rng, dtype)), conv(channels, channels, 1, dtype=dtype))
        ],
        lambda: [L.Residual(L.Identity()), L.Dropout(0.5)],
        lambda: [L.Sequential(*block(rank, channels, rng, dtype))],
        list,
    ]
    return [layer for _ in range(int(rng.integers(1, 4))) for layer in (*rng.choice(kinds)(), *activated(rng))]


def nets(rank: int, dtype: Any, rng: np.random.Generator) -> Iterator[tuple[L.Sequential, Array]]:
    for _ in range(25):
        channels = int(rng.integers(1, 5))
        net = L.Sequential(*block(rank, channels, rng, dtype), *block(rank, channels, rng, dtype))
        for module in net.modules():
            if getattr(module, "running_mean", None) is not None:
                module.running_mean[...] = rng.standard_normal(channels)
                module.running_var[...] = rng.uniform(0.5, 2, channels)
        yield net, rng.standard_normal((3, channels, *((17,), (5, 9), (3, 4, 5))[rank - 1])).astype(dtype)


def one_by_one(module: L.Module, x: Array) -> Array:
    """What the layers give if nothing runs together; each keeps what its backward needs."""
    if type(module) is L.Sequential:
        for part in module:
            x = one_by_one(part, x)
        return x
    if type(module) is L.Residual:
        return one_by_one(module.body, x) + (x if module.shortcut is None else one_by_one(module.shortcut, x))
    return module(x)


def back(module: L.Module, grad: Array) -> Array:
    if type(module) is L.Sequential:
        for part in reversed(list(module)):
            grad = back(part, grad)
        return grad
    if type(module) is L.Residual:
        return back(module.body, grad) + (grad if module.shortcut is None else back(module.shortcut, grad))
    return module.backward(grad)


def close(got: Array, expected: Array, what: str) -> None:
    """Alike within rounding, which gradients of sums that cancel gather."""
    assert got.dtype == expected.dtype
    tolerance = {"float32": 2e-5, "float64": 1e-11}.get(got.dtype.name, 0) * np.max(np.abs(expected), initial=1)
    np.testing.assert_allclose(got, expected, atol=tolerance, err_msg=what)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("training", [True, False])
def test_as_one_by_one(rank: int, training: bool, rng: np.random.Generator) -> None:
    """Outputs, gradients of everything, and the state after it; float64, lest rounding move a ReLU over its bend."""
    for net, x in nets(rank, np.float64, rng):
        net.train(training)
        other = copy.deepcopy(net)
        cnnfast.manual_seed(1)
        expected = one_by_one(other, x)
        grad = rng.standard_normal(expected.shape)
        grad_input = back(other, grad)
        x.flags.writeable = grad.flags.writeable = False
        for isa, threads in SETTINGS:
            one = copy.deepcopy(net)
            with _config.using(isa=isa, threads=threads):
                cnnfast.manual_seed(1)
                close(one(x), expected, repr(net))
                close(one.backward(grad), grad_input, repr(net))
            for got, wanted in zip(one.parameters(), other.parameters(), strict=True):
                close(got.grad, wanted.grad, f"{got.name} of {net}")
            for name, array in other.state_dict().items():
                close(one.state_dict()[name], array, f"{name} of {net}")


@pytest.mark.parametrize("rank", RANKS)
def test_evaluation_of_float32(rank: int, rng: np.random.Generator) -> None:
    for net, x in nets(rank, np.float32, rng):
        close(net.eval()(x), one_by_one(net, x), repr(net))


@pytest.mark.parametrize("training", [True, False])
def test_what_is_held_stays(training: bool, rng: np.random.Generator) -> None:
    """Input, outputs, gradients: of this call and of those before."""
    conv = L.Conv2d(4, 4, 3, padding=1)
    net = L.Sequential(L.Identity(), L.Residual(L.Sequential(conv, L.BatchNorm2d(4), L.ReLU())), L.ReLU6(), conv)
    net.train(training)
    held: list[tuple[Array, Array]] = []
    for _ in range(4):
        x, grad = rng.standard_normal((2, 2, 4, 70, 70)).astype(np.float32)
        net.zero_grad()
        y = net(x)
        arrays = [x, grad, y, net.backward(grad), *(parameter.grad for parameter in net.parameters())]
        held += [(array, array.copy()) for array in arrays]
        for array, before in held:
            np.testing.assert_array_equal(array, before)


def small() -> L.Sequential:
    return L.Sequential(L.Conv1d(2, 3, 3), L.BatchNorm1d(3), L.ReLU6(), L.Flatten(), L.Linear(18, 2), L.ReLU())


@pytest.mark.parametrize(
    "name", ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "4.bias"]
)
def test_every_change_in_place_is_noticed(name: str, rng: np.random.Generator) -> None:
    net, x = small().eval(), 1 + rng.standard_normal((4, 2, 8)).astype(np.float32)
    module: Any = net[int(name[0])]
    for bias in (net[1].bias, net[4].bias):
        bias.data += 1
    before = net(x)
    held = getattr(module, name[2:])
    (held.data if isinstance(held, L.Parameter) else held)[...] += 0.25
    after = net(x)
    assert not np.array_equal(after, before)
    close(after, one_by_one(net, x), name)


def test_changes_of_structure_are_noticed(rng: np.random.Generator) -> None:
    net, x = small().eval(), rng.standard_normal((4, 2, 8)).astype(np.float32)
    net(x)
    net.append(L.Linear(2, 2))
    setattr(net, "1", L.Identity())
    close(net.eval()(x), one_by_one(net, x), "appended and replaced")
    delattr(net, "2")
    close(net(x), one_by_one(net, x), "deleted")
    net.train()
    close(net(x), one_by_one(net, x), "in training")


class Doubled(L.ReLU):
    """A layer of somebody's own."""

    def forward(self, input: Any) -> Array:
        return 2 * super().forward(input)

    def backward(self, grad_output: Any, input_grad: bool = True) -> Any:
        return super().backward(2 * grad_output, input_grad)


class Named(L.Sequential):
    """A net of somebody's own that only says what is in it."""

    def __init__(self) -> None:
        super().__init__(L.Conv1d(2, 3, 3), L.BatchNorm1d(3), L.ReLU())


@pytest.mark.parametrize("training", [True, False])
def test_a_subclass_does_what_it_says(training: bool, rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 2, 8)).astype(np.float32)
    net = L.Sequential(L.Conv1d(2, 3, 3), Doubled(), Named()[2]).train(training)
    close(net(x), one_by_one(net, x), "own forward")
    assert "runs with" not in repr(net)
    own = Named().train(training)
    own(x)
    assert "runs with" in repr(own)


def test_random_layers_in_evaluation_run_once(rng: np.random.Generator) -> None:
    """Dropout that somebody left in training draws once, and the gradient has its zeros."""
    net = L.Sequential(L.Conv1d(2, 2, 1), L.Dropout(0.5)).eval()
    net[1].train()
    x, ones = rng.standard_normal((4, 2, 50)), np.ones((4, 2, 50))
    net[0].weight.data, net[0].bias.data = np.eye(2)[:, :, None], np.zeros(2)
    np.testing.assert_array_equal(net(x) == 0, net.backward(ones) == 0)


def test_repr_tells_what_ran_together(rng: np.random.Generator) -> None:
    net, x = small(), np.ones((4, 2, 8), np.float32)
    net.append(L.Residual(L.Linear(2, 2))).append(L.ReLU())
    before = repr(net)
    net(x)
    trained = [line.partition("  # ")[2] for line in repr(net).splitlines()[1:-1]]
    assert trained == ["", "", "runs with (1)", "", "", "runs with (4)", "", "", "", "runs with (6)"]
    net.eval()(x)
    evaluated = [line.partition("  # ")[2] for line in repr(net).splitlines()[1:-1]]
    assert evaluated == ["", "runs with (0)", "runs with (0)", *trained[3:]]
    assert repr(copy.deepcopy(net)) == before


def test_evaluation_keeps_the_input_alone() -> None:
    net, x = small(), np.ones((4, 2, 8), np.float32)
    net(x)
    assert all(module._saved is not None for module in (net, net[0], net[1], net[4]))
    net.eval()(x)
    assert [module._saved for module in net] == [None] * len(net)
    assert net._saved.input is x


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("last", [L.Conv1d(2, 3, 1), L.BatchNorm1d(3), L.Tanh()])
def test_ways_that_do_not_fit(training: bool, last: L.Module) -> None:
    net = L.Sequential(L.Residual(L.Sequential(L.Conv1d(2, 2 if "Conv" in repr(last) else 3, 1), last)), L.ReLU())
    with pytest.raises(ValueError, match=r"Residual: body gives \(1, 3, 4\), shortcut gives \(1, 2, 4\)"):
        net.train(training)(np.ones((1, 2, 4), np.float32))


def test_verbose_lines_tell_of_the_tail(capfd: pytest.CaptureFixture[str]) -> None:
    net = L.Sequential(L.Residual(L.Sequential(L.Conv1d(2, 2, 1), L.BatchNorm1d(2))), L.ReLU6()).eval()
    with _config.verbose():
        net(np.ones((1, 2, 4), np.float32))
    err = capfd.readouterr().err
    assert ", normalised plus an array in [0, 6], " in err
    assert not any(text in err for text in ("activation", "norm n1"))
