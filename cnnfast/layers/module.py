"""What nets are made of: the learnt array, and the module that holds arrays and other modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from cnnfast import _core

Array = npt.NDArray[Any]
T = TypeVar("T")


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(..., strict=False)`` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Parameter:
    """An array that a net learns, with its gradient.

    Parameters
    ----------
    data : ndarray of float32 or float64
        The values; kept, not copied.
    name : str, optional
        Set by the module: the attribute that the parameter was assigned to, and after
        ``net.parameters()`` its dotted path in ``net``.

    Attributes
    ----------
    grad : ndarray or None
        The sum of the gradients since ``zero_grad``; None before the first.

    Raises
    ------
    TypeError
        If ``data`` is neither float32 nor float64.

    Examples
    --------
    >>> scale = Parameter(np.ones(2))
    >>> scale.accumulate([1.0, 2.0])
    >>> scale.accumulate([1.0, 2.0])
    >>> scale.grad
    array([2., 4.])
    """

    def __init__(self, data: npt.ArrayLike, name: str = "") -> None:
        self._handed_out = 0
        self.data = np.asarray(data)
        if self.data.dtype not in (np.float32, np.float64):
            raise TypeError(f"Parameter: data is {self.data.dtype} (expected float32 or float64)")
        self.grad: Array | None = None
        self.name = name

    @property
    def data(self) -> Array:
        """The values, which may be changed in place."""
        self._handed_out += 1
        return self._data

    @data.setter
    def data(self, value: Array) -> None:
        self._handed_out += 1
        self._data = value

    def _is_held_here_alone(self) -> bool:
        """Whether nobody else has the array or a view of it, so that only who asks for `data` can change it."""
        return self._data.base is None and not _core.held_elsewhere(vars(self), "_data")

    def accumulate(self, grad: npt.ArrayLike) -> None:
        """Add an array of the shape of ``data`` to ``grad``."""
        grad = np.asarray(grad, self.data.dtype)
        if grad.shape != self.data.shape:
            raise ValueError(
                f"Parameter {self.name!r}: the gradient has shape {grad.shape} (expected {self.data.shape})"
            )
        self.grad = grad if self.grad is None else self.grad + grad

    def __repr__(self) -> str:
        return f"Parameter(name={self.name!r}, shape={self.data.shape}, dtype={self.data.dtype})"


class Module:
    """Base class of all layers, and of nets of one's own.

    Parameters and modules assigned to attributes belong to the module, as does each array given to
    `register_buffer`. A subclass writes ``forward`` and ``backward``, and hands the gradients of
    its own parameters to `Parameter.accumulate`.

    A layer keeps the arrays of its last call for ``backward`` (references, so change none of them
    in between). A net of one's own therefore needs a layer for each place where it calls one;
    `Sequential` and `Residual` also take a layer that stands in several places.

    Attributes
    ----------
    training : bool
        Set by `train` and `eval`.

    Examples
    --------
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.factor = Parameter(np.array([3.0]))
    ...     def forward(self, input):
    ...         self.input = input
    ...         return self.factor.data * input
    ...     def backward(self, grad_output, input_grad=True):
    ...         self.factor.accumulate(np.sum(grad_output * self.input, keepdims=True))
    ...         return self.factor.data * grad_output if input_grad else None
    >>> net = Scale()
    >>> net(np.array([1.0, 2.0]))
    array([3., 6.])
    >>> net.backward(np.ones(2))
    array([3., 3.])
    >>> net.factor.grad
    array([3.])
    """

    training: bool = True
    _buffers: tuple[str, ...] = ()
    _shown: ClassVar[tuple[str, ...]] = ()
    _saved: Any = None
    # What containers may run together with it: see _fusion.
    _hosts_norm: ClassVar[bool] = False
    _hosts_clamp: ClassVar[bool] = False
    _takes_tail: ClassVar[bool] = False
    _is_norm: ClassVar[bool] = False
    _clamp: ClassVar[tuple[float, float] | None] = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output; keep what `backward` needs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, grad_output: Any, input_grad: bool = True) -> Any:
        """Turn the gradient of the last output into that of the input.

        Parameters
        ----------
        grad_output : ndarray
            Gradient of the loss with respect to what the last ``forward`` returned.
        input_grad : bool, optional
            False skips the gradient of the input where that saves work, and returns None.

        Returns
        -------
        ndarray or None
            Gradient with respect to the input. Those of the parameters are added to their ``grad``,
            once more in each call.

        Raises
        ------
        RuntimeError
            If there was no ``forward``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def register_buffer(self, name: str, array: npt.ArrayLike | None) -> None:
        """Make an array that is not learnt an attribute and a part of the state (unless None)."""
        setattr(self, name, None if array is None else np.asarray(array))
        self._buffers += (name,)

    def add_module(self, name: str, module: Module) -> None:
        """Make ``module`` the attribute ``name``, which must be new and without dots."""
        if not isinstance(module, Module):
            raise TypeError(f"{name} is {type(module).__name__} (expected Module)")
        if not name or "." in name or hasattr(self, name):
            raise ValueError(f"{type(self).__name__}: {name!r} cannot name a module")
        setattr(self, name, module)

    def __setattr__(self, name: str, value: Any) -> None:
        held = vars(self).get(name)
        for kind in (Parameter, Module):
            if isinstance(held, kind) and not (value is None or isinstance(value, kind)):
                raise TypeError(
                    f"{type(self).__name__}.{name} is {type(value).__name__} (expected {kind.__name__} or None)"
                )
        if isinstance(value, Parameter):
            value.name = name
        if isinstance(value, Module) or isinstance(held, Module):
            vars(self).pop("_units", None)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        vars(self).pop("_units", None)
        super().__delattr__(name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_saved", "_units", "_prepared")}

    def _is_fixed(self) -> bool:
        """Whether it is a layer of this package in evaluation, so that another forward gives the same."""
        return False

    def _infer(self, input: Any) -> Any:
        """Return the output and keep nothing."""
        raise NotImplementedError(f"{type(self).__name__} has no _infer")

    def _recall(self) -> Any:
        """Return what the last forward kept for backward."""
        if self._saved is None:
            raise RuntimeError(f"{type(self).__name__}: backward needs a forward before it")
        return self._saved

    def _members(self, kind: type[T]) -> dict[str, T]:
        return {name: value for name, value in vars(self).items() if isinstance(value, kind)}

    def _walk(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it as often as they are held, children after parents."""
        yield prefix, self
        for name, child in self._members(Module).items():
            yield from child._walk(f"{prefix}{name}.")

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the names and modules held directly, each module once."""
        return _once(self._members(Module).items())

    def children(self) -> Iterator[Module]:
        """Yield the modules held directly, each once."""
        return (child for _, child in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it with their dotted paths, each once."""
        return _once((prefix[:-1], module) for prefix, module in self._walk())

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters with their dotted paths, each once."""
        held = (
            (prefix + name, parameter)
            for prefix, module in self._walk()
            for name, parameter in module._members(Parameter).items()
        )
        for name, parameter in _once(held):
            parameter.name = name
            yield name, parameter

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters, each once, with ``name`` set to the dotted path."""
        return (parameter for _, parameter in self.named_parameters())

    def train(self, mode: bool = True) -> Module:
        """Set ``training`` here and in all modules below; return self."""
        for module in self.modules():
            module.training = mode
            vars(module).pop("_prepared", None)
        return self

    def eval(self) -> Module:
        """Set ``training`` to False here and in all modules below; return self."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def _state(self) -> dict[str, Array]:
        """Return the arrays themselves: of a module the parameters, the buffers, the children."""
        state: dict[str, Array | None] = {}
        for prefix, module in self._walk():
            for name, parameter in module._members(Parameter).items():
                state[prefix + name] = parameter.data
            for name in module._buffers:
                state[prefix + name] = getattr(module, name)
        return {name: array for name, array in state.items() if array is not None}

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and buffers, by torch's names and in torch's order."""
        return {name: array.copy() for name, array in self._state().items()}

    def load_state_dict(self, state_dict: Mapping[str, npt.ArrayLike], strict: bool = True) -> IncompatibleKeys:
        """Copy arrays into the parameters and buffers; all of them, or after an error none.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            As `state_dict` returns it, here or in torch: a dict, or what `numpy.load` makes of an
            npz file. Other floating types are converted.
        strict : bool, optional
            Whether the names must be exactly those of `state_dict`. Nets from before torch 0.4.1
            have no ``num_batches_tracked``, so that may always be missing.

        Returns
        -------
        IncompatibleKeys
            ``(missing_keys, unexpected_keys)``.

        Raises
        ------
        ValueError
            If names are missing or unexpected, or a shape differs.
        TypeError
            If an array is of a kind that does not convert.
        """
        held = self._state()
        keys = IncompatibleKeys(
            [k for k in held if k not in state_dict and not k.endswith("num_batches_tracked")],
            [k for k in state_dict if k not in held],
        )
        loaded = {name: np.asarray(state_dict[name]) for name in held if name in state_dict}
        problems = [f"missing {k}" for k in keys.missing_keys if strict]
        problems += [f"unexpected {k}" for k in keys.unexpected_keys if strict]
        problems += [
            f"{name} has shape {array.shape} (expected {held[name].shape})"
            for name, array in loaded.items()
            if array.shape != held[name].shape
        ]
        if problems:
            raise ValueError(f"{type(self).__name__}.load_state_dict: {'; '.join(problems)}")
        for name, array in loaded.items():
            if not np.can_cast(array.dtype, held[name].dtype, "same_kind"):
                raise TypeError(f"{name} is {array.dtype} (expected {held[name].dtype})")
        for name, array in loaded.items():
            np.copyto(held[name], array, casting="same_kind")
        return keys

    def _notes(self) -> dict[str, str]:
        """Return what ``repr`` says behind children, by their names."""
        return {}

    def extra_repr(self) -> str:
        """Return what stands in the parentheses of the layer's ``repr``."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)

    def __repr__(self) -> str:
        own = [self.extra_repr()] if self.extra_repr() else []
        notes = self._notes()
        children = [
            f"({name}): {child!r}{notes.get(name, '')}".replace("\n", "\n  ")
            for name, child in self._members(Module).items()
        ]
        inside = "\n  ".join(["", *own, *children]) + "\n" if children else "".join(own)
        return f"{type(self).__name__}({inside})"


def _once(items: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    seen: set[int] = set()
    for name, item in items:
        if id(item) not in seen:
            seen.add(id(item))
            yield name, item
