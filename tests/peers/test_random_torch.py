"""Random problems of every op: values, gradients and refusals of the kernels and of the reference are PyTorch's."""

from __future__ import annotations

import copy
import inspect
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from problems import OPS, Draw, Problem

from cnnfast import _config, _core, reference
from cnnfast import functional as F

torch = pytest.importorskip("torch")
T = torch.nn.functional

Array = np.ndarray[Any, Any]
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError)
ROUNDINGS = 256  # of either library, in units of the largest value: sums here have some hundred terms


def tensor(value: Any, has_gradient: bool = False) -> Any:
    return torch.tensor(value, requires_grad=has_gradient) if isinstance(value, np.ndarray) else value


def of_tensors(problem: Problem) -> Problem:
    arrays = {name: tensor(array, True) for name, array in problem.arrays.items()}
    return Problem(problem.op, arrays, {name: tensor(value) for name, value in problem.arguments.items()})


def compare(got: Any, expected: Any, dtype: Any = None) -> None:
    """Equal within the roundings of `dtype`, by default that of the result."""
    wanted = expected.detach().numpy()
    assert isinstance(got, np.ndarray)
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    tolerance = ROUNDINGS * np.finfo(dtype or got.dtype).eps if got.dtype.kind == "f" else 0
    scale = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=1))
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * scale)


def without_nothing(peer: Problem, results: Any, grad: Any) -> tuple[Any, Any]:
    """Results of max pooling and their gradient, with index -1 and gradient 0 for windows of nothing but padding.

    PyTorch gives these an index that may be outside of the plane, and would write a gradient there.
    """
    zeros = peer._replace(arrays={"input": torch.zeros_like(peer.arrays["input"])})
    nothing = zeros.forward(T)[0] == -np.inf
    return (results[0], results[1].masked_fill(nothing, -1)), grad.masked_fill(nothing, 0)


def check(module: Any, problem: Problem, peer: Problem, expected: tuple[Any, ...], grad: Array) -> None:
    """`peer` has PyTorch's gradients, and running statistics after the call."""
    problem = copy.deepcopy(problem)
    result = problem.forward(module)
    for got, wanted in zip(result if isinstance(result, tuple) else (result,), expected, strict=True):
        compare(got, wanted)
    for name in ("running_mean", "running_var"):
        if problem.arguments.get(name) is not None:
            compare(problem.arguments[name], peer.arguments[name])
    precision = np.float32 if problem.op == "hardsigmoid" else None  # in which PyTorch keeps its sixth
    for name, gradient in problem.backward(module, grad, result).items():
        compare(gradient, peer.arrays[name].grad, precision)


def solve(problem: Problem, draw: Draw) -> bool:
    """Whether PyTorch takes the problem; either way the others do as it does."""
    peer = of_tensors(problem)
    try:
        expected = peer.forward(T)
    except REFUSALS:
        for module in (F, reference):
            with pytest.raises((ValueError, TypeError), match=f"^{problem.op}: "):
                problem.forward(module)
        return False
    results = expected if isinstance(expected, tuple) else (expected,)
    grad = draw.array(*results[0].shape)
    back = tensor(grad)
    if problem.op.startswith("max_pool"):
        results, back = without_nothing(peer, results, back)
    results[0].backward(back)
    for module in (F, reference):
        check(module, problem, peer, results, grad)
    return True


@pytest.mark.filterwarnings("ignore:Using padding='same'", "ignore:dropout.d. Received")
@pytest.mark.parametrize("op", OPS)
def test_values_gradients_and_refusals(op: str, counts: dict[str, Counter[bool]], pytestconfig: pytest.Config) -> None:
    counts[op] = Counter()
    for number in range(pytestconfig.getoption("--problems")):
        rng = np.random.default_rng([pytestconfig.getoption("--seed"), number])
        draw = Draw(rng, rng.choice([np.float32, np.float64]))
        problem = OPS[op](draw)
        with _config.using(isa=draw.one(*_core.supported_isas()), threads=draw.one(1, 2, 3)):
            print(number, problem)  # shown if it fails
            counts[op][solve(problem, draw)] += 1


# Shape, and the axes along which the mask changes.
MASKS: list[tuple[str, tuple[int, ...], int]] = [
    ("dropout", (20, 30, 5), 3),
    ("dropout1d", (20, 30, 5), 2),
    ("dropout1d", (200, 5), 1),
    ("dropout2d", (20, 30, 2, 3), 2),
    ("dropout3d", (20, 30, 2, 3, 2), 2),
    ("dropout3d", (200, 2, 3, 2), 1),
]


@pytest.mark.parametrize(("op", "shape", "axes"), MASKS, ids=str)
def test_dropout_drops_what_pytorchs_could(
    op: str, shape: tuple[int, ...], axes: int, rng: np.random.Generator
) -> None:
    x, p, planes = rng.uniform(0.5, 2, shape), 0.3, int(np.prod(shape[:axes]))
    torch.manual_seed(0)
    theirs = getattr(T, op)(torch.tensor(x), p).numpy()
    for y in (theirs, getattr(F, op)(x, p, seed=1), getattr(reference, op)(x, p, seed=1)):
        dropped = (y == 0).reshape(planes, -1)
        assert np.all(dropped == dropped[:, :1])
        # The share of n draws has a standard deviation of sqrt(p (1 - p) / n).
        assert abs(np.mean(dropped) - p) < 5 * (p * (1 - p) / planes) ** 0.5
        both = (y != 0) & (theirs != 0)
        np.testing.assert_allclose(y[both], theirs[both], rtol=1e-15)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_by_size_are_called_as_in_pytorch(rank: int, rng: np.random.Generator) -> None:
    draw = Draw(rng, np.float64)
    x, w = draw.array(2, 4, *(7,) * rank), draw.array(6, 2, *(3,) * rank)
    dy, settings = draw.array(2, 6, *(4,) * rank), (2, 2, (2,) * rank, 2)
    for module in (F, reference):
        for suffix, arguments in {"input": (x.shape, w, dy), "weight": (x, w.shape, dy)}.items():
            name = f"conv{rank}d_{suffix}"
            expected = getattr(torch.nn.grad, name)(*map(tensor, arguments), *settings)
            compare(getattr(module, name)(*arguments, *settings), expected)


def signature(op: str) -> dict[str, Any]:
    """Names and defaults of the positional arguments of PyTorch's op; those written in C are documented only."""
    function = getattr(T, op)
    documented = re.search(rf"{op}\((.*?)\)( ->|\n)", function.__doc__ or "")
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        parameters = {"args": None}
    if "args" in parameters and documented:
        parameters = inspect.signature(eval(f"lambda {documented[1]}: 0")).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


@pytest.mark.parametrize("op", OPS)
def test_names_order_and_defaults_are_pytorchs(op: str) -> None:
    parameters = inspect.signature(getattr(F, op)).parameters.values()
    ours = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    theirs = signature(op)
    left_out = {"size_average", "reduce", "_stacklevel", "dtype"}  # deprecated or of no use here
    left_out |= {"approximate"}  # keyword-only in both
    added = {"divisor_override"} if op == "avg_pool1d" else set()
    assert [n for n in ours if n not in added] == [n for n in theirs if n not in left_out]
    assert all(ours[name] == theirs[name] for name in ours.keys() - added)
