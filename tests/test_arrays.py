"""Arrays as people hold them: strides of every kind, `out`, dtypes, and inputs that must stay as they are."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from problems import OPS, Draw, Problem, solvable

from cnnfast import functional as F
from cnnfast import reference as R

Array = np.ndarray[Any, Any]
WITH_OUT = [op for op in OPS if "out" in inspect.signature(getattr(F, op)).parameters]
UPDATED = ("running_mean", "running_var")


def misaligned(x: Array) -> Array:
    raw = np.zeros(x.nbytes + 1, np.uint8)
    view = raw[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def read_only(x: Array) -> Array:
    view = x.view()
    view.flags.writeable = False
    return view


def reversed_memory(x: Array) -> Array:
    backwards = (*(slice(None, None, -1),) * x.ndim, ...)
    return x[backwards].copy()[backwards]


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "fortran": lambda x: x.copy(order="F"),
    "channels last": lambda x: np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1) if x.ndim > 1 else x.copy(),
    "reversed": reversed_memory,
    "every second": lambda x: np.stack([x, x + 1], axis=-1)[..., 0],
    "misaligned": misaligned,
    "read-only": read_only,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder("S")),
}


def laid_out(problem: Problem, layout: str) -> Problem:
    """With every array in another layout; what is updated in place must remain writable, and have the dtype."""

    def change(name: str, value: Any) -> Any:
        changes = isinstance(value, np.ndarray) and not (
            name in UPDATED and layout in ("read-only", "other byte order")
        )
        return LAYOUTS[layout](value) if changes else copy.deepcopy(value)

    arrays, arguments = ({k: change(k, v) for k, v in part.items()} for part in problem[1:])
    return Problem(problem.op, arrays, arguments)


def results(problem: Problem, layout: str | None = None) -> list[Array]:
    """Results, gradients, and all that was given as it is afterwards."""
    result = problem.forward(F)
    y = result[0] if isinstance(result, tuple) else result
    grad = np.asarray(np.cos(np.arange(y.size)).reshape(y.shape), y.dtype)
    gradients = problem.backward(F, LAYOUTS[layout](grad) if layout else grad, result)
    given = [v for part in problem[1:] for v in part.values() if isinstance(v, np.ndarray)]
    return [y, *gradients.values(), *given]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPS)
def test_layout_of_the_inputs_does_not_matter(op: str, layout: str, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(4):
        problem = solvable(op, Draw(rng, dtype), F)
        plain, other = copy.deepcopy(problem), laid_out(problem, layout)
        for got, expected in zip(results(other, layout), results(plain), strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=str(problem))
        for name, array in problem.arrays.items():
            np.testing.assert_array_equal(plain.arrays[name], array, err_msg=f"{name} of {problem} was written to")


def of_one_result(op: str, dtype: Any, rng: np.random.Generator) -> Problem:
    """A problem without indices."""
    problem = solvable(op, Draw(rng, dtype), F)
    none = {"return_indices": False} if "return_indices" in problem.arguments else {}
    return problem._replace(arguments=problem.arguments | none)


@pytest.mark.parametrize("op", WITH_OUT)
def test_out_receives_the_result(op: str, dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(4):
        problem = of_one_result(op, dtype, rng)
        expected = copy.deepcopy(problem).forward(F)
        for layout in ("fortran", "reversed", "misaligned", "other byte order"):
            out = LAYOUTS[layout](np.full_like(expected, np.nan))
            assert copy.deepcopy(problem).forward(F, out=out) is out
            np.testing.assert_array_equal(out, expected, err_msg=str(problem))
        spaced = np.full((*expected.shape, 2), 7, dtype)
        copy.deepcopy(problem).forward(F, out=spaced[..., 0])
        np.testing.assert_array_equal(spaced[..., 0], expected, err_msg=str(problem))
        assert np.all(spaced[..., 1] == 7)


def overlapping(first: Array, shape: tuple[int, ...], shift: int) -> tuple[Array, Array]:
    """A copy of `first`, and an array of `shape` that begins `shift` elements after it in the same memory."""
    size = max(first.size, shift + int(np.prod(shape)))
    memory = np.zeros(size, first.dtype)
    one = memory[: first.size].reshape(first.shape)
    one[...] = first
    return one, memory[shift : shift + int(np.prod(shape))].reshape(shape)


@pytest.mark.parametrize("op", WITH_OUT)
def test_out_may_overlap_an_input(op: str, dtype: Any, rng: np.random.Generator) -> None:
    for shift in (0, 1, 7):
        problem = of_one_result(op, dtype, rng)
        expected = copy.deepcopy(problem).forward(F)
        for name, array in problem.arrays.items():
            if array is not None:
                changed = copy.deepcopy(problem)
                changed.arrays[name], out = overlapping(array, expected.shape, shift)
                changed.forward(F, out=out)
                np.testing.assert_array_equal(out, expected, err_msg=f"out over {name}: {problem}")


@pytest.mark.parametrize("op", WITH_OUT)
def test_nothing_is_written_around_out(op: str, isa: int, rng: np.random.Generator) -> None:
    for _ in range(3):
        problem = of_one_result(op, np.float32, rng)
        expected = copy.deepcopy(problem).forward(F)
        ring = np.full(expected.size + 64, np.float32(-77))
        problem.forward(F, out=ring[32:-32].reshape(expected.shape))
        np.testing.assert_array_equal(ring[32:-32].reshape(expected.shape), expected)
        assert np.all(ring[:32] == -77)
        assert np.all(ring[-32:] == -77)


@pytest.mark.parametrize("op", WITH_OUT)
def test_wrong_out_is_refused_before_anything_is_written(op: str, rng: np.random.Generator) -> None:
    problem = of_one_result(op, np.float32, rng)
    before = copy.deepcopy(problem)
    shape = copy.deepcopy(problem).forward(F).shape
    for out, error in [
        (np.zeros(shape, np.float64), TypeError),
        (np.zeros((*shape, 1), np.float32), ValueError),
        ([0.0], TypeError),
        (read_only(np.zeros(shape, np.float32)), ValueError),
    ]:
        with pytest.raises(error, match=f"^{op}: out "):
            problem.forward(F, out=out)
        assert not np.any(out)
    for name in UPDATED:
        np.testing.assert_array_equal(problem.arguments.get(name), before.arguments.get(name))


@pytest.mark.parametrize("module", [F, R], ids=["functional", "reference"])
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.complex64, bool, object])
def test_other_dtypes_are_refused(op: str, dtype: Any, module: Any, rng: np.random.Generator) -> None:
    problem = solvable(op, Draw(rng, np.float32), F)
    for name, array in problem.arrays.items():
        if array is not None:
            odd = problem._replace(arrays=problem.arrays | {name: np.ones(array.shape).astype(dtype)})
            with pytest.raises(TypeError, match=rf"^{op}: {name} is \w+ \(expected float32 or float64\)"):
                odd.forward(module)


@pytest.mark.parametrize("module", [F, R], ids=["functional", "reference"])
@pytest.mark.parametrize("op", OPS)
def test_dtypes_that_differ_are_refused(op: str, module: Any, rng: np.random.Generator) -> None:
    problem = solvable(op, Draw(rng, np.float32), F)
    for name, array in list(problem.arrays.items())[1:]:
        if array is not None:
            odd = problem._replace(arrays=problem.arrays | {name: array.astype(np.float64)})
            with pytest.raises(TypeError, match=f"^{op}: {name} is float64, input is float32"):
                odd.forward(module)


@pytest.mark.parametrize("module", [F, R], ids=["functional", "reference"])
@pytest.mark.parametrize("op", OPS)
def test_odd_gradients_are_refused(op: str, module: Any, rng: np.random.Generator) -> None:
    for _ in range(4):
        problem = solvable(op, Draw(rng, np.float32), F)
        result = problem.forward(F)
        y = result[0] if isinstance(result, tuple) else result
        odd: list[Any] = [None, "x", np.ones(y.shape, int), np.ones(y.shape, np.float16)]
        if not op.startswith("dropout"):  # of which any array is a gradient
            odd.append(np.ones((*y.shape, 2), y.dtype))
        for grad in odd:
            with pytest.raises((TypeError, ValueError), match=f"^{op}_backward: grad_output "):
                problem.backward(module, grad, result)


def test_lists_are_arrays() -> None:
    assert F.conv1d([[[1.0, 2.0, 3.0]]], [[[1.0, 1.0]]]).tolist() == [[[3.0, 5.0]]]
