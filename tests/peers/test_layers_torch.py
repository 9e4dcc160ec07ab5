"""Layers and optimisers against torch's: the same text, state, outputs, gradients and steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from layer_cases import CASES, DROPOUTS, Case

from cnnfast import layers as L
from cnnfast import optim
from cnnfast.layers.layer import WeightedLayer

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


def arrays(state: Any) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in state.items()}


def compare(net: L.Module, peer: Any, x: np.ndarray) -> None:
    """Load the peer's state, then compare a pass forward and backward, and the state after it."""
    assert list(net.state_dict()) == list(peer.state_dict())
    net.load_state_dict(arrays(peer.state_dict()))
    input = torch.tensor(x, requires_grad=True)
    output = peer(input.clone())
    grad_output = torch.randn_like(output)
    output.backward(grad_output)
    np.testing.assert_allclose(net(x), output.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(net.backward(grad_output.numpy()), input.grad, atol=1e-12)
    for (name, ours), theirs in zip(net.named_parameters(), peer.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad, atol=1e-11, err_msg=name)
    for name, array in arrays(peer.state_dict()).items():
        np.testing.assert_allclose(net.state_dict()[name], array, rtol=1e-12, atol=1e-12, err_msg=name)


def arguments(kind: Any) -> dict[str, Any]:
    """Names and defaults, but for those that are PyTorch's own."""
    parameters = inspect.signature(kind).parameters
    return {
        name: p.default for name, p in parameters.items() if name not in ("device", "dtype", "size_average", "reduce")
    }


TAKE_ANYTHING = {"Module", "Parameter", "Sequential", "Identity", "Sigmoid", "Tanh"}


@pytest.mark.parametrize("name", [n for n in L.__all__ if hasattr(torch.nn, n) and n not in TAKE_ANYTHING])
def test_arguments_of_constructors(name: str) -> None:
    assert list(arguments(getattr(L, name)).items()) == list(arguments(getattr(torch.nn, name)).items())


def twin(case: Case) -> Any:
    return getattr(torch.nn, case.name)(*case.args, **case.kwargs).double()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer(case: Case, rng: np.random.Generator) -> None:
    net, peer = case.layer(), twin(case)
    assert repr(net) == repr(peer)
    x = rng.standard_normal(case.shape)
    compare(net, peer, x)
    net.zero_grad()
    peer.zero_grad()
    compare(net.eval(), peer.eval(), x)


@pytest.mark.parametrize("case", DROPOUTS, ids=str)
def test_dropout_in_evaluation(case: Case, rng: np.random.Generator) -> None:
    net, peer = case.layer().eval(), twin(case).eval()
    assert repr(net) == repr(peer)
    compare(net, peer, rng.standard_normal(case.shape))


class TorchResidual(torch.nn.Module):
    """`Residual`, as people write it in PyTorch."""

    def __init__(self, body: Any, shortcut: Any = None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Any) -> Any:
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))

    def __repr__(self) -> str:
        return super().__repr__().replace("TorchResidual", "Residual", 1)


class Ours:
    """Makes layers of float64."""

    def __getattr__(self, name: str) -> Any:
        kind = getattr(L, name)
        return partial(kind, dtype=np.float64) if issubclass(kind, WeightedLayer) else kind


class Theirs:
    """Makes the same of torch's."""

    def __getattr__(self, name: str) -> Any:
        kind = TorchResidual if name == "Residual" else getattr(torch.nn, name)
        return lambda *args, **kwargs: kind(*args, **kwargs).double()


MODES = ("zeros", "zeros", "reflect", "replicate", "circular")
Make = Callable[[Any], Any]


def random_block(rng: np.random.Generator, rank: int, channels: int) -> tuple[Make, int]:
    """A few layers, made of either library's, and the channels that come out."""

    def one(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    out, groups, mode = 2 * int(rng.integers(1, 5)), one(1, 2), one(*MODES)
    kernel, dilation, stride, bias = one(1, 2, 3), one(1, 2), one(1, 1, 2), bool(one(True, False))
    momentum, pool, act = (
        one(0.1, None),
        one("MaxPool", "AvgPool"),
        one("ReLU", "LeakyReLU", "GELU", "SiLU", "Tanh", "Sigmoid", "ReLU6"),
    )

    def conv(nn: Any, inputs: int, outputs: int, *args: Any, **kwargs: Any) -> Any:
        return getattr(nn, f"Conv{rank}d")(inputs, outputs, *args, **kwargs)

    def norm(nn: Any) -> Any:
        return getattr(nn, f"BatchNorm{rank}d")(out, momentum=momentum)

    def plain(nn: Any) -> Any:
        # A border of nothing but padding would have the mean of its channel, at which a rectifier bends.
        settings = {"padding": kernel // 2, "dilation": dilation, "groups": groups, "bias": bias, "padding_mode": mode}
        return nn.Sequential(conv(nn, channels, out, kernel, stride, **settings), norm(nn), getattr(nn, act)())

    def residual(nn: Any) -> Any:
        first, second = conv(nn, channels, out, 3, stride, 1, bias=False), conv(nn, out, out, 3, padding="same")
        body = nn.Sequential(first, norm(nn), nn.ReLU(inplace=True), second)
        shortcut = None if (channels, stride) == (out, 1) else conv(nn, channels, out, 1, stride)
        return nn.Sequential(nn.Residual(body, shortcut), nn.ReLU())

    def transposed(nn: Any) -> Any:
        upwards = getattr(nn, f"ConvTranspose{rank}d")(channels, out, 3, 2, 1, 1, groups, bias, dilation)
        return nn.Sequential(upwards, norm(nn))

    def pooled(nn: Any) -> Any:
        return nn.Sequential(
            conv(nn, channels, out, 1), getattr(nn, f"{pool}{rank}d")(2, 1 + stride % 2, padding=1), nn.Dropout(0.0)
        )

    return one(plain, plain, residual, transposed, pooled), out


def random_net(rng: np.random.Generator, rank: int) -> Make:
    """Blocks of convolution, then pooling to a few points and a classifier."""
    channels, makers = 2, []
    for _ in range(int(rng.integers(1, 5))):
        make, channels = random_block(rng, rank, channels)
        makers.append(make)

    def net(nn: Any) -> Any:
        pool = getattr(nn, f"AdaptiveAvgPool{rank}d")(2)
        head = [pool, nn.Flatten(), nn.Linear(channels * 2**rank, 3), nn.LogSoftmax(dim=1)]
        return nn.Sequential(*[make(nn) for make in makers], *head)

    return net


def runs(peer: Any, shape: tuple[int, ...]) -> bool:
    """Whether no kernel is larger than what is left to it."""
    try:
        peer(torch.ones(shape, dtype=torch.float64))
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_random_nets_train_alike(rank: int, rng: np.random.Generator) -> None:
    """Of the state that torch's starts with; a few steps, then evaluation, then back into a new net of torch's."""
    shape, solved = (3, 2, *((17,), (9, 8), (6, 5, 6))[rank - 1]), 0
    while solved < 12:
        make = random_net(rng, rank)
        net, peer = make(Ours()), make(Theirs())
        assert repr(net) == repr(peer)
        if not runs(peer.eval(), shape):
            with pytest.raises(ValueError):
                net.eval()(np.ones(shape))
            continue
        solved += 1
        net.train()
        peer.train()
        for _ in range(2):
            compare(net, peer, rng.standard_normal(shape))
            net.zero_grad()
            peer.zero_grad()
        compare(net.eval(), peer.eval(), rng.standard_normal(shape))
        fresh = make(Theirs())
        fresh.load_state_dict({name: torch.from_numpy(a) for name, a in net.state_dict().items()})
        x = rng.standard_normal(shape)
        np.testing.assert_allclose(fresh.eval()(torch.tensor(x)).detach(), net(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4, 5), (3,)])
def test_cross_entropy_loss(shape: tuple[int, ...], reduction: str, rng: np.random.Generator) -> None:
    options = {"ignore_index": 2, "reduction": reduction, "label_smoothing": 0.1}
    weight, logits = rng.random(3), rng.standard_normal(shape)
    target = rng.integers(0, 2, shape[:1] + shape[2:] if len(shape) > 1 else ())
    ours = L.CrossEntropyLoss(weight, **options)
    theirs = torch.nn.CrossEntropyLoss(torch.tensor(weight), **options)
    input = torch.tensor(logits, requires_grad=True)
    loss = theirs(input, torch.tensor(target))
    loss.backward()
    assert repr(ours) == repr(theirs)
    assert ours(logits, target) == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(ours.backward(), input.grad, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ("Adam", {}),
        ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
        ("AdamW", {}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.3}),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_optimizer(name: str, options: dict[str, Any], dtype: type[Any], rng: np.random.Generator) -> None:
    start = rng.standard_normal((3, 4)).astype(dtype)
    ours, theirs = L.Parameter(start.copy()), torch.nn.Parameter(torch.tensor(start))
    optimizer = getattr(optim, name)([ours], **options)
    peer = getattr(torch.optim, name)([theirs], **options)
    for step in range(20):
        grad = rng.standard_normal((3, 4)).astype(dtype)
        ours.grad, theirs.grad = grad, torch.tensor(grad)
        optimizer.lr = peer.param_groups[0]["lr"] = optimizer.lr * 0.9
        optimizer.step()
        peer.step()
        tolerance = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(ours.data, theirs.detach(), rtol=tolerance, atol=tolerance, err_msg=f"step {step}")
