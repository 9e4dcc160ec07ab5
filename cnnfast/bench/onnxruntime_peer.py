"""ONNX Runtime as a contender."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnxruntime

from cnnfast import _config
from cnnfast.bench.onnx_model import model
from cnnfast.bench.tasks import Call, Contender, Task


class OnnxRuntime:
    """The CPU provider in float32, weights known when the session is made, as in inference."""

    name = "onnxruntime"

    def describe(self) -> str:
        return f"onnxruntime {onnxruntime.__version__}"

    def prepare(self, task: Task) -> Call | None:
        made = model(task)
        if made is None or task.x.dtype != np.float32:
            return None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _config.get_num_threads()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
        return partial(session.run, ["y"], {"x": task.x})


def contenders() -> list[Contender]:
    """Return what this peer is timed as."""
    return [OnnxRuntime()]
