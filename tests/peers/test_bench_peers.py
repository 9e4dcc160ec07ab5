"""The peers of the benchmark compute what cnnfast does, so that their times can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import _config
from cnnfast.bench import nets
from cnnfast.bench.peers import PEERS, contenders, missing, threads
from cnnfast.bench.session import prepare
from cnnfast.bench.suites import Entry
from cnnfast.bench.tasks import tasks
from cnnfast.bench.zoo import ZOO, Net
from cnnfast.testing import Problem

POOLING = ["n2c3w11_k3s2p1", "n2c3h9w8_k3x2s1x3p1", "n1c2d5h6w7_k3s2p1"]
FIXED = [("linear", "n5c7_o3"), ("relu", "n2c3h4w5")]
FIXED += [(op, text) for op in ("max_pool", "avg_pool") for text in POOLING]


@pytest.mark.parametrize("name", [name for name in PEERS if not name.startswith("numpy")])
def test_results(name: str, dtype: Any, rng: np.random.Generator) -> None:
    if missing(name):
        pytest.skip(f"{name} is not installed")
    rivals = contenders([name])
    problems = [(op, Problem.parse(text)) for op, text in FIXED]
    for number in range(30):
        problem = Problem.random(rng, transposed=bool(number % 2))
        problems.append((problem.op, problem))
    counts = dict.fromkeys((rival.name for rival in rivals), 0)
    for op, problem in problems:
        for task in tasks(Entry("", op, problem, ""), ["forward", "backward"], dtype, rng):
            for prepared in prepare(task, rivals):
                counts[prepared] += 1
    lacks_all = name in ("onnxruntime", "openvino") and dtype is np.float64
    assert lacks_all or min(counts.values()) >= 20


def test_threads_of_pytorch_are_given_back() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads(), _config.get_num_threads()
    with threads(before[0] + 1):
        assert torch.get_num_threads() == before[0] + 1
    assert (torch.get_num_threads(), _config.get_num_threads()) == before


@pytest.mark.parametrize("net", {net.name: net for net in ZOO}.values(), ids=lambda net: net.name)
def test_gradients_of_whole_nets(net: Net) -> None:
    pytest.importorskip("torch")
    extents = tuple(min(extent, 64) for extent in net.shape[2:])
    smaller = {4: (2, net.shape[1], *extents), 3: (2, 1, 80), 5: (1, 1, 16, 8, 8)}
    nets.check(net._replace(shape=smaller[len(net.shape)]), nets.makers(["torch"]))
