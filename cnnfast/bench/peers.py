"""The libraries that cnnfast is compared with, each imported only where it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Context manager: so many threads in PyTorch, and in NumPy's BLAS where threadpoolctl is there to set them.

    PyTorch may share the OpenMP runtime with cnnfast, which keeps to a limit set there: it must not stay.
    """
    with ExitStack() as stack:
        if find_spec("threadpoolctl"):
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(count, user_api="blas"))
        if torch := sys.modules.get("torch"):
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(count)
        yield
