"""Other people's NumPy nets on these kernels, unchanged: a module for each package whose code they replace.

`cnnfast.backends.NAME.install()` puts them in, `uninstall()` takes them out, `active()` does both around a block.
With ``verify=True`` each call runs the package's own code too and compares.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from cnnfast.backends._backend import Backend, Mismatch, NotCovered, Replacement, covering

__all__ = ["Backend", "Mismatch", "NotCovered", "Replacement", "covering"]


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]


def __getattr__(name: str) -> Any:
    """Import a backend, and with it the package that it serves, when it is first asked for."""
    if name in _modules():
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r} (expected one of {', '.join(_modules())})")


def __dir__() -> list[str]:
    return [*__all__, *_modules()]
