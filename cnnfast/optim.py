"""Optimisers with the formulas and defaults of ``torch.optim``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast import _config, _core
from cnnfast.layers.module import Parameter

Array = npt.NDArray[Any]


class Optimizer(ABC):
    """What all optimisers share: the parameters, each with its state, and the learning rate.

    Parameters
    ----------
    params : iterable of Parameter
        Those to change, such as ``net.parameters()``.
    lr : float
        Learning rate; the attribute may be changed between steps.

    Raises
    ------
    TypeError
        If ``params`` holds anything but parameters.
    ValueError
        If there are none, or a number is out of range.
    """

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        name, given = type(self).__name__, list(params)
        for parameter in given:
            if not isinstance(parameter, Parameter):
                raise TypeError(f"{name}: params holds {type(parameter).__name__} (expected Parameter)")
        self.params = list(dict.fromkeys(given))
        if not self.params:
            raise ValueError(f"{name}: params is empty (expected at least one Parameter)")
        self.lr = lr
        self._check(lr=lr)
        self._states: list[dict[str, Any]] = [{} for _ in self.params]

    def _check(self, below: float = float("inf"), **numbers: float) -> None:
        for name, number in numbers.items():
            if not 0 <= number < below:
                raise ValueError(f"{type(self).__name__}: {name} is {number} (expected 0 <= {name} < {below})")

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.params:
            parameter.grad = None

    def step(self) -> None:
        """Change, in place, every parameter that has a gradient."""
        for parameter, state in zip(self.params, self._states, strict=True):
            if parameter.grad is not None:
                self._change(parameter.data, parameter.grad, state)

    def _change(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        """Call `_update` with packed arrays."""
        if _core.are_ready({"data": data, "grad": grad}, ()) and data.flags.writeable:
            self._update(data, grad, state)
            return
        packed = np.require(data, data.dtype.newbyteorder("="), ["C", "A", "W"])
        self._update(packed, np.require(grad, packed.dtype, ["C", "A"]), state)
        if packed is not data:
            data[...] = packed

    @abstractmethod
    def _update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        """Change ``data`` and ``state``, which is empty at first, in place."""


class SGD(Optimizer):
    """Gradient descent with momentum.

    With g = grad + weight_decay data and, from the second step on, v = momentum v + g (at first
    v = g): data -= lr v, or in Nesterov's form data -= lr (g + momentum v). Sutskever et al. 2013.

    Parameters
    ----------
    params : iterable of Parameter
    lr, momentum, weight_decay : float, optional
    nesterov : bool, optional
        Needs a momentum.

    Examples
    --------
    >>> from cnnfast.layers import Parameter
    >>> weight = Parameter(np.array([1.0]))
    >>> optimizer = SGD([weight], lr=0.1)
    >>> weight.accumulate([5.0])
    >>> optimizer.step()
    >>> weight.data
    array([0.5])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr)
        self._check(momentum=momentum, weight_decay=weight_decay)
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        self.momentum, self.weight_decay, self.nesterov = momentum, weight_decay, nesterov

    def _update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        if self.momentum and not state:
            state["velocity"] = np.zeros_like(data)
        numbers = float(self.lr), self.momentum, self.weight_decay, self.nesterov
        _core.sgd_step(_config.how(), *numbers, grad, state.get("velocity"), data)


class Adam(Optimizer):
    """Steps of about ``lr`` for each element, by the first two moments of its gradients.

    m and v are running means of grad and grad^2, each divided by 1 - beta^t at step t:
    data -= lr m / (sqrt(v) + eps). Kingma and Ba, arXiv:1412.6980.

    Parameters
    ----------
    params : iterable of Parameter
    lr : float, optional
    betas : pair of float, optional
        Weights of the old value in the two running means, at least 0 and less than 1.
    eps : float, optional
    weight_decay : float, optional
        Times data, is added to grad.

    Examples
    --------
    >>> from cnnfast.layers import Parameter
    >>> weight = Parameter(np.array([1.0]))
    >>> optimizer = Adam([weight], lr=0.1)
    >>> weight.accumulate([5.0])
    >>> optimizer.step()
    >>> weight.data.round(3)
    array([0.9])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        beta1, beta2 = betas
        self._check(below=1.0, beta1=beta1, beta2=beta2)
        self._check(eps=eps, weight_decay=weight_decay)
        self.betas, self.eps, self.weight_decay = (beta1, beta2), eps, weight_decay

    def _decays(self) -> tuple[float, float]:
        """Return the share of the weights that is added to the gradient, and the factor of the weights before."""
        return self.weight_decay, 1.0

    def _update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, mean=np.zeros_like(data), square=np.zeros_like(data))
        state["step"] += 1
        beta1, beta2 = self.betas
        rate = float(self.lr) / (1 - beta1 ** state["step"])
        root = (1 - beta2 ** state["step"]) ** -0.5
        numbers = rate, root, self.betas, self.eps, *self._decays()
        _core.adam_step(_config.how(), *numbers, grad, state["mean"], state["square"], data)


class AdamW(Adam):
    """`Adam` whose decay shrinks the weights themselves: data -= lr weight_decay data, first.

    Loshchilov and Hutter, arXiv:1711.05101.

    Parameters
    ----------
    params, lr, betas, eps
        As in `Adam`.
    weight_decay : float, optional

    Examples
    --------
    >>> from cnnfast.layers import Parameter
    >>> weight = Parameter(np.array([1.0]))
    >>> optimizer = AdamW([weight], lr=0.1, weight_decay=0.5)
    >>> weight.accumulate([0.0])
    >>> optimizer.step()
    >>> weight.data
    array([0.95])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def _decays(self) -> tuple[float, float]:
        return 0.0, 1 - float(self.lr) * self.weight_decay
