"""One odd argument at a time: every op takes and refuses what PyTorch does, but for the differences listed here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from problems import OPS, Draw, Problem

from cnnfast import functional as F
from cnnfast import reference as R

torch = pytest.importorskip("torch")
from test_random_torch import REFUSALS, of_tensors  # noqa: E402

T = torch.nn.functional

Array = np.ndarray[Any, Any]
Shapes = tuple[tuple[int, ...], ...]

VALUES: list[Any] = [-1, 0, 1, 2, 3, 7, 20, 0.5, 1.0, float("nan"), float("inf"), True, False, None, "same", "x"]
VALUES += [(), (1,), (2,), (1, 1), (2, 2), (1, 2), [2, 2], (2, 2, 2), (2, 2, 2, 2), (1, -1), (0, 1), (1.0, 1)]
VALUES += [(True, 1), (None, 2), (1, 1, 6, 6), np.int64(2), np.float32(1)]

ARRAYS = ("input", "weight", "bias", "running_mean", "running_var", "target", "indices")

# Of "op argument=value in problem", what only one of the two takes.
ONLY_CNNFAST = (
    r"conv.d (stride|padding)=.*padding='same'",  # 'same' with a stride
    r".*pool.d \w+=\([^,]+,\) in .*",  # one for all axes
    r"\w+ \w+=np\.int64.*",
    r"batch_norm eps=.*",
    r"instance_norm input=\(0, .*",  # empty batches
    r"linear (weight|bias)=.*",  # whatever broadcasts
)
ONLY_PYTORCH = (
    r"max_unpool.d (kernel_size|stride|padding)=.*",  # numbers that are no ints, or negative
    r"(batch_norm|instance_norm|cross_entropy) (weight|bias|running_\w+)=.*",  # as many elements in another shape
    r"linear bias=.*",
    r"cross_entropy (label_smoothing|target)=.*",  # without smoothing, of a single target
    r"(instance_norm|dropout[23]d|adaptive_avg_pool.d) input=.*",  # empty, too few or too many axes
)


def other_shapes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Another number of axes, or an axis of another size."""
    yield from ((), shape[1:], (1, *shape), (1, 1, *shape), (*shape, 1))
    for axis, extent in enumerate(shape):
        for other in (0, 1, extent + 1, 2 * extent):
            yield (*shape[:axis], other, *shape[axis + 1 :])


def variants(problem: Problem) -> Iterator[tuple[str, Any, Problem]]:
    """The problem with one other argument: its name, its value or shape, and the problem."""
    for group in ("arrays", "arguments"):
        given = getattr(problem, group)
        for name, old in given.items():
            if isinstance(old, np.ndarray):
                others = [(shape, np.zeros(shape, old.dtype)) for shape in other_shapes(old.shape)] + [(None, None)]
            else:
                others = [] if name in ARRAYS else [(value, value) for value in VALUES]
            for value, new in others:
                yield name, value, problem._replace(**{group: {**given, name: new}})


def outcome(module: Any, problem: Problem) -> Shapes | None:
    """Shapes of the results; None if the call is refused."""
    try:
        result = problem.forward(module)
    except REFUSALS as error:
        if module is not T and not (
            type(error) in (ValueError, TypeError) and str(error).startswith(f"{problem.op}: ")
        ):
            raise
        return None
    return tuple(tuple(y.shape) for y in (result if isinstance(result, tuple) else (result,)))


def base_problems(op: str, seed: int) -> Iterator[Problem]:
    """Some that PyTorch takes; of float64, since oneDNN, which it may use for float32, refuses less."""
    found = 0
    while found < 4:
        problem = OPS[op](Draw(np.random.default_rng(seed), np.float64))
        seed += 1
        if np.size(problem.arrays["input"]) and outcome(T, of_tensors(problem)):
            found += 1
            yield problem


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("op", OPS)
def test_odd_arguments(op: str, pytestconfig: pytest.Config) -> None:
    differences = []
    for problem in base_problems(op, pytestconfig.getoption("--seed")):
        for name, value, odd in variants(problem):
            theirs = outcome(T, of_tensors(odd))
            call, exempt = f"{op} {name}={value!r} in {odd}", ONLY_PYTORCH if theirs else ONLY_CNNFAST
            allowed = any(re.match(pattern, call) for pattern in exempt)
            for module in (F, R):
                ours = outcome(module, odd)
                if ours != theirs and not (allowed and None in (ours, theirs)):
                    differences.append(f"{call}: {ours} by {module.__name__}, {theirs} by PyTorch")
    assert not differences, "\n".join(differences)
