"""Layers and optimisers against torch's: the same text, state, outputs, gradients and steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layer_cases import CASES, DROPOUTS, Case

from cnnfast import layers as L
from cnnfast import optim

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
        np.testing.assert_allclose(net.state_dict()[name], array, rtol=1e-12, err_msg=name)


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


def build(nn: Any, **dtype: Any) -> Any:
    """A net of both libraries, which name their layers alike."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same", **dtype),
        nn.BatchNorm2d(4, **dtype),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Sequential(nn.ConvTranspose2d(4, 3, 2, stride=2, **dtype), nn.GELU()),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 5, **dtype),
        nn.LogSoftmax(dim=1),
    )


def test_net(rng: np.random.Generator) -> None:
    net, peer = build(L, dtype=np.float64), build(torch.nn).double()
    assert repr(net) == repr(peer)
    compare(net, peer, rng.standard_normal((3, 1, 6, 8)))


def test_state_goes_both_ways() -> None:
    net, peer = build(L), build(torch.nn)
    peer.load_state_dict({name: torch.from_numpy(a) for name, a in net.state_dict().items()})
    for name, array in arrays(peer.state_dict()).items():
        np.testing.assert_array_equal(net.state_dict()[name], array)


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
