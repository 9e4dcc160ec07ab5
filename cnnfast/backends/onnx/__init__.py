"""ONNX models on these kernels: operators of onnx's reference evaluator, and an evaluator of its own.

``ReferenceEvaluator(model, new_ops=cnnfast.backends.onnx.ops())`` runs one model with them, `install` all evaluators
of the process, whoever makes them; ``CnnfastEvaluator(model)`` also prepares the graph, and runs at the speed of a
runtime. What is not covered stays with the stock code.
"""

from cnnfast.backends._backend import Backend
from cnnfast.backends.onnx._evaluator import CnnfastEvaluator
from cnnfast.backends.onnx._registry import ops, replacements

backend = Backend("onnx", replacements)
install, uninstall, active = backend.install, backend.uninstall, backend.active

__all__ = ["CnnfastEvaluator", "active", "install", "ops", "uninstall"]
