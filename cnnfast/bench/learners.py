"""A net with its loss and optimiser, as cnnfast has it: what `cnnfast bench nets` times."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from cnnfast import layers, optim
from cnnfast.bench.report import OURS
from cnnfast.bench.zoo import Net
from cnnfast.layers.layer import WeightedLayer
from cnnfast.testing import Array

RATE, MOMENTUM = 1e-3, 0.9


class Learner(Protocol):
    """A net in training or evaluation with a batch to work on, and an optimiser: SGD with momentum."""

    name: str
    net: Any

    def train(self) -> None:
        """Take a step: forward, loss, backward without the input's gradient, optimiser."""

    def infer(self) -> Any:
        """Return the output of the net in evaluation."""

    def loss(self) -> float:
        """Return the loss in training, and leave the gradients with the parameters."""

    def state(self) -> dict[str, Array]:
        """Return parameters and buffers."""

    def gradients(self) -> dict[str, Array]:
        """Return the gradients of the parameters."""


class Joined(layers.Module):
    """The input and what `body` makes of it, side by side along the channels."""

    def __init__(self, body: layers.Module) -> None:
        self.body = body

    def forward(self, input: Array) -> Array:
        """Return both."""
        return np.concatenate([input, self.body(input)], axis=1)

    def backward(self, grad_output: Array, input_grad: bool = True) -> Array:
        """Return the sum of the gradients of both."""
        own = grad_output.shape[1] // 2
        grad_input: Array = grad_output[:, :own] + self.body.backward(grad_output[:, own:])
        return grad_input


class _Layers:
    """The layers, in one dtype."""

    Joined = Joined

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype = dtype

    def __getattr__(self, name: str) -> Any:
        kind = getattr(layers, name)
        return partial(kind, dtype=self.dtype) if issubclass(kind, WeightedLayer) else kind


class CnnfastLearner:
    """`Learner` of this package; without `state`, with fresh weights."""

    name = OURS

    def __init__(self, net: Net, input: Array, target: Array, state: dict[str, Array] | None = None) -> None:
        self.input, self.target = input, target
        self.net = net.make(_Layers(input.dtype))
        if state is not None:
            self.net.load_state_dict(state)
        self.criterion = layers.CrossEntropyLoss()
        self.optimizer = optim.SGD(self.net.parameters(), RATE, MOMENTUM)

    def loss(self) -> float:
        self.net.train()
        self.net.zero_grad()
        return self._backpropagate()

    def _backpropagate(self) -> float:
        loss = self.criterion(self.net(self.input), self.target)
        self.net.backward(self.criterion.backward(), input_grad=False)
        return float(loss)

    def train(self) -> None:
        self.optimizer.zero_grad()
        self._backpropagate()
        self.optimizer.step()

    def infer(self) -> Any:
        return self.net(self.input)

    def state(self) -> dict[str, Array]:
        found: dict[str, Array] = self.net.state_dict()
        return found

    def gradients(self) -> dict[str, Array]:
        return {name: p.grad for name, p in self.net.named_parameters() if p.grad is not None}
