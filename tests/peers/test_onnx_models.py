"""Whole models give what the onnx package says that they give, and what onnxruntime gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx_models import NETS, image, light, packaged, ramp, with_random_weights

from cnnfast.backends.onnx import CnnfastEvaluator


def session(model: str | bytes) -> Any:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def agree(model: str | bytes, feeds: dict[str, Any], tolerance: float = 1e-3) -> None:
    """The first call and one with buffers are as near to onnxruntime as `tolerance` says."""
    evaluator, expected = CnnfastEvaluator(model), session(model).run(None, feeds)
    for _ in range(2):
        for one, other in zip(evaluator.run(None, feeds), expected, strict=True):
            assert one.dtype == other.dtype
            # onnxruntime's sigmoid is 0 where ours is 1e-7
            np.testing.assert_allclose(one, other, tolerance, tolerance * np.abs(other).max() + 1e-6)


@pytest.mark.parametrize("net", NETS)
def test_golden_outputs(net: str) -> None:
    model, golden = light(net)
    name, shape = image(model)
    evaluator = CnnfastEvaluator(model)
    for _ in range(2):
        np.testing.assert_allclose(evaluator.run(None, {name: ramp(shape)})[0], golden, 1e-3, 1e-7)


@pytest.mark.parametrize("net", [net for net in NETS if net != "vgg19"])  # whose random weights take a GB
def test_random_weights(net: str, rng: np.random.Generator) -> None:
    model = with_random_weights(light(net)[0], rng)
    name, shape = image(model)
    agree(model.SerializeToString(), {name: rng.random(shape, np.float32)})


@pytest.mark.parametrize("shape", [(1, 3, 160, 224), (2, 3, 96, 64)])
def test_text_detector(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    model = packaged("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx")
    agree(model, {"x": rng.standard_normal(shape).astype(np.float32)})


@pytest.mark.parametrize("model", ["ch_PP-OCRv4_rec_infer", "ch_ppocr_mobile_v2.0_cls_infer"])
def test_text_reader(model: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 48, 192)).astype(np.float32)
    agree(packaged("rapidocr_onnxruntime", f"models/{model}.onnx"), {"x": x})


@pytest.mark.parametrize("model", ["silero_vad", "silero_vad_16k_op15", "silero_vad_op18_ifless"])
def test_voice_detector(model: str, rng: np.random.Generator) -> None:
    feeds = {
        "input": rng.standard_normal((1, 576)).astype(np.float32),
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(16000),
    }
    agree(packaged("silero_vad", f"data/{model}.onnx"), feeds)
