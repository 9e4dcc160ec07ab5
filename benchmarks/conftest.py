"""Options and fixtures of the benchmarks on pytest-benchmark.

Run them with ``pytest benchmarks``; ``--suite resnet50 --peers torch`` adds and chooses, and all of
``--benchmark-*`` works, such as ``--benchmark-compare-fail=min:5%`` against a saved run.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from cnnfast import _config, _core
from cnnfast.bench import peers, session
from cnnfast.bench.machine import Limits
from cnnfast.bench.suites import Entry, read
from cnnfast.bench.tasks import Cnnfast, Contender, Task, passes_of, tasks


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cnnfast")
    group.addoption("--suite", action="append", help="suite, file or problem; may be repeated")
    group.addoption("--peers", default="numpy", help=f"some of {', '.join(peers.PEERS)}")
    group.addoption("--passes", default="forward,backward")
    group.addoption("--threads", type=int)
    group.addoption("--isa")
    group.addoption("--dtype", default="float32", choices=("float32", "float64"))


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every op a test for each problem, pass and contender; contenders share a group."""
    if "contender" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    entries = [entry for name in option("--suite") or ["lenet"] for entry in read(name)]
    passes = _words(option("--passes"))
    rows = [(entry, which) for entry in entries for which in passes_of(entry.op, passes)]
    metafunc.parametrize("row", rows, ids=[f"{entry}-{which}" for entry, which in rows])
    names = ["cnnfast", *(rival.name for rival in peers.contenders(_words(option("--peers"))))]
    metafunc.parametrize("contender", names, indirect=True)


@pytest.fixture(scope="session", autouse=True)
def settings(request: pytest.FixtureRequest) -> Iterator[None]:
    option = request.config.getoption
    with session.settings(option("--threads"), option("--isa")):
        yield


@pytest.fixture(scope="session")
def contenders(request: pytest.FixtureRequest, settings: None) -> dict[str, Contender]:
    rivals = peers.contenders(_words(request.config.getoption("--peers")))
    return {contender.name: contender for contender in [Cnnfast(), *rivals]}


@pytest.fixture
def contender(request: pytest.FixtureRequest, contenders: dict[str, Contender]) -> Contender:
    return contenders[request.param]


@pytest.fixture
def task(request: pytest.FixtureRequest, row: tuple[Entry, str]) -> Task:
    entry, which = row
    rng = np.random.default_rng(session.SEED)
    return next(tasks(entry, [which], request.config.getoption("--dtype"), rng))


@pytest.fixture(scope="session")
def limits(request: pytest.FixtureRequest, settings: None) -> Limits:
    return Limits(request.config.getoption("--dtype"))


@pytest.fixture(params=_core.supported_isas(), ids=_core.isa_name)
def isa(request: pytest.FixtureRequest) -> Iterator[int]:
    """Every instruction set of this machine, on one thread."""
    with _config.using(isa=request.param, threads=1):
        yield request.param
