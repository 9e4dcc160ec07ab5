"""Base classes of the layers that are one op: what forward keeps, and what backward makes of it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnfast import _random
from cnnfast import functional as F
from cnnfast.layers.module import Array, Module, Parameter


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
        self._saved = arrays, keywords

    def _differentiate(self, grad_output: npt.ArrayLike, **keywords: Any) -> Any:
        arrays, saved = self._recall()
        return getattr(F, f"{self._op}_backward")(grad_output, *arrays, **saved, **keywords)

    def _kept(self, input: Array) -> Any:
        """Return what of the input the gradient depends on."""
        return input

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the op's output."""
        input, keywords = np.asarray(input), self._keywords()
        output: Array = self._apply(input, **keywords)
        self._save(self._kept(input), **keywords)
        return output

    def backward(self, grad_output: npt.ArrayLike, input_grad: bool = True) -> Array | None:
        """Return the gradient of the input, or None; see `Module.backward`."""
        self._recall()
        return self._differentiate(grad_output) if input_grad else None


class WeightedLayer(Layer):
    """A layer with a ``weight`` and a ``bias``, each a `Parameter` or None."""

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

    def _values(self) -> list[Array | None]:
        return [None if p is None else p.data for p in (self.weight, self.bias)]

    def _run(self, input: Array, **keywords: Any) -> Array:
        """Return op(input, weight, bias, ...), whose gradient takes input and weight."""
        weight, bias = self._values()
        output: Array = self._apply(input, weight, bias, **keywords)
        self._save(input, weight, **keywords)
        return output

    def _gradients(self, grad_output: npt.ArrayLike, input_grad: bool) -> Any:
        """Return the gradients of the input, of the weight and of the bias."""
        return self._differentiate(grad_output)

    def _input_gradient(self, gradient: Array) -> Array:
        """Return the gradient of what the layer was given from that of what the op was given."""
        return gradient

    def backward(self, grad_output: npt.ArrayLike, input_grad: bool = True) -> Array | None:
        """Add the gradients of weight and bias, and return that of the input, or None."""
        gradient, *learnt = self._gradients(grad_output, input_grad)
        for parameter, grad in zip((self.weight, self.bias), learnt, strict=True):
            if parameter is not None:
                parameter.accumulate(grad)
        return self._input_gradient(gradient) if input_grad else None
