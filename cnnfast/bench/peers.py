"""The libraries that cnnfast is compared with, each imported only where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

from cnnfast._command import UserError
from cnnfast.bench.tasks import Contender

# What each needs beside NumPy.
PEERS = {"numpy": (), "numpy_tuned": (), "torch": ("torch",), "onnxruntime": ("onnxruntime", "onnx")}


def installed() -> list[str]:
    """Return the peers that can be imported here."""
    return [name for name, modules in PEERS.items() if all(map(find_spec, modules))]


def contenders(names: Sequence[str], threads: int) -> list[Contender]:
    """Return the peers of these names, each with that many threads.

    Raises
    ------
    UserError
        If one is unknown or not installed.
    """
    found: list[Contender] = []
    for name in names:
        if name not in PEERS:
            raise UserError(f"unknown peer {name!r} (expected some of {', '.join(PEERS)})")
        if name not in installed():
            raise UserError(f"peer {name} needs pip install {' '.join(PEERS[name])}")
        found += _make(name, threads)
    return found


def _make(name: str, threads: int) -> list[Contender]:
    if name == "torch":
        from cnnfast.bench.torch_peer import Torch

        return [Torch(threads, channels_last=False), Torch(threads, channels_last=True)]
    if name == "onnxruntime":
        from cnnfast.bench.onnxruntime_peer import OnnxRuntime

        return [OnnxRuntime(threads)]
    if name == "numpy_tuned":
        from cnnfast.bench.im2col import TunedNumPy

        return [TunedNumPy()]
    from cnnfast.bench.numpy_peer import NumPy

    return [NumPy()]


def blas_threads(threads: int) -> AbstractContextManager[object]:
    """Context manager that gives NumPy's BLAS that many threads, where threadpoolctl is there to."""
    if find_spec("threadpoolctl") is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(threads, user_api="blas")
    return limits
