"""The benchmark: right results are required and wrong ones found, and what it reports adds up."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import _config, _core, bench
from cnnfast._command import UserError
from cnnfast.bench import load, peers, report, suites, timing
from cnnfast.bench.check import PEER_TOLERANCE, WrongResult, check
from cnnfast.bench.machine import Limits
from cnnfast.bench.plain_numpy import NumPy
from cnnfast.bench.session import prepare
from cnnfast.bench.tasks import PASSES, Cnnfast, Contender, Task, tasks
from cnnfast.testing import Problem

# Products by image without and with a copy, by batch, and a kernel of one point that is padded.
PRODUCTS = ["n2c3h12w12_o4k1", "n2c4h12w12_o4k3p1g2", "n2c4h5w5_o4k1g2", "n2c3h11w11_o4k1s2p5"]
POOLING = ["n2c3h6w4_k2", "n2c3w11_k3s2p1", "n2c3h9w8_k2", "n2c3h9w8_k3x2s1x3p1", "n1c2d5h6w7_k3s2p1"]


def entry(op: str, problem: Problem) -> suites.Entry:
    return suites.Entry("", op, problem, "")


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.run(parser.parse_args(arguments))


def check_all(row: suites.Entry, dtype: Any, rng: np.random.Generator) -> None:
    contenders: list[Contender] = [Cnnfast(), NumPy()]
    for task in tasks(row, ["forward", "backward"], dtype, rng):
        assert list(prepare(task, contenders)) == ["cnnfast", "numpy"]


@pytest.mark.parametrize("transposed", [False, True])
def test_both_baselines_agree_on_convolutions(transposed: bool, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(30):
        problem = Problem.random(rng, transposed=transposed)
        check_all(entry(problem.op, problem), dtype, rng)


@pytest.mark.parametrize("text", PRODUCTS)
def test_both_baselines_agree_on_every_product(text: str, dtype: Any, rng: np.random.Generator) -> None:
    check_all(entry("conv", Problem.parse(text)), dtype, rng)


@pytest.mark.parametrize("op", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("text", POOLING)
def test_both_baselines_agree_on_pooling(op: str, text: str, dtype: Any, rng: np.random.Generator) -> None:
    check_all(entry(op, Problem.parse(text)), dtype, rng)


@pytest.mark.parametrize(("op", "text"), [("linear", "n5c7_o3"), ("relu", "n2c3h4w5")])
def test_both_baselines_agree_on_the_rest(op: str, text: str, dtype: Any, rng: np.random.Generator) -> None:
    check_all(entry(op, Problem.parse(text)), dtype, rng)


def test_a_wrong_result_is_found() -> None:
    expected = np.arange(1000, dtype=np.float32)
    almost = expected + np.float32(1e-3)
    check("peer", lambda: almost, expected, PEER_TOLERANCE)
    for result, tolerance in ((almost, 0), (expected + 1, PEER_TOLERANCE), (expected[1:], PEER_TOLERANCE)):
        with pytest.raises(WrongResult, match="peer"):
            check("peer", lambda result=result: result, expected, tolerance)
    with pytest.raises(WrongResult):
        check("peer", lambda: np.full(3, np.nan), np.zeros(3), PEER_TOLERANCE)


def test_every_suite_is_readable() -> None:
    for name in suites.names():
        for row in suites.read(name):
            assert row.op in PASSES
            assert row.layer
    assert {"lenet", "layers", "resnet50", "vgg16", "mobilenet_v2"} < set(suites.names())


def test_a_suite_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("# a net\n\nn1c2w8_o3k3  # first\nmax_pool n1c3w6_k2\n")
    first, second = suites.read(str(path))
    assert first == ("mine", "conv", Problem.parse("n1c2w8_o3k3"), "first", "")
    assert str(second) == "max_pool n1c3w6_k2s2p0"
    for line in ("n1c3w6_k2", "relu n1c3w6_k2", "conv n1c2_o3", "max_pool", "n1c2w8_o3k9"):
        path.write_text(f"n1c2_o3\n{line}\n")
        with pytest.raises(UserError, match="line 2"):
            suites.read(str(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n1c1h3w4_o1k1", "n2c1h3w4_o1k1 n1c2h3w4_o1k1 n1c1h3w4_o2k1 n1c1h2w4_o1k1 n1c1h4w4_o1k1 n1c1h3w3_o1k1 "
         "n1c1h3w5_o1k1 n1c1h3w4_o1k2"),
        ("n1c4w9_o8k3p1g4", "n2c4w9_o8k3p1g4 n1c3w9_o6k3p1g3 n1c5w9_o10k3p1g5 n1c4w8_o8k3p1g4 n1c4w10_o8k3p1g4 "
         "n1c4w9_o8k2p1g4 n1c4w9_o8k4p1g4"),
        ("n1c4w3_t8k3g2", "n2c4w3_t8k3g2 n1c2w3_t8k3g2 n1c6w3_t8k3g2 n1c4w3_t6k3g2 n1c4w3_t10k3g2 n1c4w2_t8k3g2 "
         "n1c4w4_t8k3g2 n1c4w3_t8k2g2 n1c4w3_t8k4g2"),
        ("max_pool n2c1w4_k2", "n1c1w4_k2 n3c1w4_k2 n2c2w4_k2 n2c1w3_k2 n2c1w5_k2 n2c1w4_k1s2 n2c1w4_k3s2"),
        ("n1c2_o3", "n2c2_o3 n1c1_o3 n1c3_o3 n1c2_o2 n1c2_o4"),
    ],
)  # fmt: skip
def test_neighbours(text: str, expected: str) -> None:
    base, *others = suites.read(f"sweep {text}")
    assert {str(other.problem) for other in others} == {str(Problem.parse(one)) for one in expected.split()}
    assert len(others) == len(expected.split())
    assert {base.base, *(other.base for other in others)} == {str(base)}


def test_passes(rng: np.random.Generator) -> None:
    def names(op: str, text: str, *wanted: str) -> list[str]:
        found = tasks(entry(op, Problem.parse(text)), wanted, np.float32, rng)
        return [task.which for task in found]

    assert names("conv", "n1c2w8_o3k3", "backward") == ["backward_data", "backward_weights"]
    assert names("conv", "n1c2w8_o3k3", "forward", "backward_data") == ["forward", "backward_data"]
    assert names("linear", "n1c2_o3", "backward_weights") == ["backward"]
    assert names("relu", "n1c2", "backward_weights") == []


def test_bytes_and_flops(rng: np.random.Generator) -> None:
    def backward(op: str, text: str) -> Task:
        return next(tasks(entry(op, Problem.parse(text)), ["backward"], np.float32, rng))

    linear, pool, relu = (
        backward("linear", "n2c3_o5"),
        backward("max_pool", "n2c3w8_k2"),
        backward("relu", "n2c3"),
    )
    assert linear.bytes == 4 * (2 * (2 * 3 + 3 * 5) + 2 * 5)
    assert linear.flops == 2 * 2 * (2 * 3 * 5)
    assert pool.bytes == 4 * (48 + 24) + 24
    assert relu.bytes == 4 * 3 * 6


class Clock:
    """A clock that only calls move, in turns that it writes down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.order = 0.0, ""
        monkeypatch.setattr(timing, "perf_counter", lambda: self.now)
        monkeypatch.setattr(timing, "settle", lambda: self._note("|"))

    def call(self, name: str, seconds: float) -> Any:
        def call() -> None:
            self.now += seconds
            self._note(name)

        return call

    def _note(self, what: str) -> None:
        self.order += what


def test_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(timing, "TURN_SECONDS", 10)
    samples = timing.in_turns({"a": clock.call("a", 3), "b": clock.call("b", 5)}, seconds=50)
    assert clock.order == "ab" + "|aaaa|bb" + "|bb|aaaa" + "|aaaa|bb" + "|bb|aaaa" + "|aaaa|bb"
    assert samples == {"a": [3] * 20, "b": [5] * 10}


def test_a_slow_call_has_three_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    samples = timing.in_turns({"a": clock.call("a", 1), "b": clock.call("b", 50)}, seconds=10)
    assert {name: len(taken) for name, taken in samples.items()} == {"a": 10, "b": 3}


def test_short_calls_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(timing, "SAMPLE_SECONDS", 1e-6)
    assert min(timing.in_turns({"a": clock.call("a", 1e-7)}, 1e-4)["a"]) == pytest.approx(1e-7)


@pytest.mark.parametrize(("busy", "glances"), [(3, 4), (10**9, 42)])
def test_settling(busy: int, glances: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that spin through some glances, or for ever: half a second of them is enough."""
    now, seen = [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds
        seen.append(seconds)

    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])
    monkeypatch.setattr(timing, "process_time", lambda: now[0] if len(seen) <= busy else 0.0)
    monkeypatch.setattr(timing, "sleep", sleep)
    timing.settle()
    assert len(seen) == pytest.approx(glances, abs=1)


def test_limits() -> None:
    limits = Limits(np.float32)
    assert limits.flops > 0
    limits.flops, limits.work, limits.bandwidths = 1.0, 100, {}
    for moved, copy in ((2**20, 2**20 / 10), (2**23, 2**23 / 20), (2**24, 2**24 / 5)):
        limits.update(moved, {"fma": [2.0, 1.0], "copy": [copy, 2 * copy]})
    assert limits.bound(300, 2**20) == (2**20 / 20, True)
    assert limits.bound(300, 2**24) == (2**24 / 5, True)
    assert limits.bound(2**30, 2**23) == (2**30 / 100, False)


def test_the_machine_moves_as_much_as_a_task() -> None:
    limits = Limits(np.float64)
    for moved in (100, 2**21 + 2**20, 2**19, 2**22):
        limits.calls(moved)["copy"]()
        source, target = limits.calls(moved)["copy"].args[1:]
        assert source.nbytes + target.nbytes == max(moved, 2**19)
        assert not np.shares_memory(source, target)


def test_peak_kernels(isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    how, double = _config.how(), dtype is np.float64
    chains = _core.peak_fma((isa, 1, False), double, 1)
    assert _core.peak_fma(how, double, 5) == 5 * how[1] * chains
    source = rng.standard_normal(1001).astype(dtype)
    target = np.zeros_like(source)
    _core.peak_stream(how, source, target)
    assert np.array_equal(source, target)


def test_every_tile(isa: int, dtype: Any, rng: np.random.Generator) -> None:
    double = dtype is np.float64
    assert _core.tiles(isa, double)
    for rows, vectors in _core.tiles(isa, double):
        lanes = vectors * _core.lanes(isa)[double]
        a, b = (rng.integers(-8, 9, (7, n)).astype(dtype) for n in (rows, lanes))
        y = np.zeros((rows, lanes), dtype)
        _core.peak_tile(isa, 3, a, b, np.empty(7, np.int32), y)
        assert np.array_equal(y, 3 * (a.T @ b))


def row(which: str, limit: float, **seconds: float) -> report.Row:
    return report.Row("", "", "n1c2_o3", "", which, 2, 12, 34, limit, False, seconds)


def test_means() -> None:
    rows = [row("forward", 1.0, cnnfast=2.0, numpy=8.0, torch=4.0), row("backward", 1.0, cnnfast=8.0, numpy=8.0)]
    rows.append(replace(rows[0], threads=4, scaling=3.0))
    columns = report.columns(["numpy", "torch"], scaling=True, busy=False)
    means = report.geometric_means(rows, columns)
    names = [(mean.pop("pass"), mean.pop("threads")) for mean in means]
    assert names == [("forward", 2), ("backward", 2), ("all", 2), ("forward", 4), ("all", 4)]
    forward = {"numpy": 4, "torch": 2, "best": 2, "% of limit": 50}
    assert means[0] == pytest.approx(forward)
    assert means[2] == pytest.approx({"numpy": 2, "torch": 2, "best": 2**0.5, "% of limit": 25})
    assert means[3] == pytest.approx(forward | {"scaling": 3})
    cells = report.Table(["n1c2_o3"], columns).row(rows[1]).split()
    assert cells == ["n1c2_o3", "backward", "2", "8000", "1.5e-09", "12.5", "FMA", "-", "1.00x", "-", "1.00x"]


def test_slowdowns() -> None:
    one = replace(row("forward", 1.0, cnnfast=2.0, numpy=8.0), busy={"cnnfast": {"p50": 3.0, "p95": 5.0}})
    columns = report.columns(["numpy"], scaling=False, busy=True)
    assert report.Table(["n1c2_o3"], columns).row(one).split()[-4:] == ["1.50x", "2.50x", "-", "-"]


def test_cliffs() -> None:
    """A cliff is one in operations a second and against the limit; which side is slow does not matter."""
    base = replace(row("forward", 1.0, cnnfast=2.0), name="base", base="base")
    slower, memory = replace(base, name="slower", seconds={"cnnfast": 4.0}), replace(base, name="memory", flops=4)
    faster, other = replace(base, name="faster", seconds={"cnnfast": 1.0}), replace(base, which="backward")
    assert [c[:] for c in report.cliffs([slower, base, memory, faster, other])] == [
        (2.0, slower, base),
        (2.0, base, faster),
    ]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.json"
    options = ["--seconds", "0", "--peers", "numpy", "--threads", "2", "--isa", "scalar"]
    assert run("n1c2h8w8_o3k3", "n3c4_o5", *options, "--json", str(path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"threads={2 if _core.have_openmp() else 1}" in lines[0]
    assert "scalar" in lines[0]
    assert sum(line.startswith("n1c2h8w8_o3k3s1p0 ") for line in lines) == 3
    assert sum(line.startswith("n3c4_o5 ") for line in lines) == 2
    result = json.loads(path.read_text())
    assert [r["which"] for r in result["rows"][3:]] == ["forward", "backward"]
    assert set(result["rows"][0]["seconds"]) == {"cnnfast", "numpy"}
    assert result["geometric_means"][-1]["numpy"] > 0
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.skipif(not _core.have_openmp(), reason="a serial build")
def test_threads_and_busy_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.json"
    options = ["--seconds", "0", "--peers", "numpy", "--threads", "1,2", "--busy", "1", "--passes", "forward"]
    assert run("n1c2h8w8_o3k3", *options, "--json", str(path)) == 0
    assert "cnnfast p95" in capsys.readouterr().out
    one, two = json.loads(path.read_text())["rows"]
    assert (one["threads"], two["threads"]) == (1, 2)
    assert two["scaling"] == one["seconds"]["cnnfast"] / two["seconds"]["cnnfast"]
    assert set(one["busy"]) == {"cnnfast", "numpy"}


def test_busy_processes_end() -> None:
    with load.busy(2) as processes:
        assert [process.poll() for process in processes] == [None, None]
    assert all(process.returncode for process in processes)


def test_a_sweep_tells_its_cliffs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(report, "CLIFF", 0.0)
    assert run("sweep n1c1_o1", "--peers", "", "--seconds", "0", "--passes", "forward") == 0
    assert ", beside n1c1_o1 (" in capsys.readouterr().out


def test_missing_peers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda package: None)
    assert run("n1c2_o3", "--peers", "torch,openvino", "--seconds", "0") == 0
    assert "not here: torch, openvino (pip install torch openvino onnx)" in capsys.readouterr().out


def test_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from cnnfast.bench import plot

    out = {kind: str(tmp_path / f"out.{kind}") for kind in ("json", "svg")}
    files = "--json", out["json"], "--plot", out["svg"]
    assert run("n1c2h8w8_o3k3", "--seconds", "0", "--peers", "numpy", *files) == 0
    assert Path(out["svg"]).read_text().startswith("<?xml")
    figure = plot.draw(json.loads(Path(out["json"]).read_text()))
    labels = [label.get_text().split() for label in figure.axes[0].get_yticklabels()]
    assert labels == [["n1c2h8w8_o3k3s1p0", "forward"], ["backward_data"], ["backward_weights"]]


def test_a_wrong_op_fails_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Cnnfast, "relu", lambda *_: lambda: np.zeros(6, np.float32))
    suite = Path(suites.FOLDER / "lenet.txt")
    assert run(str(suite), "--filter", "relu n64c120", "--peers", "", "--seconds", "0") == 1
    assert "cnnfast gives shape (6,)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "'nonsense' is no suite"),
        (["lenet", "--filter", "nonsense"], "no problem has 'nonsense'"),
        (["lenet", "--peers", "nonsense"], "unknown peer 'nonsense'"),
        (["lenet", "--isa", "nonsense"], "isa 'nonsense'"),
        (["lenet", "--json", "/nonsense/file"], "/nonsense/file"),
    ],
)
def test_bad_options(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(*arguments)
