"""Base classes of the layers that are one op: what forward keeps, and what backward makes of it."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnfast import _random
from cnnfast import functional as F
from cnnfast.layers._fusion import NOTHING, Tail, is_ours
from cnnfast.layers.module import Array, Module, Parameter


class Saved(NamedTuple):
    """What an op's gradient takes after ``grad_output``, and of a rectifier in the same pass its op and output."""

    arrays: tuple[Any, ...]
    keywords: dict[str, Any]
    gate: tuple[str, Array] | None = None


class Layer(Module):
    """A module that is the op ``_op`` of `cnnfast.functional`; its attributes are the arguments."""

    _op: ClassVar[str]
    _arguments: ClassVar[tuple[str, ...]] = ()

    def _keywords(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._arguments}

    def _apply(self, *arrays: Any, **keywords: Any) -> Any:
        return getattr(F, self._op)(*arrays, **keywords)

    def _save(self, *arrays: Any, **keywords: Any) -> None:
        """Keep what the op's gradient takes after ``grad_output``."""
        vars(self)["_saved"] = Saved(arrays, keywords)

    def _differentiate(self, grad_output: npt.ArrayLike, **keywords: Any) -> Any:
        saved = self._recall()
        return getattr(F, f"{self._op}_backward")(grad_output, *saved.arrays, **saved.keywords, **keywords)

    def _kept(self, input: Array, output: Array) -> Any:
        """Return what the gradient depends on."""
        return input

    def _is_fixed(self) -> bool:
        return not self.training and is_ours(self)

    def _infer(self, input: npt.ArrayLike) -> Any:
        return self._apply(np.asarray(input), **self._keywords())

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the op's output."""
        input, keywords = np.asarray(input), self._keywords()
        output: Array = self._apply(input, **keywords)
        self._save(self._kept(input, output), **keywords)
        return output

    def backward(self, grad_output: npt.ArrayLike, input_grad: bool = True) -> Array | None:
        """Return the gradient of the input, or None; see `Module.backward`."""
        self._recall()
        return self._differentiate(grad_output) if input_grad else None


class WeightedLayer(Layer):
    """A layer with a ``weight`` and a ``bias``, each a `Parameter` or None."""

    _takes_tail = True
    weight: Parameter | None
    bias: Parameter | None

    def _learn(self, shape: tuple[int, ...], bias: int | None, dtype: npt.DTypeLike) -> None:
        """Make a weight of ``shape`` and a bias of ``bias`` elements, float32 unless said."""
        dtype = np.dtype(np.float32 if dtype is None else dtype)
        self.weight = Parameter(np.empty(shape, dtype))
        self.bias = None if bias is None else Parameter(np.empty(bias, dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias from U(-b, b) with b = 1 / sqrt(fan_in).

        This is what torch's kaiming_uniform (He et al. 2015) with a = sqrt(5) comes to; fan_in is
        the number of elements of ``weight[0]``.
        """
        assert self.weight is not None
        fan_in = math.prod(self.weight.data.shape[1:])
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        for parameter in filter(None, (self.weight, self.bias)):
            parameter.data[...] = _random.generator().uniform(-bound, bound, parameter.data.shape)

    def _prepare(self, input: npt.ArrayLike) -> tuple[Array, dict[str, Any]]:
        """Return what the op is given beside weight and bias."""
        return np.asarray(input), {}

    def _values(self) -> tuple[Any, Any]:
        weight, bias = (None if p is None else p._data for p in (self.weight, self.bias))
        return weight, bias

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return op(input, weight, bias, ...)."""
        return self._rectified(input, None)

    def _rectified(self, input: npt.ArrayLike, rectifier: Any) -> Array:
        """Return the output, or what a rectifier makes of it, and keep what `_gradients` takes."""
        return self._run(*self._prepare(input), rectifier)

    def _run(self, input: Array, keywords: dict[str, Any], rectifier: Any) -> Array:
        output = self._compute(input, keywords, NOTHING if rectifier is None else Tail(None, rectifier._clamp))
        gate = None if rectifier is None else (rectifier._op, output)
        vars(self)["_saved"] = Saved((input, self._values()[0] if self.training else None), keywords, gate)
        return output

    def _differentiate(self, grad_output: npt.ArrayLike, **keywords: Any) -> Any:
        """Evaluation keeps no weight, so that the parameter alone holds it, and takes the one of now."""
        saved = self._recall()
        input, weight = saved.arrays
        arrays = grad_output, input, self._values()[0] if weight is None else weight
        return getattr(F, f"{self._op}_backward")(*arrays, **saved.keywords, **keywords)

    def _compute(self, input: Array, keywords: dict[str, Any], tail: Tail) -> Array:
        return tail.finish(self._apply(input, *self._values(), **keywords))

    def _infer(self, input: npt.ArrayLike, tail: Tail = NOTHING) -> Array:
        return self._compute(*self._prepare(input), tail)

    def _gradients(self, grad_output: npt.ArrayLike, input_grad: bool) -> Any:
        """Return the gradients of the input, of the weight and of the bias."""
        return self._differentiate(grad_output)

    def _input_gradient(self, gradient: Array) -> Array:
        """Return the gradient of what the layer was given from that of what the op was given."""
        return gradient

    def backward(self, grad_output: npt.ArrayLike, input_grad: bool = True) -> Array | None:
        """Add the gradients of weight and bias, and return that of the input, or None."""
        gate = self._recall().gate
        if gate is not None:
            grad_output = getattr(F, f"{gate[0]}_backward")(grad_output, gate[1])
        gradient, *learnt = self._gradients(grad_output, input_grad)
        for parameter, grad in zip((self.weight, self.bias), learnt, strict=True):
            if parameter is not None:
                parameter.accumulate(grad)
        return self._input_gradient(gradient) if input_grad else None
