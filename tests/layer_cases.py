"""Layers to test, for ours and for torch's alike, a net of them, and gradients by differences."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import cnnfast
from cnnfast import layers as L
from cnnfast.layers.layer import WeightedLayer


class Case(NamedTuple):
    """A layer by name, the shape of an input, and arguments that torch takes too."""

    name: str
    shape: tuple[int, ...]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012  (never changed)

    def layer(self) -> L.Module:
        """Ours, in float64."""
        kind = getattr(L, self.name)
        dtype = {"dtype": np.float64} if issubclass(kind, WeightedLayer) else {}
        return kind(*self.args, **self.kwargs, **dtype)

    def __str__(self) -> str:
        given = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())]
        return f"{self.name}({','.join(given)})".replace(" ", "")


CASES = [
    Case("Conv1d", (2, 4, 9), (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}),
    Case("Conv1d", (2, 2, 7), (2, 3, 4), {"padding": 3, "padding_mode": "circular"}),
    Case("Conv2d", (2, 3, 5, 6), (3, 4, (3, 2)), {"padding": (1, 0), "dilation": (2, 1)}),
    Case("Conv2d", (3, 5, 4), (3, 2, 3), {"padding": "same", "bias": False}),
    Case("Conv2d", (1, 2, 5, 4), (2, 2, 3), {"padding": (3, 2), "padding_mode": "reflect"}),
    Case("Conv2d", (1, 2, 4, 4), (2, 2, (4, 3)), {"padding": "same", "padding_mode": "replicate"}),
    Case("Conv3d", (1, 2, 3, 4, 3), (2, 2, 2), {"stride": (1, 2, 1), "padding": "valid"}),
    Case("ConvTranspose1d", (2, 4, 5), (4, 6, 3, 2, 1, 1, 2)),
    Case("ConvTranspose2d", (2, 2, 3, 4), (2, 3, 3), {"stride": (2, 1), "dilation": (1, 2)}),
    Case("ConvTranspose3d", (1, 2, 2, 3, 2), (2, 1, 2), {"stride": 2, "bias": False}),
    Case("Linear", (3, 4), (4, 5)),
    Case("Linear", (2, 3, 4), (4, 2), {"bias": False}),
    Case("BatchNorm1d", (4, 3), (3,)),
    Case("BatchNorm1d", (3, 2, 4), (2,), {"momentum": None}),
    Case("BatchNorm2d", (3, 2, 3, 2), (2, 1e-3, 0.2), {"bias": False}),
    Case("BatchNorm2d", (2, 2, 3, 2), (2,), {"affine": False}),
    Case("BatchNorm3d", (2, 2, 2, 2, 3), (2,), {"track_running_stats": False}),
    Case("MaxPool1d", (2, 2, 7), (3, 2)),
    Case("MaxPool2d", (2, 2, 5, 6), (2,), {"padding": 1, "ceil_mode": True}),
    Case("MaxPool3d", (1, 2, 4, 5, 4), ((2, 3, 2),), {"dilation": (2, 1, 1)}),
    Case("AvgPool1d", (2, 2, 7), (3, 2, 1)),
    Case("AvgPool2d", (2, 2, 5, 6), (2,), {"padding": 1, "count_include_pad": False}),
    Case("AvgPool3d", (1, 2, 4, 5, 4), (2,), {"ceil_mode": True, "divisor_override": 3}),
    Case("AdaptiveAvgPool1d", (2, 2, 7), (3,)),
    Case("AdaptiveAvgPool2d", (2, 2, 5, 4), ((None, 3),)),
    Case("AdaptiveAvgPool3d", (1, 2, 3, 4, 5), (2,)),
    Case("AdaptiveMaxPool1d", (2, 2, 7), (3,)),
    Case("AdaptiveMaxPool2d", (2, 2, 5, 4), ((None, 3),)),
    Case("AdaptiveMaxPool3d", (1, 2, 3, 4, 5), (2,)),
    Case("ReLU", (3, 4)),
    Case("ReLU", (3, 4), (True,)),
    Case("ReLU6", (3, 4)),
    Case("LeakyReLU", (3, 4), (0.2,)),
    Case("Sigmoid", (3, 4)),
    Case("Tanh", (3, 4)),
    Case("GELU", (3, 4)),
    Case("GELU", (3, 4), ("tanh",)),
    Case("SiLU", (3, 4)),
    Case("Softmax", (3, 4), (1,)),
    Case("LogSoftmax", (2, 3, 2), (1,)),
    Case("Identity", (3, 4), (7,)),
    Case("Flatten", (2, 3, 2, 2)),
    Case("Flatten", (2, 3, 2, 2), (0, 2)),
]
DROPOUTS = [
    Case("Dropout", (3, 5), (0.3,)),
    Case("Dropout1d", (2, 3, 4)),
    Case("Dropout2d", (2, 3, 2, 2), (0.25,)),
    Case("Dropout3d", (2, 3, 2, 2, 2), (1.0,)),
]


def run(layer: L.Module, x: np.ndarray) -> np.ndarray:
    """The output, with the same random zeros every time."""
    cnnfast.manual_seed(5)
    return layer(x)


def numeric_gradient(f: Callable[[], float], array: np.ndarray, step: float = 1e-6) -> np.ndarray:
    gradient = np.empty_like(array)
    for i, value in np.ndenumerate(array):
        array[i] = value + step
        above = f()
        array[i] = value - step
        gradient[i] = (above - f()) / (2 * step)
        array[i] = value
    return gradient


def check_gradients(layer: L.Module, x: np.ndarray, rng: np.random.Generator) -> None:
    """All gradients against central differences, on arrays that must not be written to."""
    grad_output = rng.standard_normal(run(layer, x).shape)
    layer.zero_grad()
    grad_output.flags.writeable = x.flags.writeable = False
    grad_input = layer.backward(grad_output)
    x.flags.writeable = True

    def loss() -> float:
        return float(np.sum(run(layer, x) * grad_output))

    np.testing.assert_allclose(grad_input, numeric_gradient(loss, x), atol=1e-7)
    for name, parameter in layer.named_parameters():
        expected = numeric_gradient(loss, parameter.data)
        np.testing.assert_allclose(parameter.grad, expected, atol=1e-7, err_msg=name)


def block() -> L.Sequential:
    """A net with every kind of container and state in it."""
    body = L.Sequential(
        OrderedDict(
            conv=L.Conv2d(2, 2, 3, padding=1, padding_mode="circular", bias=False, dtype=np.float64),
            norm=L.BatchNorm2d(2, dtype=np.float64),
            relu=L.ReLU(),
        )
    )
    residual = L.Residual(body, L.Conv2d(2, 2, 1, dtype=np.float64))
    return L.Sequential(residual, L.Residual(L.Tanh()), L.Flatten(), L.Linear(24, 3, dtype=np.float64))
