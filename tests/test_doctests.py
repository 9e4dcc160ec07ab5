"""The examples of the documentation run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import cnnfast

# what these need comes with an extra
OPTIONAL = ("cnnfast.lenet", "cnnfast.bench", "cnnfast.backends", "cnnfast.__main__", "cnnfast.cli", "cnnfast._picture")
MODULES = [m.name for m in pkgutil.walk_packages(cnnfast.__path__, "cnnfast.") if not m.name.startswith(OPTIONAL)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    results = doctest.testmod(module)
    assert results.failed == 0
