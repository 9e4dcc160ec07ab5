"""On whole numbers every order of additions is exact: every instruction set and number of threads equals the reference.

Convolution, transposed convolution, linear, maximum and average pooling: values, indices and all gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comparison import same
from problems import Draw, Problem, solvable

from cnnfast import _config, _core, layers, testing
from cnnfast import functional as F
from cnnfast import reference as R
from cnnfast.functional import _fused
from cnnfast.functional._convolution import Prepared

Array = np.ndarray[Any, Any]

FAMILIES = ("conv", "conv_transpose", "max_pool", "avg_pool")
EXACT = [f"{family}{rank}d" for family in FAMILIES for rank in (1, 2, 3)] + ["linear"]
SETTINGS = [(isa, threads) for isa in _core.supported_isas() for threads in (1, 2, 3)]
# Averages divide by products of 1, 2, 3 and 4: gradients that are multiples of this stay whole, for three axes.
UNIT = 12**3


def same_results(got: Any, expected: Any, what: str) -> None:
    pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in (got, expected)), strict=True)
    for one, other in pairs:
        same(one, other, what)


def check_layer(problem: Problem, expected: Any, grad: Array, gradient: Array, what: str) -> None:
    """The layer remembers maxima in its own way."""
    named = {name: value for name, value in problem.arguments.items() if name != "return_indices"}
    layer = getattr(layers, problem.op.replace("max_pool", "MaxPool"))(**named)
    same(layer(problem.arrays["input"]), expected, f"layer: {what}")
    same(layer.backward(grad), gradient, f"gradient of the layer: {what}")


def check(problem: Problem, unit: int, rng: np.random.Generator) -> None:
    """`unit` times small numbers are gradients on which all is exact."""
    expected = problem.forward(R)
    y = expected[0] if isinstance(expected, tuple) else expected
    grad = np.multiply(unit, testing.integers(rng, y.shape, y.dtype), dtype=y.dtype)
    gradients = problem.backward(R, grad, expected)
    for isa, threads in SETTINGS:
        what = f"{problem}, {_core.isa_name(isa)}, {threads} threads"
        with _config.using(isa=isa, threads=threads, exact=True):
            result = problem.forward(F)
            same_results(result, expected, what)
            for name, gradient in problem.backward(F, grad, result).items():
                same(gradient, gradients[name], f"gradient of {name}: {what}")
            if problem.op.startswith("max_pool"):
                check_layer(problem, y, grad, gradients["input"], what)
            if problem.arguments.get("return_indices"):
                same(problem.forward(F, return_indices=False), y, f"{what}, without indices")


@pytest.mark.parametrize("op", EXACT)
def test_random_problems(op: str, dtype: Any, rng: np.random.Generator) -> None:
    """Also what PyTorch has not: other padding on either side, 'same' with a stride."""
    draw = Draw(rng, dtype, exact=True)
    for _ in range(60):
        check(solvable(op, draw, F), UNIT if op.startswith("avg") else 1, rng)


@pytest.mark.parametrize("op", [op for op in EXACT if "pool" not in op])
def test_what_is_not_finite_reaches_only_what_it_should(op: str, dtype: Any, rng: np.random.Generator) -> None:
    """Neither the rests of tiles nor padding multiply it by a zero."""
    draw = Draw(rng, dtype, exact=True)
    for _ in range(10):
        problem = solvable(op, draw, F)
        x = problem.arrays["input"]
        x[rng.random(x.shape) < 2 / max(x.size, 1)] = draw.one(np.nan, np.inf)
        with np.errstate(invalid="ignore"):
            expected = problem.forward(R)
        for isa, threads in SETTINGS:
            with _config.using(isa=isa, threads=threads, exact=True):
                same_results(problem.forward(F), expected, f"{problem}, {_core.isa_name(isa)}, {threads} threads")


@pytest.mark.parametrize("algo", ["direct", "winograd"])
@pytest.mark.parametrize("op", [op for op in EXACT if op.startswith("conv")])
def test_epilogues_are_the_passes_they_replace(op: str, algo: str, dtype: Any, rng: np.random.Generator) -> None:
    """Bit for bit, on any numbers: batch norm, the sum with an array, and limits."""
    draw = Draw(rng, dtype)
    for _ in range(40):
        problem = solvable(op, draw, F)
        input, *weights = problem.arrays.values()
        windows = tuple(problem.arguments.values())
        for isa, threads in SETTINGS:
            what = f"{problem}, {_core.isa_name(isa)}, {threads} threads"
            with _config.using(isa=isa, threads=threads):
                y = problem.forward(F, algo=algo)
                channels = y.shape[-1 - int(op[-2])]
                residual = draw.one(None, draw.array(*y.shape))
                clamp = draw.one((-np.inf, np.inf), (0, np.inf), (-0.5, 0.25))
                statistics = draw.array(channels), draw.positive(channels), draw.array(channels), draw.array(channels)
                rows = draw.one(None, _fused.norm_rows(*statistics, 1e-5))
                got = _fused.convolution(op, input, *weights, windows, rows, residual, clamp, algo=algo)
                if rows is None:
                    expected = _fused.tail(y, residual, clamp)
                else:
                    batch = y if y.ndim == 2 + int(op[-2]) else y[None]
                    after = None if residual is None else residual.reshape(batch.shape)
                    arguments = *statistics, False, 0.1, 1e-5, None, after, clamp
                    expected = _fused.batch_norm("batch_norm", batch, *arguments)[0].reshape(y.shape)
                same(got, expected, what)
                prepared = Prepared(op, lambda: weights[0], windows, algo)  # noqa: B023
                again = [prepared((input, weights[1], rows, residual), (clamp,)) for _ in range(2)]
                if algo == "direct":
                    same(again[0], expected, f"{what}, prepared")
                else:
                    # each of two choices of pieces is promised 1e-5 (float64: 1e-12) of the largest; the norm scales it
                    slope = 1 if rows is None else np.max(np.abs(statistics[2] / np.sqrt(statistics[1])))
                    promised = 2 * np.max(np.abs(y), initial=0) * (1e-5 if dtype == np.float32 else 1e-12)
                    np.testing.assert_allclose(again[0], expected, atol=slope * promised)
                same(again[1], again[0], f"{what}, prepared")


def boundaries(isa: int) -> list[str]:
    """Sizes around the tile of an instruction set: rows, lanes of a vector or two, channels of a pass."""
    lanes = _core.lanes(isa)[0]
    widths = {lanes - 1, lanes, lanes + 1, 2 * lanes + 1, 6 * lanes + 1} - {0}
    return [f"n1c2w{width + 2}_o{rows}k3s1p0" for width in widths for rows in (1, 5, 6, 7, 13, 14, 15, 29)]


CONVOLUTIONS = sorted({text for isa in _core.supported_isas() for text in boundaries(isa)})
CONVOLUTIONS += [f"n1c{channels}h5w5_o3k3s1p1" for channels in (127, 128, 129, 257)]
CONVOLUTIONS += ["n2c3h1w1_o4k5s1p2", "n4c32h14w14_o64k3s1p1", "n2c64h9w9_o130k1s1p0", "n3c16h21w19_o48k5s2p2"]
CONVOLUTIONS += [
    "n2c8w2001_o24k7s1p3d2",
    "n1c12d6h9w10_o20k3s1p1",
    "n2c48h17w13_o48k3s1p1g48",
    "n2c12h20w20_o36k3s1p1g3",
]
CONVOLUTIONS += ["n2c40h8w8_t24k4s2p1", "n2c16w300_t8k5s3p1a2", "n1c8d4h5w6_t12k3s2p1a1", "n1c24h20w20_t24k3s1p1d2g2"]
CONVOLUTIONS += ["n1c2w6000_o3k5000s1p0", "n1c1h70w66_o2k65s1p0", "n64c3h7w7_o64k7s1p0"]
# Kernels that cover the input.
CONVOLUTIONS += ["n30c16h5w5_o40k5s1p0", "n13c7w9_o33k9s2p0", "n14c130h1w1_o17k1s1p0", "n3c4d2h3w4_o150k2x3x4s1p0"]
CONVOLUTIONS += ["n20c50h1w1_t6k4s1p0", "n40c5w1_t300k1s1p0"]
# Tails of tiles, sums longer than a pass, nothing at all.
LINEAR = ["n1c1_o1", "n1c400_o120", "n5c17_o33", "n64c256_o10", "n7c2500_o19", "n130c300_o200"]
POOLS = {
    "rows cut into blocks": "n2c1w9001_k3s2p1",
    "windows that tile a long row": "n3c2w6000_k2s2p0",
    "window wider than a block": "n1c2w5000_k3001s7p1500",
    "many rows": "n2c3h90w61_k3s1p1",
    "planes joined": "n64c30h8w10_k2s2p0",
    "whole planes": "n20c100h7w7_k7s7p0",
    "whole volumes": "n2c40d5h6w7_k5x6x7s5x6x7p0",
    "columns pooled, rows not": "n2c3h40w33_k1x4s2x4p0",
    "many slices": "n2c3d19h20w33_k3s2p1d2x1x1",
    "slices cut into blocks": "n1c2d40h30w70_k3s1p1",
    "more points than places": "n2c3h40w40_k16s3p5",
    "as many points as places": "n2c3h40w40_k15x17s2p3",
    "as many windows as points": "n3c5d7h9w11_k3x1x3s1p1x0x1",
    "windows wider than planes": "n2c5h2w2_k3s1p1",
    "volumes tiled": "n2c5d6h8w20_k2s2p0",
    "rows tiled by fours": "n3c4h6w68_k3x4s3x4p0",
    "planes tiled by threes": "n2c3h12w27_k2x3s2x3p0",
}


@pytest.mark.parametrize("text", CONVOLUTIONS + LINEAR)
def test_sizes_at_which_kernels_and_plans_change(text: str, dtype: Any, rng: np.random.Generator) -> None:
    p = testing.Problem.parse(text)
    arrays = p.arrays(rng, dtype)
    op = f"{p.op}{p.rank}d" if p.rank else p.op
    named = {"input": arrays.input, "weight": arrays.weight, "bias": testing.integers(rng, (p.outputs,), dtype)}
    check(Problem(op, named, p.arguments), 1, rng)


@pytest.mark.parametrize("plane", POOLS)
def test_planes_that_are_cut_or_joined(plane: str, dtype: Any, rng: np.random.Generator) -> None:
    p, draw = testing.Problem.parse(POOLS[plane]), Draw(rng, dtype, exact=True)
    arguments = p.arguments | {"kernel_size": p.kernel, "return_indices": True}
    check(Problem(f"max_pool{p.rank}d", {"input": draw.with_ties(*p.input_shape)}, arguments), 1, rng)
    if set(p.dilation) == {1}:
        arguments = {name: arguments[name] for name in ("kernel_size", "stride", "padding")}
        average = Problem(f"avg_pool{p.rank}d", {"input": draw.array(*p.input_shape)}, arguments)
        check(average, int(np.prod(p.kernel)), rng)


@pytest.mark.parametrize("width", range(7, 21))
def test_infinity_in_the_source_of_depthwise_weights(width: int, isa: int, dtype: Any) -> None:
    x, w, dy = np.ones((1, 1, 12, width), dtype), np.ones((1, 1, 3, 3), dtype), np.ones((1, 1, 10, width - 2), dtype)
    x[0, 0, 5, 1] = np.inf
    same(F.conv2d_backward(dy, x, w)[1], R.conv2d_backward(dy, x, w)[1])
