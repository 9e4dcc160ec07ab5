"""The cases that the onnx package brings for the operators that run here: models, inputs, golden outputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from cnnfast.backends.onnx._numpy import NUMPY
from cnnfast.backends.onnx._operators import OPERATORS

KINDS = ("node", "pytorch-converted", "pytorch-operator", "simple")


class Case:
    """A model with data, in memory or in a folder."""

    def __init__(self, case: Any) -> None:
        self.name, self._case = case.name, case
        self.model = case.model or onnx.load(Path(case.model_dir, "model.onnx"))

    @property
    def is_broken(self) -> bool:
        """Whether it fails with or without our operators: Loop stacks scalars as columns, Gradient is missing, and
        Bernoulli is random.
        """
        of_loop = self.name.startswith("test_range_") and self.name.endswith("_expanded")
        return of_loop or self.name.startswith(("test_gradient_", "test_bernoulli_"))

    def data(self) -> Iterator[tuple[list[Any], list[Any]]]:
        """Inputs and outputs of each data set."""
        if self._case.data_sets:
            for inputs, outputs in self._case.data_sets:
                yield _arrays(inputs), _arrays(outputs)
            return
        for folder in sorted(Path(self._case.model_dir).glob("test_data_set*")):
            yield _tensors(folder, "input"), _tensors(folder, "output")

    def check(self, evaluator: Any) -> None:
        """Compare values, shapes and dtypes with the golden outputs."""
        names = [i.name for i in self.model.graph.input]
        for inputs, outputs in self.data():
            results = evaluator.run(None, dict(zip(names, inputs, strict=False)))
            assert len(results) == len(outputs)
            for result, output in zip(results, outputs, strict=True):
                _check(np.asarray(result), np.asarray(output), self._case.rtol, self._case.atol)


def _arrays(values: Any) -> list[Any]:
    """The values, of which those in dtypes that NumPy lacks are tensors."""
    return [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]


def _check(result: Any, output: Any, rtol: float, atol: float) -> None:
    assert result.dtype == output.dtype
    if output.dtype.kind in "fV":
        result, output = result.astype(np.float64), output.astype(np.float64)
    np.testing.assert_allclose(result, output, rtol, atol)


def _tensors(folder: Path, which: str) -> list[Any]:
    files = sorted(folder.glob(f"{which}_*.pb"), key=lambda file: int(file.stem.split("_")[1]))
    return [numpy_helper.to_array(onnx.load_tensor(str(file))) for file in files]


def _ops(model: Any) -> set[str]:
    return {node.op_type for part in (model.graph, *model.functions) for node in part.node}


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # casts overflow in what the package computes for its cases
    _ALL = [Case(case) for kind in KINDS for case in load_model_tests(kind=kind)]
CASES = [case for case in _ALL if _ops(case.model) & OPERATORS.keys()]
MOVES = [case for case in _ALL if _ops(case.model) & NUMPY.keys() and case not in CASES]
