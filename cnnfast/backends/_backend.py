"""The mechanism of all backends: replace functions of a package, fall back to them, compare with them, restore them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

_ABSENT: Any = object()


class NotCovered(Exception):
    """Raised by a replacement for a call that it leaves to the package's own code."""


class Mismatch(AssertionError):
    """A replacement and the code that it replaces gave different results."""


class Replacement(NamedTuple):
    """What shall stand as `name` in `holder`: a module, a class, or a mapping such as ``sys.modules``.

    A function has the signature of the one that it replaces, is called first, and may raise `NotCovered`. With
    `whole`, `ours` takes the place as it is: a class, a module, a function that never falls back.
    """

    holder: Any
    name: str
    ours: Any
    whole: bool = False


class Backend:
    """Replacements that are installed and uninstalled together.

    Parameters
    ----------
    name : str
        For messages.
    replacements : callable
        Imports the package and returns the replacements; called by each `install`.

    Examples
    --------
    >>> import math
    >>> def root(x):
    ...     if x >= 0:
    ...         raise NotCovered
    ...     return complex(0, math.sqrt(-x))
    >>> backend = Backend("roots", lambda: [Replacement(math, "sqrt", root)])
    >>> with backend.active():
    ...     math.sqrt(4.0)
    2.0
    """

    def __init__(self, name: str, replacements: Callable[[], Iterable[Replacement]]) -> None:
        self.name, self.replacements = name, replacements
        self._verify: bool | None = None
        self._originals: list[tuple[Any, str, Any]] = []

    def install(self, *, verify: bool = False) -> None:
        """Put the replacements in; what was installed before is replaced.

        Parameters
        ----------
        verify : bool
            Run the package's own code first in each call, on copies of what can be copied, and raise `Mismatch` where
            results differ.
        """
        self.uninstall()
        found = [(one, _get(one.holder, one.name)) for one in self.replacements()]
        for one, theirs in found:
            self._originals.append((one.holder, one.name, _own(one.holder, one.name)))
            whole = one.whole or theirs is _ABSENT
            _put(one.holder, one.name, one.ours if whole else covering(one.ours, theirs, verify=verify))
        self._verify = verify

    def uninstall(self) -> None:
        """Restore what was there; does nothing if nothing is installed."""
        while self._originals:
            _put(*self._originals.pop())
        self._verify = None

    @contextmanager
    def active(self, *, verify: bool = False) -> Iterator[None]:
        """Context manager: installed inside, afterwards as before."""
        before = self._verify
        self.install(verify=verify)
        try:
            yield
        finally:
            self.uninstall()
            if before is not None:
                self.install(verify=before)


def covering(ours: Callable[..., Any], theirs: Callable[..., Any], *, verify: bool = False) -> Callable[..., Any]:
    """Return a function that calls `ours`, and `theirs` for what that does not cover.

    Parameters
    ----------
    ours, theirs : callable
        Of one signature.
    verify : bool
        Call both and compare.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return ours(*args, **kwargs)
        except NotCovered:
            return theirs(*args, **kwargs)

    def compare(*args: Any, **kwargs: Any) -> Any:
        expected = theirs(*map(_copied, args), **{name: _copied(value) for name, value in kwargs.items()})
        result = call(*args, **kwargs)
        _check(getattr(theirs, "__qualname__", str(theirs)), result, expected)
        return result

    return functools.wraps(theirs)(compare if verify else call)


def _copied(value: Any) -> Any:
    """A deep copy, or the value itself if it cannot be copied."""
    try:
        return copy.deepcopy(value)
    except TypeError:
        return value


def _check(name: str, result: Any, expected: Any) -> None:
    """Compare results, which may be nested: half of the digits of their dtype have to agree."""
    if isinstance(expected, tuple | list):
        if len(result) != len(expected):
            raise Mismatch(f"{name}: {len(result)} results (expected {len(expected)})")
        for one, other in zip(result, expected, strict=True):
            _check(name, one, other)
    elif expected is not None:
        _check_array(name, np.asarray(result), np.asarray(expected))


def _check_array(name: str, result: Any, expected: Any) -> None:
    if result.shape != expected.shape:
        raise Mismatch(f"{name}: shape {result.shape} (expected {expected.shape})")
    if expected.dtype.kind not in "fc" or not expected.size:
        close = np.array_equal(result, expected)
    else:
        digits = max(np.finfo(array.dtype).eps for array in (result, expected)) ** 0.5
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=0)
        close = np.allclose(result, expected, rtol=digits, atol=digits * scale, equal_nan=True)
    if not close:
        raise Mismatch(f"{name}: values differ from those of the code that it replaces")


def _get(holder: Any, name: str) -> Any:
    return holder.get(name, _ABSENT) if isinstance(holder, MutableMapping) else getattr(holder, name, _ABSENT)


def _own(holder: Any, name: str) -> Any:
    """What `holder` itself has, bare of descriptors, without what a class inherits."""
    if not isinstance(holder, MutableMapping) and not hasattr(holder, "__dict__"):
        return getattr(holder, name)
    return (holder if isinstance(holder, MutableMapping) else vars(holder)).get(name, _ABSENT)


def _put(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, MutableMapping):
        holder.pop(name, None) if value is _ABSENT else holder.__setitem__(name, value)
    elif value is _ABSENT:
        delattr(holder, name)
    else:
        setattr(holder, name, value)
