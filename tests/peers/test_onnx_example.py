"""The newcomer's example reads its picture; the benchmark of models and the documentation's examples run."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")
from onnx_models import packaged

from cnnfast.backends.onnx import _evaluator, _registry


def test_a_line_of_text_is_read() -> None:
    packaged("rapidocr_onnxruntime", "models")
    pytest.importorskip("PIL")
    example = str(Path(__file__).with_name("example_onnx.py"))
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"'convolution is fast ?' in \d+\.\d ms\n", done.stdout)


def test_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    from cnnfast.bench import onnx_models

    onnx_models.main(["squeezenet", "--seconds", "0.01", "--stock"])
    assert re.search(r"squeezenet +[\d.]+ +[\d.]+ +[\d.]+\n", capsys.readouterr().out)


@pytest.mark.parametrize("module", [_evaluator, _registry])
def test_documentation(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
