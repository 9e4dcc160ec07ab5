"""Backends of modules that are imported after they are installed: scripts in a folder, or what cannot import alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from cnnfast.backends._backend import Backend, Replacement


class LateBackend(Backend):
    """A backend that also waits for modules: as soon as one of `names` is imported its replacements are installed.

    Parameters
    ----------
    name, replacements
        As of `Backend`; `replacements` gives those of the modules that are in ``sys.modules``.
    names : sequence of str
        Modules to wait for.
    around : callable, optional
        Gives the context in which their code is run.
    """

    def __init__(
        self,
        name: str,
        replacements: Callable[[], Iterable[Replacement]],
        names: Sequence[str],
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        super().__init__(name, replacements)
        self._finder = _Finder(names, self._after, around)

    def install(self, *, verify: bool = False) -> None:
        super().install(verify=verify)
        sys.meta_path.insert(0, self._finder)

    def uninstall(self) -> None:
        super().uninstall()
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)

    def _after(self) -> None:
        if self._verify is not None:
            self.install(verify=self._verify)


class _Finder(MetaPathFinder):
    """Finds modules as the others do, and calls `after` when one of `names` has run."""

    def __init__(
        self, names: Sequence[str], after: Callable[[], None], around: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self.names, self.after, self.around = names, after, around

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self.names:
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in others if spec), None)
        if spec and spec.loader:
            setattr(spec.loader, "exec_module", self._executed(spec.loader.exec_module))  # noqa: B010
        return spec

    def _executed(self, execute: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
        def exec_module(module: ModuleType) -> None:
            with self.around():
                execute(module)
            self.after()

        return exec_module


def everywhere(package: str, name: str, ours: Any) -> list[Replacement]:
    """Replacements of `name` in each module of a package that has it: ``from module import *`` copies names."""
    return [
        Replacement(module, name, ours)
        for path, module in list(sys.modules.items())
        if (path == package or path.startswith(f"{package}.")) and name in vars(module)
    ]
