"""Threads: their number, limits from outside, forks, concurrent callers."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from problems import OPS, Draw, Problem, solvable

import cnnfast
from cnnfast import _config, _core
from cnnfast import functional as F

openmp = pytest.mark.skipif(not _core.have_openmp(), reason="a serial build")


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


@openmp
def test_context_limits_its_own_thread() -> None:
    outside = cnnfast.get_num_threads()
    with cnnfast.threads(3):
        assert cnnfast.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(cnnfast.get_num_threads).result() == outside
        with cnnfast.threads(1):
            assert cnnfast.get_num_threads() == 1
        assert cnnfast.get_num_threads() == 3


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_bad_numbers_are_refused(n: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="num_threads"):
        cnnfast.set_num_threads(n)
    with pytest.raises(error, match="num_threads"), cnnfast.threads(n):
        pass


def results(problem: Problem, grad: Any) -> list[Any]:
    y = problem.forward(F)
    return [y, *problem.backward(F, grad.reshape(y.shape), y).values()]


@openmp
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("op", [op for op in OPS if op.startswith("conv")])
def test_bits_do_not_depend_on_the_number(op: str, exact: bool, dtype: Any, rng: np.random.Generator) -> None:
    draw = Draw(rng, dtype)
    sizes = [solvable(op, draw, F) for _ in range(60)]
    if op == "conv3d":
        sizes.append(many_rows_at_the_edge(dtype, rng))
    for problem in sizes:
        grad = rng.standard_normal(problem.forward(F).size).astype(dtype)
        for isa in _core.supported_isas():
            with _config.using(isa=isa, exact=exact, threads=1):
                alone = results(problem, grad)
            for threads in (2, 16):
                with _config.using(isa=isa, exact=exact, threads=threads):
                    for one, many in zip(alone, results(problem, grad), strict=True):
                        assert one.tobytes() == many.tobytes(), f"{problem}, {_core.isa_name(isa)}, {threads} threads"


def many_rows_at_the_edge(dtype: Any, rng: np.random.Generator) -> Problem:
    """Most rows of its windows lie on padding, and the best blocks of two threads are not those of one."""
    arrays = {"input": (1, 33, 8, 6, 5), "weight": (5, 33, 2, 3, 3)}
    values: dict[str, Any] = {name: rng.standard_normal(shape).astype(dtype) for name, shape in arrays.items()}
    values["bias"] = None
    windows = {"stride": (1, 2, 2), "padding": (1, 1, 2), "dilation": (1, 1, 1), "groups": 1}
    return Problem("conv3d", values, windows)


@openmp
def test_threadpoolctl_caps_the_threads() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with cnnfast.threads(2), threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert cnnfast.get_num_threads() == 1


@openmp
@pytest.mark.parametrize("chosen", [{}, {"GOMP_SPINCOUNT": "77"}])
def test_threads_spin_briefly_unless_the_user_chose(chosen: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    code = "import os, cnnfast; print(os.environ.get('GOMP_SPINCOUNT'))"
    result = run(code, OMP_DISPLAY_ENV="VERBOSE", **chosen)
    if "GOMP_" not in result.stderr:
        pytest.skip("not GNU's OpenMP")
    count = chosen.get("GOMP_SPINCOUNT", "2500")
    assert f"GOMP_SPINCOUNT = '{count}'" in result.stderr
    assert result.stdout.strip() == str(chosen.get("GOMP_SPINCOUNT"))


@openmp
def test_environment_sets_the_number() -> None:
    result = run("import cnnfast; print(cnnfast.get_num_threads())", CNNFAST_NUM_THREADS="3")
    assert result.stdout == "3\n"


@pytest.mark.parametrize("text", ["0", "-1", "many"])
def test_bad_environment_is_an_import_error(text: str) -> None:
    result = run("import cnnfast", CNNFAST_NUM_THREADS=text)
    assert "ImportError: CNNFAST_NUM_THREADS" in result.stderr


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="a Python with a GIL")
def test_import_leaves_the_gil_off() -> None:
    assert run("import sys, cnnfast; print(sys._is_gil_enabled())").stdout == "False\n"


def solve(problem: Problem) -> list[np.ndarray]:
    """Result and gradients; the problem stays as it is."""
    problem = copy.deepcopy(problem)
    result = problem.forward(F)
    y = result[0] if isinstance(result, tuple) else result
    return [y, *problem.backward(F, np.ones_like(y), result).values()]


def test_concurrent_callers(rng: np.random.Generator) -> None:
    """All ops at once, with threads of their own."""
    problems = [solvable(op, Draw(rng, dtype), F) for op in OPS for dtype in (np.float32, np.float64)] * 3
    problems += [conv_of(rng, n) for n in range(10, 26)]
    expected = [solve(problem) for problem in problems]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for got, wanted in zip(pool.map(solve, problems), expected, strict=True):
                assert all(a.tobytes() == b.tobytes() for a, b in zip(got, wanted, strict=True))


def conv_of(rng: np.random.Generator, size: int) -> Problem:
    """Large enough to be cut between threads."""
    arrays = {"input": rng.standard_normal((4, 6, 20, size)), "weight": rng.standard_normal((8, 6, 3, 3)), "bias": None}
    return Problem("conv2d", arrays, {})


FORKED = """
import os, sys, warnings
import numpy as np
import cnnfast
from cnnfast import functional as F
warnings.simplefilter("ignore")
x, w = np.ones((8, 16, 32, 32), np.float32), np.ones((16, 16, 3, 3), np.float32)
def run():
    y = F.conv2d(x, w)
    gradients = F.conv2d_backward(y, x, w)
    z = F.batch_norm(F.relu(F.max_pool2d(y, 2)), None, None, training=True)
    return [y, *gradients, z, F.linear(x, np.ones((9, 32), np.float32))]
with cnnfast.threads(2):
    expected = run()
    child = os.fork()
    if child == 0:
        os._exit(0 if all(map(np.array_equal, run(), expected)) else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.exit(code or not all(map(np.array_equal, run(), expected)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_computes_after_a_parallel_call() -> None:
    assert run(FORKED).returncode == 0
