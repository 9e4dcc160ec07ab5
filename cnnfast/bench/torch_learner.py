"""PyTorch as a learner of whole nets, with its usual memory layout or channels last."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cnnfast.bench.learners import MOMENTUM, RATE
from cnnfast.bench.torch_peer import LAST
from cnnfast.bench.zoo import Net
from cnnfast.testing import Array


class Residual(nn.Module):
    """The sum of two ways."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Any) -> Any:
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


class Joined(nn.Module):
    """The input and what `body` makes of it, side by side along the channels."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Any) -> Any:
        return torch.cat([x, self.body(x)], 1)


class _Layers:
    """PyTorch's layers and the two containers that it lacks."""

    Residual, Joined = Residual, Joined

    def __getattr__(self, name: str) -> Any:
        return getattr(nn, name)


class _Flat(_Layers):
    """Layers of 1D as layers of 2D on a height of 1, for which there is a layout with channels last."""

    def Conv1d(self, channels: int, width: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1,
               **more: Any) -> nn.Module:  # fmt: skip
        axes: Any = [(1, kernel), (1, stride), (0, padding), (1, dilation)]
        return nn.Conv2d(channels, width, *axes, **more)

    BatchNorm1d = nn.BatchNorm2d


class TorchLearner:
    """`Learner` of PyTorch."""

    def __init__(self, last: bool, net: Net, input: Array, target: Array, state: dict[str, Array]) -> None:
        self.name = "torch-cl" if last else "torch"
        flat = last and len(net.shape) == 3
        x, goal = torch.from_numpy(input), torch.from_numpy(target)
        self.net = net.make(_Flat() if flat else _Layers()).to(x.dtype)
        held = self.net.state_dict()
        self.net.load_state_dict({name: torch.from_numpy(a).reshape(held[name].shape) for name, a in state.items()})
        if flat:
            x, goal = x.unsqueeze(2), goal.unsqueeze(1)
        if last:
            layout = LAST[x.dim() - 2]
            x, self.net = x.contiguous(memory_format=layout), self.net.to(memory_format=layout)
        self.input, self.target = x, goal
        self.optimizer = torch.optim.SGD(self.net.parameters(), RATE, MOMENTUM)

    def loss(self) -> float:
        self.net.train()
        self.optimizer.zero_grad()
        return self._backpropagate()

    def _backpropagate(self) -> float:
        loss: Any = nn.functional.cross_entropy(self.net(self.input), self.target)
        loss.backward()
        return float(loss.detach())

    def train(self) -> None:
        self.optimizer.zero_grad()
        self._backpropagate()
        self.optimizer.step()

    def infer(self) -> Any:
        with torch.inference_mode():
            return self.net(self.input)

    def state(self) -> dict[str, Array]:
        return {name: tensor.numpy() for name, tensor in self.net.state_dict().items()}

    def gradients(self) -> dict[str, Array]:
        return {name: p.grad.numpy() for name, p in self.net.named_parameters()}
