"""The mechanism of all backends, on a small package made here."""

from __future__ import annotations

import doctest
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cnnfast
from cnnfast.backends import Backend, Mismatch, NotCovered, Replacement, _backend


class Layer:
    """A layer that keeps its input, as many do."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return x + 1


class Child(Layer):
    pass


def ours(self: Layer, x: Any) -> Any:
    if x.ndim > 1:
        raise NotCovered
    self.x = x
    return x + 1.0000001


@pytest.fixture
def backend() -> Iterator[Backend]:
    backend = Backend("small", lambda: [Replacement(Layer, "forward", ours), Replacement(Child, "forward", ours)])
    yield backend
    backend.uninstall()


def is_ours(kind: type[Layer] = Layer) -> bool:
    return bool(kind().forward(np.ones(1))[0] != 2)


def test_install_and_uninstall_are_idempotent(backend: Backend) -> None:
    theirs = Layer.forward
    backend.uninstall()
    for _ in range(2):
        backend.install()
        assert is_ours()
        assert is_ours(Child)
    for _ in range(2):
        backend.uninstall()
        assert Layer.forward is theirs
        assert "forward" not in vars(Child)


def test_active_leaves_as_it_was(backend: Backend) -> None:
    with backend.active():
        assert is_ours()
    assert not is_ours()
    with pytest.raises(ZeroDivisionError), backend.active():
        raise ZeroDivisionError
    assert not is_ours()
    backend.install()
    with backend.active(verify=True):
        pass
    assert is_ours()


def test_falls_back(backend: Backend) -> None:
    with backend.active():
        assert np.array_equal(Layer().forward(np.ones((2, 2))), np.full((2, 2), 2.0))


def test_verify_takes_rounding(backend: Backend) -> None:
    layer, x = Layer(), np.ones(3, np.float32)
    with backend.active(verify=True):
        layer.forward(x)
    assert layer.x is x, "theirs ran on copies"


@pytest.mark.parametrize("wrong", [lambda x: x + 1.1, lambda x: x[:1] + 1, lambda x: x * np.nan])
@pytest.mark.parametrize("nest", [lambda y: y, lambda y: (None, [y])])
def test_verify_finds_differences(wrong: Any, nest: Any) -> None:
    package = types.SimpleNamespace(plus=lambda x: nest(x + 1))
    backend = Backend("small", lambda: [Replacement(package, "plus", lambda x: nest(wrong(x)))])
    with backend.active(verify=True), pytest.raises(Mismatch):
        package.plus(np.ones(3))


def test_mappings_and_whole_values() -> None:
    registry = {"A": 1}
    backend = Backend("small", lambda: [Replacement(registry, "A", 2, whole=True), Replacement(registry, "B", 3)])
    with backend.active():
        assert registry == {"A": 2, "B": 3}
    assert registry == {"A": 1}


def test_unknown_backend() -> None:
    with pytest.raises(AttributeError, match="no attribute 'caffe'"):
        cnnfast.backends.caffe  # noqa: B018


def test_examples() -> None:
    assert doctest.testmod(_backend).failed == 0
