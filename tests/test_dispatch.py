"""The instruction set: forced ones really run, the environment caps, unknown names are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from problems import Draw, solvable

from cnnfast import _config, _core
from cnnfast import functional as F
from cnnfast._geometry import convolution as geometry


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


def test_the_forced_isa_runs(isa: int, dtype: Any, rng: np.random.Generator) -> None:
    problem = _random(rng)
    for which in (_core.FORWARD, _core.BACKWARD_DATA, _core.BACKWARD_WEIGHTS):
        plan = _core.ConvPlan(which, problem, isa, 2, dtype == np.float64, True)
        assert plan.info()["isa"] == _core.isa_name(isa)


def _random(rng: np.random.Generator) -> geometry.Conv:
    rank = int(rng.integers(1, 4))
    problem = solvable(f"conv{rank}d", Draw(rng, np.float32, exact=True), F)
    shapes = (np.shape(problem.arrays[name]) for name in ("input", "weight"))
    return geometry.conv("conv", rank, *shapes, None, *problem.arguments.values())


def test_every_way_to_feed_the_tile_is_planned(isa: int, rng: np.random.Generator) -> None:
    """Sources of lanes, ways to write, kinds of weight gradients, one sum and several are all reached."""
    seen: set[tuple[str, Any]] = set()
    problems = [_random(rng) for _ in range(200)]
    wide = [
        ((64, 3, 7, 7), (64, 3, 7, 7), 0),
        ((8, 64, 56, 56), (256, 64, 1, 1), 0),
        ((2, 256, 14, 14), (256, 256, 3, 3), 1),
        ((2, 32, 20, 20), (64, 32, 3, 3), 1),
    ]
    narrow = [((2, 1, 20, 40), (1, 1, 3, 3), 0), ((2, 1, 1, 96), (1, 1, 1, 31), 15)]
    covered = [((2, 16, 5, 5), (120, 16, 5, 5), 0), ((50, 40, 1, 1), (30, 40, 1, 1), 0)]
    problems += [geometry.conv("conv2d", 2, x, w, None, 1, padding, 1, 1) for x, w, padding in wide + narrow + covered]
    for problem in problems:
        for which in (_core.FORWARD, _core.BACKWARD_DATA, _core.BACKWARD_WEIGHTS):
            info = _core.ConvPlan(which, problem, isa, 2, False, True).info()
            if info["algorithm"] == "depthwise":
                seen.add(("depthwise", info["lanes"]))
                seen.add(("depthwise", "folded" if info["folded"] else "rows"))
                continue
            seen.add(("lanes", info["lanes"]))
            seen.add(("direct", info.get("direct")))
            seen.add(("parts", info.get("parts", 1) > 1))
    kinds = ("source", "slab", "channels", "channels x taps", "points", "columns", "terms")
    lanes = {("lanes", kind) for kind in kinds}
    if _core.lanes(isa)[0] == 1:
        lanes.discard(("lanes", "channels x taps"))
    depthwise = {("depthwise", kind) for kind in ("source", "slab", "folded", "rows")}
    assert seen >= lanes | depthwise | {("direct", True), ("direct", False), ("parts", True), ("parts", False)}


@pytest.mark.parametrize("size", [7, 14, 28, 56])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_threads_do_not_choose_the_source_of_depthwise(isa: int, size: int, kernel: int, stride: int) -> None:
    """A slab may add the terms in another order than the source itself."""
    shapes = (2, 3, size, size), (3, 1, kernel, kernel)
    problem = geometry.conv("conv2d", 2, *shapes, None, stride, kernel // 2, 1, 3)
    for which in (_core.FORWARD, _core.BACKWARD_DATA):
        plans = [_core.ConvPlan(which, problem, isa, threads, False, True).info() for threads in (1, 2, 16, 64)]
        assert len({plan["lanes"] for plan in plans}) == 1


def test_blocks_in_the_source_end_with_a_vector_of_points(isa: int) -> None:
    """What is read without looking at edges are whole vectors."""
    lanes = _core.lanes(isa)[0]
    for width in range(449, 513):
        problem = geometry.conv("conv2d", 2, (1, 1, 15, width + 50), (1, 1, 15, 51), None, 1, 0, 1, 1)
        for threads in range(1, 17):
            plan = _core.ConvPlan(_core.FORWARD, problem, isa, threads, False, True).info()
            assert plan["lanes"] != "source" or (width - 1) % plan["block"][2] + 1 >= lanes


@pytest.mark.parametrize("name", [_core.isa_name(isa) for isa in _core.supported_isas()])
def test_environment_caps_the_isa(name: str) -> None:
    code = "from cnnfast import _config, _core; print(_core.isa_name(_config.current().isa))"
    assert run(code, CNNFAST_ISA=name).stdout == f"{name}\n"


def test_unknown_isa_is_an_import_error() -> None:
    result = run("import cnnfast", CNNFAST_ISA="avx1024")
    assert "ImportError: CNNFAST_ISA='avx1024' is unknown (expected one of scalar, sse2" in result.stderr


def test_verbose_prints_a_line_a_call() -> None:
    code = "import numpy as np, cnnfast; cnnfast.functional.conv2d(np.ones((1, 2, 5, 5)), np.ones((3, 2, 3, 3)))"
    lines = run(code, CNNFAST_VERBOSE="1").stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("cnnfast: n1c2h5w5_o3k3s1p0 forward, direct, tile ")


def test_algorithm_names_are_checked() -> None:
    x, w = np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3))
    assert _config.current().isa in _core.supported_isas()
    for algo in ("auto", "direct", "winograd"):
        assert F.conv2d(x, w, algo=algo).shape == (1, 1, 2, 2)
    with pytest.raises(ValueError, match="conv2d: algo is 'fft'"):
        F.conv2d(x, w, algo="fft")
