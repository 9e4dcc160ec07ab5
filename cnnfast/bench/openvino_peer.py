"""OpenVINO as a contender."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino

from cnnfast import _config
from cnnfast.bench.onnx_model import model
from cnnfast.bench.tasks import Call, Contender, Task


class OpenVino:
    """Its CPU plugin in float32, where it would round to bfloat16 by itself; weights known as in inference."""

    name = "openvino"

    def __init__(self) -> None:
        self.core = openvino.Core()

    def describe(self) -> str:
        return f"openvino {openvino.__version__.partition('-')[0]}"

    def prepare(self, task: Task) -> Call | None:
        made = model(task)
        if made is None or task.x.dtype != np.float32:
            return None
        settings = {
            "INFERENCE_NUM_THREADS": _config.get_num_threads(),
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        request = self.core.compile_model(self.core.read_model(made), "CPU", settings).create_infer_request()
        inputs = [task.x]

        def call() -> Any:
            # Shared inputs are not copied; the result is, into a new array.
            return request.infer(inputs, share_inputs=True)[0]

        return call


def contenders() -> list[Contender]:
    """Return what this peer is timed as."""
    return [OpenVino()]
