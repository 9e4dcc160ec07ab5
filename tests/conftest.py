"""Fixtures that force every instruction set, thread count and dtype in turn; the seed is printed and an option."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from cnnfast import _config, _core

SUPPORTED = _core.supported_isas()
BUILT = [isa for isa in range(len(_core.isa_names())) if _core.lanes(isa)[0]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=20260101, help="seed of all random inputs")
    parser.addoption("--problems", type=int, default=60, help="random problems of each op compared with PyTorch")


def pytest_report_header(config: pytest.Config) -> str:
    isas = ", ".join(_core.isa_name(isa) for isa in SUPPORTED)
    return f"cnnfast: kernels {isas}; OpenMP {_core.have_openmp()}; --seed={config.getoption('--seed')}"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.config.getoption("--seed"))


@pytest.fixture(params=BUILT, ids=_core.isa_name)
def isa(request: pytest.FixtureRequest) -> Iterator[int]:
    """Every instruction set built for this architecture; those that the CPU lacks are skipped with the reason."""
    if request.param not in SUPPORTED:
        pytest.skip(f"no {_core.isa_name(request.param)} on this machine")
    with _config.using(isa=request.param):
        yield request.param


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    with _config.using(threads=request.param):
        yield request.param


@pytest.fixture
def exact() -> Iterator[None]:
    """Plain sums of products, which are exact on whole numbers."""
    with _config.using(exact=True):
        yield


@pytest.fixture(params=[np.float32, np.float64], ids=["f32", "f64"])
def dtype(request: pytest.FixtureRequest) -> type[np.floating]:
    return request.param
