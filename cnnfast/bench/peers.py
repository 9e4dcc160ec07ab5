"""The libraries that cnnfast is compared with, each imported only where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec

from cnnfast._command import UserError
from cnnfast.bench.tasks import Contender

# The module of each, and the packages that it needs beside NumPy.
PEERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "numpy": ("plain_numpy", ()),
    "numpy_tuned": ("tuned_numpy", ()),
    "torch": ("torch_peer", ("torch",)),
    "onnxruntime": ("onnxruntime_peer", ("onnxruntime", "onnx")),
    "openvino": ("openvino_peer", ("openvino", "onnx")),
}


def missing(name: str) -> list[str]:
    """Return the packages that a peer needs and that are not installed.

    Raises
    ------
    UserError
        If there is no such peer.
    """
    if name not in PEERS:
        raise UserError(f"unknown peer {name!r} (expected some of {', '.join(PEERS)})")
    return [package for package in PEERS[name][1] if find_spec(package) is None]


def contenders(names: Sequence[str]) -> list[Contender]:
    """Return the contenders of these peers, without those that are not installed."""
    found: list[Contender] = []
    for name in names:
        if not missing(name):
            found += import_module(f"cnnfast.bench.{PEERS[name][0]}").contenders()
    return found


def blas_threads(threads: int) -> AbstractContextManager[object]:
    """Context manager that gives NumPy's BLAS that many threads, where threadpoolctl is there to."""
    if find_spec("threadpoolctl") is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(threads, user_api="blas")
    return limits
