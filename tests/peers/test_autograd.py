"""autograd differentiates our ops to any order, and its own convolve and max give the same as before."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

pytest.importorskip("autograd")
pytest.importorskip("scipy")
import autograd.numpy as anp
from autograd import elementwise_grad, grad
from autograd.scipy.signal import convolve
from autograd.test_util import check_grads

from cnnfast.backends import autograd as backend

SHAPES = {1: (9,), 2: (6, 5), 3: (4, 5, 3)}


def check(f: Any, *args: Any) -> None:
    """Two orders of reverse mode against differences."""
    check_grads(f, modes=["rev"], order=2)(*args)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": "same"}, {"groups": 2, "padding": ((2, 0),)}],
)
def test_convolution(rank: int, options: dict[str, Any], rng: np.random.Generator) -> None:
    conv = getattr(backend, f"conv{rank}d")
    x, w, b = (
        rng.standard_normal(s) for s in ((2, 4, *SHAPES[rank]), (4, 4 // options.get("groups", 1), *(2,) * rank), 4)
    )
    check(lambda x, w, b: conv(x, w, b, **options), x, w, b)
    check(lambda x: conv(x, w, **options), x[0])


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"groups": 2, "dilation": 2}]
)
def test_transposed_convolution(rank: int, options: dict[str, Any], rng: np.random.Generator) -> None:
    conv = getattr(backend, f"conv_transpose{rank}d")
    x, w, b = (
        rng.standard_normal(s) for s in ((2, 2, *(3,) * rank), (2, 2, *(3,) * rank), 2 * options.get("groups", 1))
    )
    check(lambda x, w, b: conv(x, w, b, **options), x, w, b)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pools(rank: int, rng: np.random.Generator) -> None:
    x = rng.permutation(2 * np.prod(SHAPES[rank])).reshape(1, 2, *SHAPES[rank]) / 8.0
    for name, *arguments in [
        ("max_pool", 2),
        ("max_pool", 3, 2, 1, 1, True),
        ("avg_pool", 2, 1),
        ("avg_pool", 3, 2, 1, True, False),
        ("adaptive_max_pool", 2),
        ("adaptive_avg_pool", 3),
    ]:
        pool = getattr(backend, f"{name}{rank}d")
        check(lambda x, pool=pool, arguments=arguments: pool(x, *arguments) ** 2, x)


def test_windows_of_padding_take_nothing() -> None:
    """A dilated window may see only padding."""
    x = np.arange(1.0, 3.0).reshape(1, 1, 2)
    check(lambda x: anp.where(anp.isfinite(y := backend.max_pool1d(x, 2, 1, 1, 3)), y, 0), x)


def test_linear_and_batch_norm(rng: np.random.Generator) -> None:
    x, w, b = rng.standard_normal((2, 3, 5)), rng.standard_normal((4, 5)), rng.standard_normal(4)
    check(backend.linear, x, w, b)
    check(lambda x: backend.linear(x, w), x)
    mean, var, scale, shift = rng.random(3), rng.random(3) + 1, rng.standard_normal(3), rng.standard_normal(3)
    check(lambda x, w, b: backend.batch_norm(x, mean, var, w, b) ** 2, x, scale, shift)
    check(lambda x, w, b: backend.batch_norm(x, None, None, w, b, True, 0.1, 0.1) ** 2, x, scale, shift)
    check(lambda x: backend.batch_norm(x, None, None, None, None, training=True) ** 2, x)


def test_third_order(rng: np.random.Generator) -> None:
    x, w = rng.standard_normal((1, 1, 5)), rng.standard_normal((1, 1, 2))
    f = lambda w: anp.sum(backend.conv1d(x, w) ** 3)  # noqa: E731
    first = lambda w: anp.sum(grad(f)(w))  # noqa: E731
    second = lambda w: anp.sum(grad(first)(w))  # noqa: E731
    windows = x[0, 0, :-1] + x[0, 0, 1:]
    assert np.allclose(grad(second)(w), 6 * np.array([windows**2 @ x[0, 0, :-1], windows**2 @ x[0, 0, 1:]]))


@pytest.mark.parametrize("mode", ["valid", "full", "same"])
@pytest.mark.parametrize(
    ("a", "b", "axes", "dot_axes"),
    [
        ((6, 5), (3, 2), None, ((), ())),
        ((3, 2), (6, 5), None, ((), ())),
        ((2, 3, 7, 8), (3, 4, 3, 2), ([2, 3], [2, 3]), ([1], [0])),
        ((2, 3, 4, 2), (3, 4, 5, 6), ([2, 3], [2, 3]), ([1], [0])),
        ((2, 5, 4, 3), (2, 4, 2, 3, 2), ([1, 2], [2, 4]), ([0, 3], [0, 3])),
        ((2, 8, 7), (2, 8, 6), ([1, 2], [1, 2]), ([0], [0])),
        ((5, 4), (3, 6), None, ((), ())),
        ((3, 5), (3, 4), ([], []), ([0], [0])),
        ((3, 2, 4, 2), (2, 2, 2, 2), None, ((), ())),
    ],
)
def test_convolve(mode: str, a: Any, b: Any, axes: Any, dot_axes: Any, rng: np.random.Generator) -> None:
    arrays = rng.standard_normal(a), rng.standard_normal(b)
    options = {"axes": axes, "dot_axes": dot_axes, "mode": mode}
    if axes is None and mode == "valid" and a == (5, 4):
        with backend.active(), pytest.raises(Exception, match="larger than the other"):
            convolve(*arrays, **options)
        return
    with backend.active(verify=True):
        convolve(*arrays, **options)
        if len(a) * len(b) < 20:
            check(lambda a, b: convolve(a, b, **options), *arrays)


def test_convolve_is_taken_over_where_it_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(backend, "_correlate", lambda *arguments: calls.append(1) or np.zeros((1, 1, 2)))
    with backend.active():
        convolve(np.ones(3), np.ones(2), mode="valid")
        convolve(np.ones(3), 1j * np.ones(2), mode="valid")
    convolve(np.ones(3), np.ones(2), mode="valid")
    assert len(calls) == 1


@pytest.mark.parametrize("maximum", [anp.max, anp.amax])
def test_max(maximum: Any, rng: np.random.Generator) -> None:
    x = rng.integers(0, 3, (4, 3, 6, 2)).astype(float)
    for options in [{"axis": 1}, {"axis": -1}, {"axis": (1, 2)}, {"axis": 2, "keepdims": True}, {}]:
        f = lambda x, options=options: maximum(x, **options) ** 3  # noqa: E731
        expected = f(x), elementwise_grad(f)(x), elementwise_grad(elementwise_grad(f))(x)
        with backend.active():
            found = f(x), elementwise_grad(f)(x), elementwise_grad(elementwise_grad(f))(x)
        for one, other in zip(found, expected, strict=True):
            assert np.allclose(one, other, rtol=1e-14)


def test_examples() -> None:
    assert doctest.testmod(backend).failed == 0
