"""Plans that are remembered: the same arguments find them, others do not, whatever is equal to them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from cnnfast import _config, _core
from cnnfast import functional as F
from cnnfast.functional._op import Op

X, W = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8), np.ones((1, 1, 3, 3), np.float32)


class Counting:
    """A plan function that counts its calls, and the op with it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.op = Op("counted", self.plan, "input", "other?")

    def plan(self, how: Any, *arguments: Any) -> _core.Plan:
        self.calls.append(arguments)
        return _core.GemmPlan((1, 1), 1, 1, 1, *how)

    def __call__(self, *arguments: Any) -> Any:
        return self.op((np.ones((1, 1)), np.ones((1, 1))), arguments)


def test_a_problem_is_planned_once() -> None:
    op = Counting()
    for _ in range(3):
        op(1, (2, 3), "same", None)
    assert op.calls == [((1, 1), (1, 1), 1, (2, 3), "same", None)]


@pytest.mark.parametrize(
    ("one", "other"), [((1,), (1.0,)), ((1,), (True,)), (((1, 1),), ((1, 1.0),)), ((((1, 0),),), (((1, False),),))]
)
def test_equal_arguments_of_other_types_are_other_arguments(one: Any, other: Any) -> None:
    op = Counting()
    for arguments in (one, other, one):
        op(*arguments)
        assert repr(op.calls[-1][2:]) == repr(arguments)


def test_lists_are_tuples_and_remembered() -> None:
    op = Counting()
    op([1, [2, 3]])
    op((1, (2, 3)))
    assert [call[2:] for call in op.calls] == [((1, (2, 3)),)]


def test_arguments_that_cannot_be_keys_are_planned_each_time() -> None:
    op = Counting()
    for _ in range(2):
        op(np.array(2))
    assert len(op.calls) == 2


def test_settings_and_dtype_are_part_of_the_problem(isa: int, threads: int, dtype: Any) -> None:
    seen = []
    op = Op("counted", lambda how, *_: seen.append(how) or _core.GemmPlan((1, 1), 1, 1, 1, *how), "a", "b")
    exact = _config.current().exact
    op((np.ones((1, 1), dtype), np.ones((1, 1), dtype)), ())
    assert seen == [(isa, _config.get_num_threads(), dtype is np.float64, exact)]
    with _config.using(threads=threads + 1):
        op((np.ones((1, 1), dtype), np.ones((1, 1), dtype)), ())
    assert len(seen) == (2 if _core.have_openmp() else 1)
    with _config.using(exact=not exact):
        op((np.ones((1, 1), dtype), np.ones((1, 1), dtype)), ())
    assert seen[-1] == (isa, _config.get_num_threads(), dtype is np.float64, not exact)


def test_plans_are_forgotten_when_there_are_many() -> None:
    op = Counting()
    for i in range(5000):
        op(i)
    op(0)
    assert len(op.calls) == 5001


def test_a_refusal_does_not_depend_on_earlier_calls() -> None:
    for stride in (1, (1, 1)):
        F.conv2d(X, W, stride=stride)
    for stride in (1.0, True, (1, 1.0), (True, 1), [1, 1.0]):
        with pytest.raises(TypeError, match=r"conv2d: stride is .* \(expected an int\)"):
            F.conv2d(X, W, stride=stride)


@pytest.mark.parametrize("stride", [2, (2,), (2, 2), [2, 2], np.int64(2), (np.int32(2), 2), np.array(2)])
def test_forms_of_an_argument(stride: Any) -> None:
    for _ in range(2):
        assert np.array_equal(F.conv2d(X, W, stride=stride), F.conv2d(X, W)[..., ::2, ::2])


@pytest.mark.parametrize(("input", "weight", "name"), [(None, W, "input"), (X, None, "weight")])
def test_a_missing_array_is_refused(input: Any, weight: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"conv2d: {name} is None"):
        F.conv2d(input, weight)


def test_out_of_an_op_with_several_results() -> None:
    expected, places = F.max_pool2d(X, 2, return_indices=True)
    for out in (np.empty((1, 1, 4, 4), np.float32), np.empty((1, 1, 4, 8), np.float32)[..., ::2]):
        maxima, indices = F.max_pool2d(X, 2, return_indices=True, out=out)
        assert maxima is out
        assert np.array_equal(maxima, expected)
        assert np.array_equal(indices, places)


def test_many_threads_plan_at_once() -> None:
    op = Counting()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda i: float(op(i % 7)[0, 0]), range(700)))
    assert results == [1.0] * 700


def test_threads_replace_what_others_look_up() -> None:
    remembered = _core.Remembering(lambda *arguments: [arguments])

    def work(seed: int) -> bool:
        keys = ((1, 1.0, True)[(i + seed) % 3] for i in range(20_000))
        return all(repr(remembered(key)) == repr([(key,)]) for key in keys)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
