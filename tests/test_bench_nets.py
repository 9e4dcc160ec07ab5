"""The benchmark of whole nets: what it runs, what it refuses, what it adds up."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import bench
from cnnfast import functional as F
from cnnfast._command import UserError
from cnnfast.bench import nets
from cnnfast.bench.check import WrongResult
from cnnfast.bench.learners import CnnfastLearner
from cnnfast.bench.profile import kind_of, measured
from cnnfast.bench.zoo import ZOO, Net

SMALL = {"LeNet-5": (2, 1, 32, 32), "VGG-11": (1, 3, 32, 32), "dilated 1D": (2, 1, 80), "3D U-Net": (1, 1, 8, 8, 4)}


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.run(parser.parse_args(["nets", *arguments]))


def learner(net: Net, dtype: Any = np.float32) -> CnnfastLearner:
    net = net._replace(shape=SMALL.get(net.name, (1, 3, 64, 64)))
    return CnnfastLearner(net, *nets.batch(net, dtype))


@pytest.mark.parametrize("net", {net.name: net for net in ZOO}.values(), ids=lambda net: net.name)
def test_a_step_lowers_the_loss(net: Net) -> None:
    one = learner(net)
    assert one.infer().shape == (one.input.shape[0], net.classes, *one.target.shape[1:])
    if one.input.shape[0] == 1 and "Net" in net.name and not net.pointwise:
        return  # one image leaves one value a channel at the end, which batch norm refuses or makes a zero
    before = [one.loss(), *(one.train() or one.loss() for _ in range(5))]
    assert before[-1] < before[0]


def test_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nets.json"
    assert run("--filter", "LeNet-5 1x", "--peers", "", "--seconds", "0", "--profile", "--json", str(path)) == 0
    printed, written = capsys.readouterr().out, json.loads(path.read_text())
    assert {row["pass"] for row in written["rows"]} == {"inference", "training"}
    assert written["megabytes"]["LeNet-5 1x1x32x32"]["cnnfast"] >= 0
    assert "conv backward_weights" in printed
    assert "between the ops" in printed


def test_refusals() -> None:
    for arguments in (["lenet"], ["--busy", "1"], ["--filter", "AlexNet"]):
        with pytest.raises(UserError, match=r"nets|AlexNet"):
            run(*arguments)


class Wrong(CnnfastLearner):
    def gradients(self) -> dict[str, Any]:
        return {name: gradient + 1e-6 for name, gradient in super().gradients().items()}


class Other(CnnfastLearner):
    def loss(self) -> float:
        return super().loss() * 1.001


def test_what_is_wrong_is_found() -> None:
    net = ZOO[0]._replace(shape=SMALL["LeNet-5"])
    nets.check(net, {"cnnfast": CnnfastLearner, "other": CnnfastLearner})
    for other, message in ((Wrong, "gradient of"), (Other, "loss")):
        with pytest.raises(WrongResult, match=message):
            nets.check(net, {"cnnfast": CnnfastLearner, "other": other})


def test_profile() -> None:
    x = np.ones((1, 2, 8), np.float32)
    seconds, found = measured(lambda: [F.relu(x), F.relu(x), F.conv1d(x, np.ones((3, 2, 3), np.float32))])
    assert {kind: count for kind, (_, count) in found.items()} == {"activation": 2, "conv forward": 1}
    assert sum(ms for ms, _ in found.values()) <= seconds * 1e3
    assert kind_of("n1c2w3_t4k5s1p0 backward_data, direct") == "conv_transpose backward_data"
