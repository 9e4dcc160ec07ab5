"""Modules made of modules.

What each part saved in a forward is saved here too, and put back for the backward: so a part may
stand in several places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cnnfast.functional import relu6_backward, relu_backward
from cnnfast.layers._fusion import NOTHING, Tail, Unit, infer, is_ours, units
from cnnfast.layers.linear import Identity
from cnnfast.layers.module import Array, Module

_GATES = {"relu": relu_backward, "relu6": relu6_backward}


class _Input(NamedTuple):
    """What is kept in evaluation, where nothing else is computed for a backward that seldom comes."""

    input: Any


class _Container(Module):
    """Modules that run together where that saves passes over memory.

    In training a ReLU or ReLU6 runs with the convolution, the `Linear`, the batch norm or the
    `Residual` before it. In evaluation a batch norm runs with the convolution before it too, the sum of a `Residual`
    runs with the end of its body, and nothing but the input is kept: `backward` computes the rest
    again. What a module computes is read from its parameters and buffers in each call, so any
    change of them counts, in place or not. `repr` tells what ran together in the last call.
    """

    _takes_tail = True

    def _parts(self) -> Iterable[Module]:
        return self.children()

    def _is_fixed(self) -> bool:
        return not self.training and is_ours(self) and all(part._is_fixed() for part in self._parts())

    def forward(self, input: Any) -> Any:
        """Return the output."""
        if not self._is_fixed():
            return self._keep(input)
        if self._saved is not None and type(self._saved) is not _Input:
            self._forget()
        vars(self)["_saved"] = _Input(input)
        return self._infer(input)

    def _forget(self) -> None:
        """Drop what all modules below keep of a training that is over."""
        for module in self.modules():
            vars(module).pop("_saved", None)

    def _keep(self, input: Any, rectifier: Any = None) -> Any:
        """Return the output, or what a rectifier makes of it; keep what `backward` needs."""
        raise NotImplementedError

    def _recall(self) -> Any:
        if type(super()._recall()) is _Input:
            self._keep(self._saved.input)
        return self._saved


def _run(module: Any, input: Any, rectifier: Any) -> Any:
    """Return the output of a part, or what a rectifier makes of it; the part keeps what its backward needs."""
    if isinstance(module, _Container) and is_ours(module):
        return module._keep(input, rectifier)
    return module(input) if rectifier is None else module._rectified(input, rectifier)


class Sequential(_Container):
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

    def _parts(self) -> Iterable[Module]:
        return self

    def _planned(self) -> list[Unit]:
        found: list[Unit] | None = vars(self).get("_units")
        if found is None:
            found = vars(self)["_units"] = units(list(self))
        return found

    def _keep(self, input: Any, rectifier: Any = None) -> Any:
        saved: list[tuple[Module, Any]] = []
        for unit in self._planned():
            for module, rectifier in unit.steps():
                input = _run(module, input, rectifier)
                saved.append((module, module._saved))
        vars(self)["_saved"] = saved
        return input

    def _infer(self, input: Any, tail: Tail = NOTHING) -> Any:
        planned = self._planned()
        for unit in planned:
            own = tail if unit is planned[-1] else NOTHING
            if own.residual is not None and unit.rectifier is not None:
                input = own.apply(unit.infer(input, NOTHING.after(unit.clamp)))
            else:
                input = unit.infer(input, own.after(unit.clamp))
        return input if planned else tail.apply(input)

    def backward(self, grad_output: Any, input_grad: bool = True) -> Any:
        """Run the gradient back through all modules; see `Module.backward`."""
        saved = self._recall()
        for position in reversed(range(len(saved))):
            module, module_saved = saved[position]
            vars(module)["_saved"] = module_saved
            grad_output = module.backward(grad_output, input_grad or position > 0)
        return grad_output if input_grad else None

    def _notes(self) -> dict[str, str]:
        if self._saved is None:
            return {}
        names = {id(module): name for name, module in self._members(Module).items()}
        evaluated = type(self._saved) is _Input
        notes: dict[str, str] = {}
        for unit in self._planned():
            host = unit.host if evaluated else unit.norm or unit.host
            followers = [unit.norm if evaluated else None, unit.rectifier]
            notes |= {names[id(one)]: f"  # runs with ({names[id(host)]})" for one in followers if one is not None}
        return notes


class Residual(_Container):
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

    _hosts_clamp = True

    def __init__(self, body: Module, shortcut: Module | None = None) -> None:
        self.body = body
        self.shortcut = shortcut

    def _keep(self, input: Any, rectifier: Any = None) -> Array:
        saved, terms = [], []
        for branch in self._ways():
            terms.append(_run(branch, input, None))
            saved.append((branch, branch._saved))
        output = Tail(terms[1], NOTHING.clamp if rectifier is None else rectifier._clamp).apply(terms[0])
        vars(self)["_saved"] = saved, None if rectifier is None else (rectifier._op, output)
        return output

    def _ways(self) -> tuple[Module, Module]:
        return self.body, Identity() if self.shortcut is None else self.shortcut

    def _infer(self, input: Any, tail: Tail = NOTHING) -> Array:
        around = input if self.shortcut is None else self.shortcut._infer(input)
        own = Tail(around, NOTHING.clamp if tail.residual is not None else tail.clamp)
        output = infer(self.body, input, own)
        return output if tail.residual is None else tail.apply(output)

    def backward(self, grad_output: Any, input_grad: bool = True) -> Array | None:
        """Return the sum of the gradients of both ways, or None; see `Module.backward`."""
        ways, gate = self._recall()
        if gate is not None:
            grad_output = _GATES[gate[0]](grad_output, gate[1])
        gradients = []
        for branch, saved in ways:
            vars(branch)["_saved"] = saved
            gradients.append(branch.backward(grad_output, input_grad))
        return Tail(gradients[1]).apply(gradients[0]) if input_grad else None
