"""The evaluator that prepares graphs gives what the operators give one by one, with its buffers and without."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx.reference.op_run import OpRun  # noqa: E402
from onnx_cases import CASES, MOVES, Case  # noqa: E402

from cnnfast import _config  # noqa: E402
from cnnfast.backends.onnx import CnnfastEvaluator, ops  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of overflow in casts of the stock code


@pytest.mark.parametrize("case", CASES + MOVES, ids=lambda case: case.name)
def test_cases(case: Case) -> None:
    if case.is_broken:
        pytest.skip("fails with the stock operators too")
    evaluator = CnnfastEvaluator(case.model)
    for _ in range(2):
        case.check(evaluator)


class Net:
    """A model that grows node by node, of whole numbers, so that every order of additions gives the same."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.rng, self.shape = rng, shape
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.channels = {"x": shape[1]}

    def add(self, op_type: str, inputs: list[str], channels: int, **attributes: Any) -> str:
        name = f"{op_type}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], **attributes))
        self.channels[name] = channels
        return name

    def constant(self, *shape: int, low: int = -2, high: int = 3) -> str:
        name = f"constant{len(self.constants)}"
        self.constants[name] = self.rng.integers(low, high, shape).astype(np.float32)
        return name

    def model(self, *outputs: str) -> Any:
        def info(name: str) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

        tensors = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "net", [info("x")], [info(name) for name in outputs], tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])

    def grow(self) -> None:
        """One more node on values that exist, with small numbers."""
        names = list(self.channels)
        x = names[int(self.rng.integers(max(0, len(names) - 4), len(names)))]
        c = self.channels[x]
        like = [name for name in names if self.channels[name] == c]
        other = like[int(self.rng.integers(len(like)))]
        kind = int(self.rng.integers(11))
        if kind < 2:
            out = int(self.rng.integers(1, 5))
            y = self.add("Conv", [x, self.constant(out, c, 3, 3)], out, pads=[1, 1, 1, 1])
            self.add("Clip", [y, self.scalar(-3), self.scalar(3)], out)
        elif kind == 2:
            zero, one = (self.constant(c, low=i, high=i + 1) for i in range(2))
            self.add("BatchNormalization", [x, self.constant(c), self.constant(c), zero, one], c, epsilon=0.0)
        elif kind == 3:
            self.add(str(self.rng.choice(["Mul", "Add"])), [x, self.constant(c, 1, 1)], c)
        elif kind == 4:
            self.add("Relu", [x], c)
        elif kind == 5:
            self.add("MaxPool", [x], c, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        elif kind == 6:
            self.add("Sum", [x, other, x][: int(self.rng.integers(1, 4))], c)
        elif kind == 7:
            self.add(str(self.rng.choice(["Add", "Sub"])), [other, x], c)
        elif kind == 8:
            self.add("Clip", [self.add("Identity", [x], c), self.scalar(-4), self.scalar(4)], c)
        else:
            parts = [names[int(i)] for i in self.rng.integers(0, len(names), 3)] + [x]
            self.add("Concat", parts, sum(self.channels[part] for part in parts), axis=1)

    def scalar(self, value: int) -> str:
        return self.constant(low=value, high=value + 1)


@pytest.mark.parametrize("seed", range(60))
def test_random_nets(seed: int, exact: None) -> None:
    rng = np.random.default_rng(seed)
    net = Net(rng, (int(rng.integers(1, 3)), 3, 5, 6))
    for _ in range(int(rng.integers(3, 25))):
        net.grow()
    names = list(net.channels)
    model = net.model(*dict.fromkeys([names[-1], *rng.choice(names[1:], 2)]))
    evaluator = CnnfastEvaluator(model)
    for threads in (1, 2):
        x = rng.integers(-3, 4, net.shape).astype(np.float32)
        before, expected = x.copy(), ReferenceEvaluator(model, new_ops=ops()).run(None, {"x": x})
        with _config.using(threads=threads):
            results = evaluator.run(None, {"x": x}), evaluator.run(None, {"x": x})
        for result in results:
            for one, other in zip(result, expected, strict=True):
                np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(x, before)
        assert not any(np.may_share_memory(a, b) for a, b in zip(*results, strict=True) if a is not x)


def agree(model: Any, feeds: dict[str, Any]) -> Any:
    """The results of prepared calls, which equal those of the operators one by one."""
    evaluator = CnnfastEvaluator(model)
    expected = ReferenceEvaluator(model, new_ops=ops()).run(None, feeds)
    for _ in range(3):
        results = evaluator.run(None, feeds)
        for one, other in zip(results, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    return evaluator


def test_a_part_of_a_concatenation_is_not_overwritten() -> None:
    net = Net(np.random.default_rng(0), (1, 2, 4, 4))
    part = net.add("Conv", ["x", net.constant(2, 2, 1, 1)], 2)
    whole = net.add("Concat", [part, "x"], 4, axis=1)
    clipped = net.add("Relu", [part], 2)
    last = net.add("Conv", [whole, net.constant(3, 4, 1, 1)], 3)
    agree(net.model(last, clipped), {"x": net.rng.integers(-3, 4, net.shape).astype(np.float32)})
    net.add("Conv", [clipped, net.constant(3, 2, 1, 1)], 3)
    agree(net.model(*list(net.channels)[-2:]), {"x": net.rng.integers(-3, 4, net.shape).astype(np.float32)})


def program(evaluator: Any) -> Any:
    """The only program that there is."""
    (prepared,) = evaluator._prepared.values()
    (one,) = prepared.programs.values()
    return one


def test_what_follows_a_convolution_is_fused() -> None:
    net = Net(np.random.default_rng(0), (1, 2, 4, 4))
    zero, one = (net.constant(3, low=i, high=i + 1) for i in range(2))
    for op_type, weight in (("Conv", (3, 2, 1, 1)), ("ConvTranspose", (2, 3, 2, 2))):
        y = net.add(op_type, ["x", net.constant(*weight)], 3)
        y = net.add("BatchNormalization", [y, net.constant(3), net.constant(3), zero, one], 3, epsilon=0.0)
        y = net.add("Add", [net.constant(3, 1, 1), net.add("Mul", [y, net.constant(1, 3, 1, 1)], 3)], 3)
        evaluator = agree(net.model(y), {"x": np.ones(net.shape, np.float32)})
        assert [step.node.op_type for step in program(evaluator).graph.steps] == [op_type]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_sums_and_limits_of_a_convolution_are_its_own(order: tuple[int, int]) -> None:
    net = Net(np.random.default_rng(0), (1, 3, 4, 4))
    terms = [net.add("Conv", ["x", net.constant(3, 3, 3, 3)], 3, pads=[1, 1, 1, 1]), "x"]
    y = net.add("Relu", [net.add("Add", [terms[i] for i in order], 3)], 3)
    y = net.add("Mul", [net.add("Conv", [y, net.constant(3, 3, 1, 1)], 3), net.constant(3, 1, 1)], 3)
    y = net.add("Mul", [net.add("Clip", [y, net.scalar(-1), net.scalar(2)], 3), net.constant(3, 1, 1)], 3)
    evaluator = agree(net.model(y), {"x": net.rng.integers(-3, 4, net.shape).astype(np.float32)})
    steps = program(evaluator).graph.steps
    assert [(step.node.op_type, step.node.clamp) for step in steps[:2]] == [("Conv", (0, np.inf)), ("Conv", (-1, 2))]
    assert len(steps) == 3  # what is scaled after limits is not the convolution's


def test_values_that_are_asked_for_stay() -> None:
    net = Net(np.random.default_rng(0), (1, 2, 4, 4))
    first = net.add("Conv", ["x", net.constant(3, 2, 1, 1)], 3)
    second = net.add("Mul", [first, net.constant(3, 1, 1)], 3)
    third = net.add("Relu", [second], 3)
    x = {"x": net.rng.integers(-3, 4, net.shape).astype(np.float32)}
    evaluator = agree(net.model(first, third), x)
    assert evaluator.run(None, x, intermediate=True).keys() >= {first, second, third}
    np.testing.assert_array_equal(evaluator.run([third], x)[0], evaluator.run(None, x)[1])
    np.testing.assert_array_equal(evaluator.run([second], x)[0], evaluator.run(None, x, intermediate=True)[second])


def test_scales_and_shifts_without_a_convolution_are_one_step() -> None:
    net = Net(np.random.default_rng(0), (2, 3, 4, 4))
    zero, one = (net.constant(3, low=i, high=i + 1) for i in range(2))
    y = net.add("BatchNormalization", ["x", net.constant(3), net.constant(3), zero, one], 3, epsilon=0.0)
    y = net.add("Add", [net.add("Mul", [y, net.constant(3, 1, 1)], 3), net.constant(3, 1, 1)], 3)
    evaluator = agree(net.model(y), {"x": net.rng.integers(-3, 4, net.shape).astype(np.float32)})
    assert len(program(evaluator).graph.steps) == 1


def test_products_and_hard_swish() -> None:
    net = Net(np.random.default_rng(0), (4, 5))
    y = net.add("Add", [net.add("MatMul", ["x", net.constant(5, 3)], 3), net.constant(3)], 3)
    y = net.add("Gemm", [y, net.constant(2, 3), net.constant(2)], 2, transB=1)
    clipped = net.add("Clip", [net.add("Add", [y, net.scalar(3)], 2), net.scalar(0), net.scalar(6)], 2)
    y = net.add("Div", [net.add("Mul", [clipped, y], 2), net.scalar(6)], 2)
    model = net.model(y)
    x = {"x": net.rng.integers(-1, 2, net.shape).astype(np.float32)}
    evaluator = CnnfastEvaluator(model)
    np.testing.assert_allclose(evaluator.run(None, x)[0], ReferenceEvaluator(model).run(None, x)[0], rtol=1e-6)
    assert [step.node.op_type for step in program(evaluator).graph.steps] == ["Gemm", "Gemm", "HardSwish"]


def test_shapes_may_change_and_callers_share_an_evaluator() -> None:
    net = Net(np.random.default_rng(0), (1, 2, 4, 4))
    y = net.add("Relu", [net.add("Conv", ["x", net.constant(3, 2, 3, 3)], 3, pads=[1, 1, 1, 1])], 3)
    model = net.model(net.add("Concat", [y, "x", net.add("Relu", [y], 3)], 8, axis=1))
    evaluator, stock = CnnfastEvaluator(model), ReferenceEvaluator(model)
    inputs = [net.rng.integers(-3, 4, (1 + k % 3, 2, 4 + k % 5, 6)).astype(np.float32) for k in range(60)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda x: evaluator.run(None, {"x": x})[0], inputs))
    for x, result in zip(inputs, results, strict=True):
        np.testing.assert_array_equal(result, stock.run(None, {"x": x})[0])


def test_own_operators_of_a_user_come_first() -> None:
    class Relu(OpRun):
        op_domain = ""

        def _run(self, x: Any) -> Any:
            return (x * 0 + 7,)

    net = Net(np.random.default_rng(0), (1, 2))
    model = net.model(net.add("Relu", ["x"], 2))
    for _ in range(2):
        assert CnnfastEvaluator(model, new_ops=[Relu]).run(None, {"x": np.ones((1, 2), np.float32)})[0].max() == 7


def test_initializers_may_be_fed_and_inputs_may_be_missing() -> None:
    net = Net(np.random.default_rng(0), (1, 2))
    model = net.model(net.add("Add", ["x", net.constant(2)], 2))
    evaluator, x = CnnfastEvaluator(model), np.ones((1, 2), np.float32)
    evaluator.run(None, {"x": x})
    assert evaluator.run(None, {"x": x, "constant0": np.full(2, 9, np.float32)})[0].tolist() == [[10, 10]]
    with pytest.raises(RuntimeError, match="Unable to find input 'x'"):
        evaluator.run(None, {})


def test_shapes_that_depend_on_data() -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Cast", ["places"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Relu", ["floats"], ["clipped"]),
        helper.make_node("Add", ["clipped", "clipped"], ["y"]),
    ]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "net", infos[:1], infos[1:]))
    evaluator = CnnfastEvaluator(model)
    for count in (3, 1, 4, 0):
        x = np.zeros(5, np.float32)
        x[:count] = 1
        assert evaluator.run(None, {"x": x})[0].tolist() == [[2.0 * k for k in range(count)]]


def test_limits_of_sums_and_scales_are_theirs() -> None:
    net = Net(np.random.default_rng(0), (2, 3, 4, 4))
    zero, one = (net.constant(3, low=i, high=i + 1) for i in range(2))
    y = net.add("BatchNormalization", ["x", net.constant(3), net.constant(3), zero, one], 3, epsilon=0.0)
    y = net.add("Clip", [net.add("Sum", [net.add("Relu", [y], 3), "x"], 3), net.scalar(-1), net.scalar(2)], 3)
    evaluator = agree(net.model(y), {"x": net.rng.integers(-3, 4, net.shape).astype(np.float32)})
    assert [step.node.op_type for step in program(evaluator).graph.steps] == ["BatchNormalization", "Sum"]


@pytest.mark.parametrize("rank", [2, 3])
def test_branches_of_known_conditions_are_inlined(rank: int) -> None:
    def branch(name: str, op_type: str) -> Any:
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(op_type, ["x"], [name])], name, [], [output])

    nodes = [
        helper.make_node("Size", ["shape"], ["rank"]),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Equal", ["rank", "two"], ["flat"]),
        helper.make_node("If", ["flat"], ["y"], then_branch=branch("a", "Relu"), else_branch=branch("b", "Neg")),
    ]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    two = [numpy_helper.from_array(np.array(2), "two")]
    graph = helper.make_graph([nodes[1], nodes[0], *nodes[2:]], "net", infos[:1], infos[1:], two)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    evaluator = agree(model, {"x": np.full((2, 3, 4)[:rank], -1, np.float32)})
    kinds = [step.node.op_type for step in program(evaluator).graph.steps]
    assert kinds == [{2: "Relu", 3: "Neg"}[rank], "Identity"]


def test_integers_without_axes_decide_on_branches() -> None:
    def branch(name: str, op_type: str) -> Any:
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(op_type, ["x"], [name])], name, [], [output])

    nodes = [
        helper.make_node("Equal", ["rate", "known"], ["same"]),
        helper.make_node("If", ["same"], ["y"], then_branch=branch("a", "Relu"), else_branch=branch("b", "Neg")),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy")
    rate = helper.make_tensor_value_info("rate", TensorProto.INT64, [])
    graph = helper.make_graph(nodes, "net", [x, rate], [y], [numpy_helper.from_array(np.array(7), "known")])
    evaluator = CnnfastEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)]))
    prepared = evaluator._prepare(("y",))
    assert prepared is not None
    for value in (7, 8, 7, *range(40)):
        given = np.array(value)
        (result,) = evaluator.run(None, {"x": np.full(3, -1, np.float32), "rate": given})
        assert result.tolist() == [0.0 if value == 7 else 1.0] * 3
        given += 1  # which a program must not see
        assert len(prepared.programs) <= 16
    assert len(prepared.programs) < 16  # so many values are no settings


MOVED = {
    "Cast": ([], {"to": TensorProto.DOUBLE}),
    "Gather": ([np.array(-1)], {"axis": 1}),
    "Pad": ([np.array([0, 1, 2, 0, 3, 0])], {"mode": "reflect"}),
    "Pow": ([np.array(2, np.float32)], {}),
    "ReduceMean": ([np.array([0, -1])], {"keepdims": 0}),
    "Split": ([np.array([1, 3])], {"axis": 1}),
    "Squeeze": ([np.array([0])], {}),
    "Unsqueeze": ([np.array([-1, 1])], {}),
}


@pytest.mark.parametrize("op_type", MOVED)
def test_moves_need_no_stock_code(op_type: str) -> None:
    constants, attributes = MOVED[op_type]
    names = [f"c{k}" for k in range(len(constants))]
    outputs = ["y", "z"] if op_type == "Split" else ["y"]
    nodes = [helper.make_node(op_type, ["x", *names], outputs, **attributes)]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", *outputs)]
    tensors = [numpy_helper.from_array(value, name) for name, value in zip(names, constants, strict=True)]
    model = helper.make_model(
        helper.make_graph(nodes, "net", infos[:1], infos[1:], tensors), opset_imports=[helper.make_opsetid("", 18)]
    )
    evaluator = agree(model, {"x": np.arange(-10, 10, dtype=np.float32).reshape(1, 4, 5)})
    assert "stock" not in str(*program(evaluator).runs.values())
