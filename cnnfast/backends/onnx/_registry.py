"""Hooks into onnx's reference evaluator: classes for ``new_ops``, and the registry of the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from onnx.reference.op_run import OpRun
from onnx.reference.ops import _op_list, load_op

from cnnfast.backends._backend import Replacement, covering
from cnnfast.backends.onnx._node import Node
from cnnfast.backends.onnx._operators import OPERATORS, prepare


class _Unknown(OpRun):
    """Stands for the stock code of an operator that has none."""

    def _run(self, *inputs: Any, **attributes: Any) -> Any:
        raise NotImplementedError(f"{self.op_type}: neither cnnfast nor onnx.reference has an implementation of this")


def node_of(op: OpRun, attributes: dict[str, Any]) -> Node:
    """What the model says about the node of `op`, with the values that attributes have in this call."""
    given = {a.name: attributes.get(a.name, getattr(op, a.name)) for a in op.onnx_node.attribute}
    outputs = [number for number, name in enumerate(op.onnx_node.output, 1) if name]
    return Node(op.op_type, op.run_params["opsets"].get(op.domain, 1), given, max(outputs, default=1))


def run(self: OpRun, *inputs: Any, **attributes: Any) -> tuple[Any, ...]:
    """`OpRun._run` of every operator that runs here."""
    result = prepare(node_of(self, attributes))(*inputs)
    return result if isinstance(result, tuple) else (result,)


def _stock() -> dict[str, dict[int | None, type[OpRun]]]:
    """The implementations that onnx has of each operator, by the opset from which they hold."""
    load_op("", "Conv")  # fills the registry
    return cast(Any, _op_list._registered_operators)


def _covered(stock: type[OpRun], *, verify: bool = False) -> type[OpRun]:
    return type(stock.__name__, (stock,), {"_run": covering(run, stock._run, verify=verify)})


def ops(*, verify: bool = False) -> list[type[OpRun]]:
    """Return classes for the argument `new_ops` of ``onnx.reference.ReferenceEvaluator``, a new list for each call.

    Parameters
    ----------
    verify : bool
        Run the stock code too in each call, and raise `cnnfast.backends.Mismatch` where results differ.

    Examples
    --------
    >>> import numpy as np
    >>> from onnx.reference import ReferenceEvaluator
    >>> from onnx.parser import parse_model
    >>> model = parse_model('''
    ...     <ir_version: 8, opset_import: ["" : 17]>
    ...     net (float[N, 3, H, W] image, float[8, 3, 3, 3] filters) => (float[N, 8, H, W] maps) {
    ...         maps = Conv <pads = [1, 1, 1, 1]> (image, filters)
    ...     }''')
    >>> net = ReferenceEvaluator(model, new_ops=ops())
    >>> feeds = {"image": np.ones((1, 3, 9, 9), np.float32), "filters": np.ones((8, 3, 3, 3), np.float32)}
    >>> float(net.run(None, feeds)[0].max())
    27.0
    """
    return [_dispatcher(op_type, verify) for op_type in OPERATORS]


class Dispatcher(OpRun):
    """The base of the classes of `ops`, which tells them from classes of others."""


def _dispatcher(op_type: str, verify: bool) -> type[OpRun]:
    """A class whose instances are of the stock class that the model's opset asks for, with our `_run`."""

    def new(cls: type[OpRun], node: Any, run_params: dict[str, Any]) -> OpRun:
        known = op_type in _stock()
        stock = load_op("", op_type, run_params["opsets"][""]) if known else _Unknown
        return _covered(stock, verify=verify)(node, run_params)

    return type(op_type, (Dispatcher,), {"op_domain": "", "__new__": new})


def replacements() -> Iterator[Replacement]:
    """`_run` of every class of the registry, and classes for the operators that it has not."""
    registry = _stock()
    for op_type in OPERATORS:
        if op_type in registry:
            for stock in dict.fromkeys(registry[op_type].values()):
                yield Replacement(stock, "_run", run)
        else:
            ours = type(op_type, (_Unknown,), {"_run": run})
            yield Replacement(registry, op_type, {None: ours}, whole=True)
