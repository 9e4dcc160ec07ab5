"""Problem strings: grammar, shapes, counts, and operands that keep every sum exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F
from cnnfast.testing import Problem, integers

STRINGS = [
    "n8c3h224w224_o64k7s2p3",
    "n4c64w8000_o64k2s1p0d64",
    "n8c256h16w16_t128k4s2p1",
    "n2c4w9_t6k3s2p1a1g2",
    "n1c3d8h112w112_o64k3x7x7s1x2x2p1x3x3",
    "n8c96h56w56_o96k3s1p1g96",
    "n8c64h112w112_k3s2p1",
    "n64c400_o120",
    "n64c6h28w28",
    "n64c120",
]


@pytest.mark.parametrize("text", STRINGS)
def test_a_string_comes_back(text: str) -> None:
    assert str(Problem.parse(text)) == text


def test_what_may_be_left_out() -> None:
    assert str(Problem.parse("n1c2h8w8_o3k1x3")) == "n1c2h8w8_o3k1x3s1p0"
    assert str(Problem.parse("n1c2h8w8_k2x4")) == "n1c2h8w8_k2x4s2x4p0"


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_random_problems(rank: int, transposed: bool, rng: np.random.Generator) -> None:
    for _ in range(100):
        problem = Problem.random(rng, rank, transposed=transposed)
        assert Problem.parse(str(problem)) == problem
        assert transposed or str(problem.conv) == str(problem)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one like"),
        ("n8", "expected one like"),
        ("n8c3_", "expected one like"),
        ("n8c3w9_o3k3k3", "expected one like"),
        ("n8c3d3w9_o3k1", "expected one like"),
        ("n8c3w9_o3k3 ", "expected one like"),
        ("n8c3w9_o3", "expected a kernel"),
        ("n8c3_o3k3", "expected a kernel"),
        ("n8c3_t3", "a kernel if transposed"),
        ("n8c3w9_o3t3k3", "one number of output channels"),
        ("n8c3w9_o3x4k3", "one number of output channels"),
        ("n8c3w9_o0k3", "expected output channels"),
        ("n8c3w9_s2", "without a kernel"),
        ("n8c4_o4g2", "without a kernel"),
        ("n8c3w9_o3k3a1", "transposed"),
        ("n8c3w4_o3k9", "kernel to fit"),
        ("n8c5w9_o4k3g2", "in 2 groups"),
        ("n8c3w9_o3k3s0", "stride is 0"),
        ("n8c3w9_o3k3g0", "groups is 0"),
        ("n8c0w9_k3", "expected at least 1"),
        ("n8c3h9w9_o3k3x3x3", "an int or 2 of them"),
    ],
)
def test_what_is_no_problem(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Problem.parse(text)


def call(problem: Problem, operands: Any) -> Any:
    if not problem.kernel:
        return F.linear(operands.input, operands.weight)
    if problem.outputs is None:
        pool = getattr(F, f"max_pool{problem.rank}d")
        return pool(operands.input, problem.kernel, **problem.arguments)
    function = getattr(F, f"{problem.op}{problem.rank}d")
    return function(operands.input, operands.weight, **problem.arguments)


@pytest.mark.parametrize(
    "text",
    ["n2c4h9w7_o6k3x2s2x1p1d1x2g2", "n2c4w9_t6k3s2p1a1g2", "n1c2d5h6w7_k2s1x2x3p1", "n3c5_o7"],
)
def test_shapes_are_those_of_the_op(text: str, rng: np.random.Generator) -> None:
    problem = Problem.parse(text)
    operands = problem.arrays(rng)
    assert call(problem, operands).shape == problem.output_shape == operands.grad_output.shape


def test_counts() -> None:
    conv = Problem.parse("n2c4h9w7_o6k3g2")
    assert conv.flops == 2 * (2 * 6 * 7 * 5) * (2 * 3 * 3)
    assert conv.elements == 2 * 4 * 9 * 7 + 6 * 2 * 3 * 3 + 2 * 6 * 7 * 5
    # Each point of the input meets each tap and output channel of its group once.
    assert Problem.parse("n2c4h9w7_t6k3s2g2").flops == 2 * (2 * 4 * 9 * 7) * (3 * 3 * 3)
    assert Problem.parse("n2c3w8_k2").flops == 2 * 3 * 4 * 2
    assert Problem.parse("n3c5_o7").flops == 2 * 3 * 5 * 7
    assert Problem.parse("n3c5w7").elements == 2 * 3 * 5 * 7


def test_integers_shrink_as_sums_grow(rng: np.random.Generator) -> None:
    short, long = (Problem.parse(t).arrays(rng) for t in ("n9c9w9_o9k3", "n1c1h1000w1000_o1k1"))
    assert np.abs(short.input).max() == 8
    # 10**6 products of at most 4 * 4 stay below 2**24.
    assert np.abs(long.input).max() == 4


def test_averages_are_whole(rng: np.random.Generator) -> None:
    operands = Problem.parse("n1c2h9w9_k3").arrays(rng)
    assert np.array_equal(operands.input % 9, np.zeros_like(operands.input))


def test_floats_and_dtypes(rng: np.random.Generator) -> None:
    problem = Problem.parse("n2c3w8_o4k3")
    assert all(a.dtype == np.float64 for a in problem.arrays(rng, np.float64))
    floats = problem.arrays(rng, exact=False).input
    assert floats.dtype == np.float32
    assert np.any(floats % 1)
    assert set(np.unique(integers(rng, (999,), largest=1))) == {-1, 0, 1}
