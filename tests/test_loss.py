"""Softmax and cross entropy, on rows and columns of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import _config
from cnnfast import functional as F
from cnnfast import reference as R

Array = np.ndarray[Any, Any]
Generator = np.random.Generator

# Fewer and more classes than lanes of a sweep, as rows and as columns; more lines than a task takes.
SHAPES = [
    ((10,), 0),
    ((), 0),
    ((3, 1), 1),
    ((70, 10), 1),
    ((3, 64), 1),
    ((2, 1000), 1),
    ((4, 7), 0),
    ((2, 21, 5, 33), 1),
]
SHAPES += [((130, 3, 2), 0), ((5, 0), 0)]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "dim"), SHAPES, ids=str)
def test_softmax(name: str, shape: tuple[int, ...], dim: int, isa: int, dtype: Any, rng: Generator) -> None:
    x, dy = np.asarray(rng.normal(0, 8, shape), dtype), np.asarray(rng.normal(size=shape), dtype)
    rounding = float(np.finfo(dtype).eps)
    got, expected = (getattr(m, name)(x, dim) for m in (F, R))
    assert got.shape == shape
    assert got.dtype == dtype
    spread = float(np.ptp(x)) + 1 if x.size else 1  # the largest argument that is rounded before it is exponentiated
    np.testing.assert_allclose(got, expected, rtol=2 * spread * rounding, atol=4 * rounding)
    got, expected = (getattr(m, f"{name}_backward")(dy, x, dim) for m in (F, R))
    np.testing.assert_allclose(got, expected, rtol=0, atol=4 * (spread + max(shape, default=1)) * rounding)


def test_softmax_of_no_named_axis_takes_the_axis_of_pytorch() -> None:
    for shape, dim in [((), 0), ((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)]:
        x = np.arange(np.prod(shape, dtype=int), dtype=np.float64).reshape(shape)
        assert np.array_equal(F.softmax(x), F.softmax(x, dim))
        assert np.array_equal(R.softmax(x), R.softmax(x, dim))


@pytest.mark.parametrize("columns", [False, True])
def test_softmax_at_the_edges(columns: bool, isa: int, dtype: Any) -> None:
    inf, nan = np.inf, np.nan
    rows = np.array([[-inf, 0, 0], [1e4, 0, -1e4], [-inf, -inf, -inf], [inf, 1, 0], [nan, 0, 1]], dtype)
    softmax = np.array([[0, 0.5, 0.5], [1, 0, 0], [nan] * 3, [nan] * 3, [nan] * 3], dtype)
    logarithm = np.array([[-inf, -np.log(2), -np.log(2)], [0, -1e4, -2e4], [nan] * 3, [nan] * 3, [nan] * 3], dtype)
    for function, expected in ((F.softmax, softmax), (F.log_softmax, logarithm)):
        got = function(np.ascontiguousarray(rows.T), 0).T if columns else function(rows, 1)
        np.testing.assert_allclose(got, expected, rtol=2 * float(np.finfo(dtype).eps))


LOGITS = [(5,), (4, 3), (70, 10), (3, 100), (2, 5, 7), (2, 3, 6, 11), (0, 3)]


def targets(rng: Generator, shape: tuple[int, ...], kind: str, dtype: Any) -> Array:
    classes = shape[0] if len(shape) == 1 else shape[1]
    lines = () if len(shape) == 1 else (shape[0], *shape[2:])
    if kind == "probabilities":
        return rng.random(shape).astype(dtype)
    chosen = np.asarray(rng.integers(0, classes, lines))
    return np.where(rng.random(lines) < 0.3, -100, chosen) if kind == "some ignored" else chosen


@pytest.mark.parametrize("kind", ["classes", "some ignored", "probabilities"])
@pytest.mark.parametrize("shape", LOGITS, ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.25, 1.0])
def test_cross_entropy(
    shape: tuple[int, ...], kind: str, smoothing: float, isa: int, dtype: Any, rng: Generator
) -> None:
    x, target = rng.normal(0, 4, shape).astype(dtype), targets(rng, shape, kind, dtype)
    classes = shape[0] if len(shape) == 1 else shape[1]
    tolerance = 64 * float(np.finfo(dtype).eps)
    for weight in (None, rng.random(classes).astype(dtype)):
        for reduction in ("none", "mean", "sum"):
            keywords = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
            got, expected = (m.cross_entropy(x, target, **keywords) for m in (F, R))
            assert isinstance(got, np.ndarray)
            assert got.shape == expected.shape
            assert got.dtype == dtype
            np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
            dy = np.asarray(rng.normal(size=got.shape), dtype)
            got, expected = (m.cross_entropy_backward(dy, x, target, **keywords) for m in (F, R))
            assert got.shape == shape
            np.testing.assert_allclose(got, expected, tolerance, tolerance * max(1.0, np.abs(dy).max(initial=0)))


def test_equal_logits_cost_the_logarithm_of_the_classes(isa: int, dtype: Any) -> None:
    x, target = np.full((6, 8), 3, dtype), np.arange(6)
    losses = F.cross_entropy(x, target, reduction="none")
    np.testing.assert_allclose(losses, np.log(8), rtol=float(np.finfo(dtype).eps))
    gradient = F.cross_entropy_backward(1.0, x, target, reduction="sum")
    assert np.array_equal(gradient, (0.125 - np.eye(6, 8)).astype(dtype))


@pytest.mark.parametrize("shape", [(5000, 10), (6, 40_000), (3, 7, 5000)], ids=str)
def test_threads_do_not_change_a_bit(shape: tuple[int, ...], isa: int, rng: Generator) -> None:
    x, dy = rng.normal(size=shape).astype(np.float32), rng.normal(size=shape).astype(np.float32)
    target = targets(rng, shape, "some ignored", np.float32)
    results = []
    for threads in (1, 2, 3):
        with _config.using(threads=threads):
            results.append(
                [
                    F.softmax(x, 1),
                    F.log_softmax(x, 1),
                    F.softmax_backward(dy, x, 1),
                    F.log_softmax_backward(dy, x, 1),
                    F.cross_entropy(x, target, label_smoothing=0.1),
                    F.cross_entropy_backward(1.0, x, target, label_smoothing=0.1),
                ]
            )
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_targets_that_count_nothing() -> None:
    x, ignored = np.ones((2, 3)), np.full(2, -100)
    assert np.isnan(F.cross_entropy(x, ignored))
    assert F.cross_entropy(x, ignored, reduction="sum") == 0
    assert not np.any(F.cross_entropy_backward(1.0, x, ignored))
    assert np.isnan(F.cross_entropy(np.ones((0, 3)), np.zeros(0, int)))
    assert F.cross_entropy(np.ones((2, 0)), ignored, reduction="sum") == 0


x23 = np.ones((2, 3))
REFUSED: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ((x23, [0, 3]), {}, ValueError, "target has what is no class .expected 0 to 2, or -100"),
    ((x23, [0, -1]), {}, ValueError, "target has what is no class"),
    ((np.ones((2, 0)), [0, 0]), {}, ValueError, "target has what is no class"),
    ((x23, [0, 1, 2]), {}, ValueError, r"target has shape \(3,\) .expected \(2,\)"),
    ((x23, [0.5, 0.5]), {}, ValueError, r"target has shape \(2,\) .expected \(2, 3\)"),
    ((x23, [True, False]), {}, TypeError, "target is bool"),
    ((x23, x23), {"ignore_index": 1}, ValueError, "ignore_index is 1"),
    ((x23, [0, 1]), {"ignore_index": 1.0}, TypeError, "ignore_index is 1.0"),
    ((x23, [0, 1], np.ones(2)), {}, ValueError, r"weight has shape \(2,\)"),
    ((x23, [0, 1], np.ones(3, np.float32)), {}, TypeError, "weight is float32"),
    ((x23, [0, 1]), {"reduction": "max"}, ValueError, "reduction is 'max'"),
    ((x23, [0, 1]), {"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5"),
    ((np.float64(1), [0]), {}, ValueError, "input has no axes"),
]


@pytest.mark.parametrize(("positional", "keywords", "error", "message"), REFUSED)
def test_refusals(positional: tuple[Any, ...], keywords: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^cross_entropy: {message}"):
        F.cross_entropy(*positional, **keywords)
    with pytest.raises(error, match=f"^cross_entropy_backward: {message}"):
        F.cross_entropy_backward(1.0, *positional, **keywords)


def test_an_axis_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="softmax: dim is 2"):
        F.softmax(x23, 2)
    with pytest.raises(TypeError, match=r"log_softmax: dim is 1\.0"):
        F.log_softmax(x23, 1.0)  # type: ignore[arg-type]
