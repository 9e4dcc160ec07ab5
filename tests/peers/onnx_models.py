"""Whole models that packages bring: the nets of the onnx package, a text detector and reader, a voice detector."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
NETS = sorted(file.stem.removeprefix("light_") for file in LIGHT.glob("*.onnx"))


def light(name: str) -> tuple[Any, Any]:
    """(A net whose weights are constants, what it gives for `ramp`)."""
    golden = onnx.load_tensor(str(LIGHT / f"light_{name}_output_0.pb"))
    return onnx.load(LIGHT / f"light_{name}.onnx"), numpy_helper.to_array(golden)


def image(model: Any) -> tuple[str, tuple[int, ...]]:
    """Name and shape of the input that is no weight."""
    known = {tensor.name for tensor in model.graph.initializer}
    (one,) = (value for value in model.graph.input if value.name not in known)
    return one.name, tuple(d.dim_value for d in one.type.tensor_type.shape.dim)


def ramp(shape: tuple[int, ...]) -> Any:
    """The input that the golden outputs of the nets are for."""
    size = int(np.prod(shape))
    return (np.arange(size).reshape(shape) / size).astype(np.float32)


def with_random_weights(model: Any, rng: np.random.Generator) -> Any:
    """The net with weights that keep the size of what flows through it."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "ConstantOfShape"]:
        shape = tuple(tensors[node.input[0]])
        spread = (2 / np.prod(shape[1:])) ** 0.5
        value = rng.standard_normal(shape) * spread if len(shape) > 1 else rng.uniform(0.5, 1.5, shape)
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), node.output[0]))
        model.graph.node.remove(node)
    return model


def packaged(package: str, path: str) -> str:
    """The file of a model inside an installed package, which is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    return str(Path(found.origin).parent / path)
