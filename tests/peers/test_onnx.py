"""Operators of ONNX: the tests that the onnx package brings, through its evaluator with ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx_cases import CASES, Case  # noqa: E402

from cnnfast import backends  # noqa: E402
from cnnfast.backends import onnx as backend  # noqa: E402
from cnnfast.backends.onnx._node import Node  # noqa: E402
from cnnfast.backends.onnx._operators import OPERATORS, prepare  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of overflow in casts of the stock code

# What the operators leave to the stock code, besides integers and matrices of halves: random masks, limits in the
# wrong order, slopes that are no channels', products of many matrices.
LEFT = ("test_training_dropout", "test_clip_min_greater_than_max", "test_prelu_", "test_matmul_")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_operators(case: Case) -> None:
    if case.is_broken:
        pytest.skip("fails with the stock operators too")
    case.check(ReferenceEvaluator(case.model, new_ops=backend.ops()))


def test_what_is_left_to_the_stock_code() -> None:
    """Every operator runs here in nearly all of the cases that are one node of it."""
    ran = dict.fromkeys(OPERATORS, 0)
    for case in CASES:
        node = case.model.graph.node[0]
        if len(case.model.graph.node) > 1 or case.model.graph.initializer or node.op_type not in OPERATORS:
            continue
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        run = prepare(Node(node.op_type, case.model.opset_import[0].version, given, len(node.output)))
        for inputs, _ in case.data():
            feeds = dict(zip((i.name for i in case.model.graph.input), inputs, strict=False))
            try:
                run(*map(feeds.get, node.input))
                ran[node.op_type] += 1
            except backends.NotCovered:
                assert case.name.startswith(LEFT) or inputs[0].dtype not in (np.float32, np.float64), case.name
    assert {op for op, count in ran.items() if not count} == {"GlobalLpPool", "PRelu"}  # tested below


@pytest.fixture
def uninstalled() -> Any:
    yield
    backend.uninstall()


def transposed(group: int = 2) -> Any:
    """A transposed convolution in groups with a bias, of which onnx 1.23 gives a wrong result or none."""
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], group=group, strides=[2, 2])
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "xwby"]
    graph = helper.make_graph([node], "net", infos[:3], infos[3:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


FEEDS = {"x": np.ones((1, 4, 3, 3), np.float32), "w": np.ones((4, 2, 3, 3), np.float32), "b": np.arange(4.0, dtype="f")}


def test_install_reaches_all_evaluators(uninstalled: None) -> None:
    before = ReferenceEvaluator(transposed())
    backend.install()
    for evaluator in (before, ReferenceEvaluator(transposed())):
        y = evaluator.run(None, FEEDS)[0]
        assert y.shape == (1, 4, 7, 7)
        assert y[0, :, 0, 0].tolist() == [2, 3, 4, 5]
    backend.uninstall()
    with pytest.raises(ValueError, match=r"reshape|broadcast"):
        before.run(None, FEEDS)


def test_install_adds_and_removes_operators() -> None:
    from onnx.reference.ops import _op_list

    with backend.active():
        assert "GlobalLpPool" in _op_list._registered_operators
    assert "GlobalLpPool" not in _op_list._registered_operators


def test_verify_finds_where_the_stock_code_is_wrong() -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER")
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "xy"]
    model = helper.make_model(helper.make_graph([node], "net", infos[:1], infos[1:]))
    x = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    assert ReferenceEvaluator(model, new_ops=backend.ops()).run(None, {"x": x})[0].shape == (1, 1, 3, 3)
    with pytest.raises(backends.Mismatch, match=r"shape \(1, 1, 3, 3\)"):
        ReferenceEvaluator(model, new_ops=backend.ops(verify=True)).run(None, {"x": x})
    with backend.active(verify=True), pytest.raises(backends.Mismatch):
        ReferenceEvaluator(model).run(None, {"x": x})


@pytest.mark.parametrize("shape", [(2, 5, 4, 4), (5, 2, 4, 4)])
@pytest.mark.parametrize("size", [3, 4])
def test_lrn_sums_channels(shape: tuple[int, ...], size: int) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    y = prepare(Node("LRN", 13, {"size": size, "alpha": 0.5}))(x)
    low, high = (size - 1) // 2, size // 2
    for c in range(shape[1]):
        squares = (x[:, max(c - low, 0) : c + high + 1] ** 2).sum(1)
        np.testing.assert_allclose(y[:, c], x[:, c] / (1 + 0.5 / size * squares) ** 0.75, rtol=1e-5)


def test_prelu_of_channels_and_global_lp_pool() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    slope = np.array([0.5, -1, 2]).reshape(3, 1, 1)
    np.testing.assert_array_equal(prepare(Node("PRelu", 16, {}))(x, slope), np.where(x > 0, x, x * slope))
    for p in (1, 2, 3):
        norm = (np.abs(x) ** p).sum((2, 3), keepdims=True) ** (1 / p)
        np.testing.assert_allclose(prepare(Node("GlobalLpPool", 2, {"p": p}))(x), norm)
