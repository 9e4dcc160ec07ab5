"""``python -m cnnfast.bench.onnx_models``: whole ONNX models, one image at a time, in turns with onnxruntime.

Without names it takes the nine nets that the onnx package brings; a name may be part of one of theirs, or a file.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import geometric_mean
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from cnnfast import _config
from cnnfast.backends.onnx import CnnfastEvaluator
from cnnfast.bench.check import WrongResult
from cnnfast.bench.session import SEED, settings
from cnnfast.bench.tasks import Call
from cnnfast.bench.timing import in_turns

_LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
# Axes that a model leaves open, from the fourth last on: images, channels, height, width of text detectors.
_OPEN = (1, 3, 320, 320)
# onnxruntime's sigmoid is 0 where ours is 1e-7.
_TOLERANCE, _TINY = 1e-3, 1e-6


def main(arguments: list[str] | None = None) -> None:
    """Check, time and print."""
    parser = argparse.ArgumentParser(prog="python -m cnnfast.bench.onnx_models", description=__doc__)
    parser.add_argument("models", nargs="*", default=[""], help="parts of names, or files")
    parser.add_argument("--threads", type=int, default=_config.get_num_threads())
    parser.add_argument("--seconds", type=float, default=1.0, help="for each model and contender (%(default)s)")
    parser.add_argument("--stock", action="store_true", help="time one call of onnx's reference evaluator too")
    args = parser.parse_args(arguments)
    print(f"{'model':28}{'cnnfast ms':>12}{'onnxruntime':>13}{'reference' if args.stock else '':>11}   (time / ours)")
    ratios: dict[str, list[float]] = {}
    for file in (file for name in args.models for file in _files(name)):
        with settings(args.threads, None):
            seconds = _time(file, args.seconds, args.stock)
        ours = seconds.pop("cnnfast")
        for name, taken in seconds.items():
            ratios.setdefault(name, []).append(taken / ours)
        cells = "".join(f"{taken / ours:12.2f}" for taken in seconds.values())
        print(f"{file.stem.removeprefix('light_'):28}{ours * 1e3:12.2f} {cells}", flush=True)
    print(f"{'geometric mean':40} " + "".join(f"{geometric_mean(values):12.2f}" for values in ratios.values()))


def _files(name: str) -> Sequence[Path]:
    if name.endswith(".onnx"):
        return [Path(name)]
    return [file for file in sorted(_LIGHT.glob("*.onnx")) if name in file.stem]


def _time(file: Path, seconds: float, stock: bool) -> dict[str, float]:
    """The least time of a call of each, which give the same."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = _config.get_num_threads(), 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(SEED)
    feeds = {value.name: rng.random(_shape(value.shape), np.float32) for value in session.get_inputs()}
    calls: dict[str, Call] = {
        "cnnfast": partial(CnnfastEvaluator(str(file)).run, None, feeds),
        "onnxruntime": partial(session.run, None, feeds),
    }
    _check(calls["cnnfast"](), calls["onnxruntime"]())
    least = {name: min(samples) for name, samples in in_turns(calls, seconds).items()}
    if stock:
        reference = ReferenceEvaluator(str(file))
        start = perf_counter()
        reference.run(None, feeds)
        least["reference"] = perf_counter() - start
    return least


def _shape(axes: list[Any]) -> tuple[int, ...]:
    usual = _OPEN[-len(axes) :] if len(axes) <= len(_OPEN) else (1,) * len(axes)
    return tuple(size if isinstance(size, int) else open_ for size, open_ in zip(axes, usual, strict=True))


def _check(results: Any, expected: Any) -> None:
    for one, other in zip(results, expected, strict=True):
        if not np.allclose(one, other, _TOLERANCE, _TOLERANCE * np.abs(other).max() + _TINY):
            raise WrongResult("the results of cnnfast and onnxruntime differ")


if __name__ == "__main__":
    main()
