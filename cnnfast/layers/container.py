"""Modules made of modules.

What each part saved in a forward is saved here too, and put back for the backward: so a part may
stand in several places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cnnfast.layers.linear import Identity
from cnnfast.layers.module import Array, Module


class Sequential(Module):
    """Modules one after the other.

    Parameters
    ----------
    *modules : Module, or one mapping of str to Module
        Named "0", "1", ... or as in the mapping.

    Raises
    ------
    TypeError
        If one is no module.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.layers import Flatten, Linear, ReLU
    >>> net = Sequential(Flatten(), Linear(4, 2, dtype=np.float64), ReLU())
    >>> net
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=4, out_features=2, bias=True)
      (2): ReLU()
    )
    >>> net(np.ones((3, 2, 2))).shape
    (3, 2)
    >>> net.backward(np.ones((3, 2))).shape
    (3, 2, 2)
    >>> [parameter.name for parameter in net.parameters()]
    ['1.weight', '1.bias']
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        named: Iterable[tuple[Any, Any]] = enumerate(modules)
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        for name, module in named:
            self.add_module(str(name), module)

    def __len__(self) -> int:
        return len(self._members(Module))

    def __iter__(self) -> Iterator[Module]:
        return iter(self._members(Module).values())

    def __getitem__(self, index: int | slice) -> Module:
        items = list(self._members(Module).items())
        return Sequential(dict(items[index])) if isinstance(index, slice) else items[index][1]

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; return self."""
        self.add_module(str(len(self)), module)
        return self

    def forward(self, input: Any) -> Any:
        """Return what the last module makes of the output of the one before it, and so on."""
        saved = []
        for module in self:
            input = module(input)
            saved.append((module, module._saved))
        self._saved = saved
        return input

    def backward(self, grad_output: Any, input_grad: bool = True) -> Any:
        """Run the gradient back through all modules; see `Module.backward`."""
        saved = self._recall()
        for position in reversed(range(len(saved))):
            module, module_saved = saved[position]
            module._saved = module_saved
            grad_output = module.backward(grad_output, input_grad or position > 0)
        return grad_output if input_grad else None


class Residual(Module):
    """A way around: y = body(x) + shortcut(x) (He et al. 2016).

    Parameters
    ----------
    body : Module
    shortcut : Module, optional
        Without it, y = body(x) + x.

    Raises
    ------
    ValueError
        In the call, if the shapes of the two terms differ.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.layers import ReLU
    >>> net = Residual(ReLU())
    >>> net(np.array([-1.0, 2.0]))
    array([-1.,  4.])
    >>> net.backward(np.ones(2))
    array([1., 2.])
    """

    def __init__(self, body: Module, shortcut: Module | None = None) -> None:
        self.body = body
        self.shortcut = shortcut

    def forward(self, input: Any) -> Array:
        """Return the sum."""
        saved, terms = [], []
        for branch in (self.body, self.shortcut or Identity()):
            terms.append(branch(input))
            saved.append((branch, branch._saved))
        body, around = terms
        if body.shape != around.shape:
            raise ValueError(f"Residual: body gives {body.shape}, shortcut gives {around.shape}")
        self._saved = saved
        output: Array = body + around
        return output

    def backward(self, grad_output: Any, input_grad: bool = True) -> Array | None:
        """Return the sum of the gradients of both ways, or None; see `Module.backward`."""
        gradients = []
        for branch, saved in self._recall():
            branch._saved = saved
            gradients.append(branch.backward(grad_output, input_grad))
        return gradients[0] + gradients[1] if input_grad else None
