"""Winograd's convolution: the error that is promised, whatever the problem, the threads and the instruction set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from problems import Draw, Problem, solvable

from cnnfast import _config, _core, testing
from cnnfast import functional as F
from cnnfast._geometry import convolution as geometry
from cnnfast.bench import planner

Array = np.ndarray[Any, Any]

OPS = [f"{family}{rank}d" for family in ("conv", "conv_transpose") for rank in (1, 2, 3)]
PASSES = (_core.FORWARD, _core.BACKWARD_DATA, _core.BACKWARD_WEIGHTS)
# Of the largest element, and of the root mean square.
ALLOWED = {np.float32: (1e-5, 3e-6), np.float64: (1e-12, 1e-12)}

# Channels around a vector and a sum's cut, tiles around a tile of the product and a box, many batches, several images.
SIZES = [f"n1c{c}h9w9_o{o}k3s1p1" for c, o in ((3, 4), (7, 9), (8, 16), (33, 17), (128, 8), (129, 8), (257, 3))]
SIZES += [f"n3c5h{h}w{w}_o6k3s1p1" for h, w in ((3, 3), (4, 5), (7, 14), (1, 30), (30, 1))]
SIZES += ["n2c16h40w300_o24k3s1p1", "n7c24h14w14_o64k3s1p1", "n1c32h6w6_o200k3s1p1", "n1c12d9h11w10_o20k3s1p1"]
SIZES += [
    "n1c16w3000_o24k3s1p1",
    "n2c9w500_o8k15s1p7",
    "n1c3h50w50_o16k7s2p3",
    "n1c8h31w31_o9k11s4p2",
    "n1c3h30w30_o4k9s1p4",
    "n2c2h9w41_o9k3x5s2p1x2",
    "n1c256h14w14_o16k3s1p1",
]
SIZES += ["n2c20h21w22_o11k3s1p2d2", "n1c20h21w22_o11k3s2p2d3", "n2c12h20w20_o36k3s1p1g3", "n2c9h19w18_o40k5s3p2"]
SIZES += [
    "n2c40h8w8_t24k4s2p1",
    "n1c10h9w8_t12k5s2p2a1",
    "n1c16w100_t8k9s3p1d2",
    "n1c8d4h5w6_t12k3s2p1a1",
]
# Gradients of weights: more than a chunk of one thread, chunks that end in a group, more lattices than a sum has tiles.
SIZES += ["n2c64h60w60_o64k3s1p1", "n1c96h80w80_o96k3s1p1g3", "n1c8w1000_o8k3s1p0d150"]


def rms(array: Array) -> float:
    return float(np.sqrt(np.mean(array**2)))


def errors(got: Array, expected: Array, spread: float = 0) -> tuple[float, float]:
    """Of the largest element and of the root mean square, both at least `spread`."""
    difference = got - expected
    largest, scale = max(np.max(np.abs(expected), initial=0), spread), max(rms(expected), spread)
    return float(np.max(np.abs(difference), initial=0) / largest), rms(difference) / scale


def check(what: str, run: Callable[..., Array], expected: Array, spread: float = 0) -> None:
    """What `run` gives with any number of threads."""
    results = []
    for threads in (1, 2, 3):
        with _config.using(threads=threads):
            results.append(run())
    for other in results[1:]:
        assert results[0].tobytes() == other.tobytes(), what
    got = errors(results[0], expected, spread)
    assert np.all(np.array(got) <= ALLOWED[results[0].dtype.type]), f"{what}: {got}"


def conv_plan(which: int, op: str, shapes: list[Any], arguments: dict[str, Any], *settings: Any) -> _core.ConvPlan:
    """The plan of a pass; `shapes` of input and weight, `settings` as in the plan, the algorithm by its name."""
    family, rank = op[:-2], int(op[-2])
    of = geometry.conv if family == "conv" else geometry.conv_transpose
    order = ("stride", "padding", "output_padding", "groups", "dilation")
    names = order if family == "conv_transpose" else ("stride", "padding", "dilation", "groups")
    *how, algorithm = settings
    problem = of(op, rank, *shapes, None, *[arguments[name] for name in names])
    return _core.ConvPlan(which, problem, *how, shapes[1], _core.ALGORITHMS[algorithm])


def weight_gradient(problem: Problem, grad: Array, algorithm: str) -> Array:
    x, w = (problem.arrays[name] for name in ("input", "weight"))
    isa, threads, _ = _config.how()
    settings = isa, threads, x.dtype == np.float64, False, algorithm
    run = conv_plan(_core.BACKWARD_WEIGHTS, problem.op, [x.shape, w.shape], problem.arguments, *settings)
    return run(*((grad, x) if "transpose" in problem.op else (x, grad)))


def changed(problem: Problem, change: Callable[[Array], Array]) -> Problem:
    return problem._replace(arrays={name: None if a is None else change(a) for name, a in problem.arrays.items()})


def check_problem(problem: Problem, rng: np.random.Generator) -> None:
    """Result and gradient of the weights against plain sums in float64, of the same operands.

    Few sums may happen to be far smaller than their terms, which no algorithm adds without an error of the size of the
    terms: what is allowed goes by what sums of as large terms of random signs are.
    """
    double = changed(problem, lambda a: a.astype(np.float64))
    squares = changed(double, np.square)
    expected = double.forward(F, algo="direct")
    if not expected.any():
        return
    spread = rms(np.sqrt(squares.forward(F, algo="direct")))
    check(str(problem), lambda: problem.forward(F, algo="winograd"), expected, spread)
    grad = rng.standard_normal(expected.shape).astype(problem.arrays["input"].dtype)
    expected = weight_gradient(double, grad.astype(np.float64), "direct")
    if expected.any():
        spread = rms(np.sqrt(weight_gradient(squares, np.square(grad.astype(np.float64)), "direct")))
        check(f"dw of {problem}", lambda: weight_gradient(problem, grad, "winograd"), expected, spread)


@pytest.mark.parametrize("op", OPS)
def test_random_problems(op: str, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    draw = Draw(rng, dtype)
    for _ in range(40):
        check_problem(solvable(op, draw, F), rng)


def drawn(text: str, dtype: Any, rng: np.random.Generator) -> Problem:
    p = testing.Problem.parse(text)
    arrays = p.arrays(rng, dtype, exact=False)
    bias = rng.standard_normal(p.outputs).astype(dtype)
    return Problem(f"{p.op}{p.rank}d", {"input": arrays.input, "weight": arrays.weight, "bias": bias}, p.arguments)


@pytest.mark.parametrize("text", SIZES)
def test_sizes_at_which_the_plan_changes(text: str, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    check_problem(drawn(text, dtype, rng), rng)


def info(p: testing.Problem, which: int, algorithm: str, exact: bool = False, threads: int = 2) -> dict[str, Any]:
    shapes, isa = [p.input_shape, p.weight_shape], _core.supported_isas()[-1]
    return conv_plan(which, f"{p.op}{p.rank}d", shapes, p.arguments, isa, threads, False, exact, algorithm).info()


def plan(text: str, which: int, algorithm: str, exact: bool = False) -> dict[str, Any]:
    return info(testing.Problem.parse(text), which, algorithm, exact)


@pytest.mark.parametrize("text", SIZES)
def test_it_applies_to_all_of_them(text: str) -> None:
    for which in PASSES:
        assert plan(text, which, "winograd")["algorithm"] == "winograd"
        assert plan(text, which, "winograd", exact=True)["algorithm"] == "direct"
        assert plan(text, which, "direct")["algorithm"] == "direct"


@pytest.mark.parametrize(
    "text",
    ["n1c64h1w1_o64k1s1p0", "n8c64h56w56_o64k1s1p0", "n1c6h8w8_o6k1s2p0", "n2c3h20w20_o3k9s9p0", "n1c16h9w8_t12k2s3p0"],
)
def test_it_does_not_apply_where_no_tap_has_a_neighbour(text: str) -> None:
    for which in PASSES:
        assert plan(text, which, "winograd")["algorithm"] == "direct"


def test_it_is_the_default_where_it_is_faster() -> None:
    for text in (
        "n8c64h56w56_o64k3s1p1",
        "n8c512h7w7_o512k3s1p1",
        "n1c64d8h56w56_o128k3s1p1",
        "n4c256h28w28_o256k3s1p2d2",
    ):
        for which in PASSES:
            assert plan(text, which, "auto")["algorithm"] == "winograd"
    assert plan("n1c512h7w7_o512k3s1p1", _core.FORWARD, "auto")["algorithm"] == "winograd"
    for text in ("n1c2h5w5_o3k3s1p0", "n1c1h28w28_o6k5s1p0"):
        for which in PASSES:
            assert plan(text, which, "auto")["algorithm"] == "direct"


@pytest.mark.parametrize(
    "text", ["n1c32h14w14_o32k3s1p1", "n1c300h9w9_o16k3s1p1", "n2c64h14w14_t32k4s2p1", "n1c8h30w30_o64k7s2p3"]
)
def test_all_passes_of_the_default(text: str, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    problem = drawn(text, dtype, rng)
    double = problem._replace(arrays={name: a.astype(np.float64) for name, a in problem.arrays.items()})
    with _config.using(exact=True):
        y = double.forward(F)
        grad = rng.standard_normal(y.shape).astype(dtype)
        gradients = double.backward(F, grad.astype(np.float64), y)
    check(text, lambda: problem.forward(F), y)
    for name, expected in gradients.items():
        check(f"gradient of {name}, {text}", lambda name=name: problem.backward(F, grad, y)[name], expected)


def test_exact_turns_it_off(rng: np.random.Generator) -> None:
    problem = drawn("n2c32h14w14_o32k3s1p1", np.float32, rng)
    plain = problem.forward(F, algo="direct")
    with _config.using(exact=False):
        assert not np.array_equal(problem.forward(F), plain)
    with _config.using(exact=True):
        for algo in ("auto", "direct", "winograd"):
            assert np.array_equal(problem.forward(F, algo=algo), plain)


PASSES = (_core.FORWARD, _core.BACKWARD_DATA)
MIB = 2**20


def test_the_choice_does_not_depend_on_threads() -> None:
    """Since it decides the order of additions."""
    for number in range(100):
        problem = planner.layer(number).problem
        for which in PASSES:
            chosen = [info(problem, which, "auto", threads=threads) for threads in (1, 2, 3, 16)]
            assert len({(one["algorithm"], one.get("pieces")) for one in chosen}) == 1, f"{problem}: {chosen}"


# Many channels, many sources, many phases, long lines.
LARGE = ["n2c2048h14w14_o2048k3s1p1", "n2c1024h28w28_o64k11s2p5", "n1c512h30w30_t512k5s3p1", "n1c64d30h60w60_o64k3s1p1"]


def test_the_workspace_is_bounded() -> None:
    """By 6 MiB a thread, beside the weights at all points and, where threads share it, the source at all points."""
    problems = [planner.layer(number).problem for number in range(100)] + list(map(testing.Problem.parse, LARGE))
    for problem in problems:
        for which in PASSES:
            for threads in (1, 2, 5):
                found = info(problem, which, "winograd", threads=threads)
                if found["algorithm"] == "winograd":
                    assert found["thread_bytes"] <= 6 * MIB, f"{problem}: {found}"
                    assert found["source_bytes"] <= 4 * MIB * threads, f"{problem}: {found}"


def test_what_is_not_finite_spreads_over_a_tile_and_no_further(isa: int, rng: np.random.Generator) -> None:
    problem = drawn("n2c16h40w40_o16k3s1p1", np.float32, rng)
    finite = problem.forward(F, algo="winograd")
    problem.arrays["input"][1, 3, 20, 20] = np.nan
    y = problem.forward(F, algo="winograd")
    assert np.isnan(y[1, :, 19:22, 19:22]).all()
    y[1, :, 13:28, 13:28] = finite[1, :, 13:28, 13:28]
    assert np.array_equal(y, finite)


def test_direct_convolution_keeps_what_is_not_finite_in_its_window(isa: int, rng: np.random.Generator) -> None:
    problem = drawn("n2c16h40w40_o16k3s1p1", np.float32, rng)
    finite = problem.forward(F, algo="direct")
    problem.arrays["input"][1, 3, 20, 20] = np.inf
    y = problem.forward(F, algo="direct")
    assert not np.isfinite(y[1, :, 19:22, 19:22]).any()
    y[1, :, 19:22, 19:22] = finite[1, :, 19:22, 19:22]
    assert np.array_equal(y, finite)
