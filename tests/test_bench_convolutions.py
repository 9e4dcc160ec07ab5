"""The benchmarks of the planner and of accuracy: what they draw, measure and sum, and the error that is promised."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import bench
from cnnfast import reference as R
from cnnfast._command import UserError
from cnnfast.bench import accuracy, planner
from cnnfast.bench.suites import Entry
from cnnfast.bench.tasks import Task
from cnnfast.testing import PASSES, Problem

# Largest error, and root mean square.
PROMISED = 1e-5, 3e-6


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.run(parser.parse_args(arguments))


def test_layers_are_of_all_kinds_and_sizes() -> None:
    layers = [planner.layer(number) for number in range(60)]
    assert layers[:20] == [planner.layer(number) for number in range(20)]
    assert {entry.layer for entry in layers} == {*planner.FAMILIES}
    assert all(planner.LEAST_FLOPS <= entry.problem.flops <= planner.MOST_FLOPS for entry in layers)
    assert len({str(entry) for entry in layers}) == 60


def row(direct: list[float], winograd: list[float], default: str) -> planner.Row:
    rounds = {"direct": direct, "winograd": winograd}
    return planner.Row(0, "", "", "forward", 1, {}, {**rounds, "auto": rounds[default]})


def test_ratios_are_those_of_rounds() -> None:
    slower = row([3, 6, 30], [2, 4, 10], "direct")
    assert slower.ratio == 1.5
    assert row([3, 6, 30], [2, 4, 10], "winograd").ratio == 1
    lines = list(planner.summary([slower, row([1, 1, 1], [4, 4, 4], "direct")]))
    assert len(lines) == 1
    assert "2 layers, 1 over 1.05 (50.0 %)" in lines[0]
    assert "worst 1.50" in lines[0]


def test_planner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "planner.json"
    assert run("planner", "--layers", "0:3", "--seconds", "0", "--passes", "forward", "--json", str(path)) == 0
    rows = json.loads(path.read_text())["rows"]
    assert [one["number"] for one in rows] == [0, 1, 2]
    assert all({*one["seconds"]} == {"auto", "direct", "winograd"} and one["ratio"] >= 1 for one in rows)
    assert "3 layers" in capsys.readouterr().out


def test_refusals() -> None:
    for arguments in (["planner", "lenet"], ["accuracy", "--busy", "1"]):
        with pytest.raises(UserError, match=arguments[0]):
            run(*arguments)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("which", PASSES)
def test_factors_make_the_pass(transposed: bool, which: str, rng: np.random.Generator) -> None:
    for text in ("n1c5h9w8_{}3k3x2s2x1p1x0d1x2", "n1c2d4h5w6_{}3k2s1p1", "n1c3w30_{}4k5s3p2"):
        problem = Problem.parse(text.format("t" if transposed else "o"))
        task = Task(problem.op, problem, which, *problem.arrays(rng, np.float64))
        left, right = accuracy.factors(task)
        op = f"{problem.op}{problem.rank}d"
        if which == "forward":
            expected = getattr(R, op)(task.x, task.w, **problem.arguments)
        else:
            gradients = getattr(R, f"{op}_backward")(task.dy, task.x, task.w, **problem.arguments)
            expected = gradients[("backward_data", "backward_weights").index(which)]
        assert np.array_equal(accuracy.plain_product(left, right).ravel(), expected.ravel())


CELLS = ["n1c{C}h28w28_o{C}k3s1p1", "n1c{C}h14w14_o{C}k5s1p2", "n1c{C}w400_o{C}k15s1p7", "n1c{C}h14w14_t{C}k4s2p1"]


@pytest.mark.parametrize("channels", [16, 512])
@pytest.mark.parametrize("text", CELLS)
@pytest.mark.parametrize("which", PASSES)
def test_the_default_keeps_its_promise(text: str, channels: int, which: str, rng: np.random.Generator) -> None:
    problem = Problem.parse(text.format(C=channels))
    measured: Any = accuracy.measure(Entry("", problem.op, problem, ""), which, np.float32, rng)
    assert np.all(np.array(measured.errors["auto"]) <= PROMISED), measured
