"""MyGrad's conv_nd and max_pool are the same on our kernels as on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

mygrad = pytest.importorskip("mygrad")
from mygrad.nnet import conv_nd, max_pool  # noqa: E402

from cnnfast.backends import mygrad as backend  # noqa: E402


def both(f: Any, *arrays: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(Value and gradients with our kernels, the same with theirs)."""

    def run() -> list[np.ndarray]:
        tensors = [mygrad.tensor(array) for array in arrays]
        y = f(*tensors)
        (y * np.arange(y.size).reshape(y.shape)).sum().backward()
        return [y.data, *(tensor.grad for tensor in tensors)]

    with backend.active():
        ours = run()
    return ours, run()


CONVOLUTIONS = [
    ((2, 3, 9), (4, 3, 3), {"stride": 2, "padding": 1}),
    ((2, 3, 6, 5), (4, 3, 3, 2), {"stride": 1}),
    ((1, 2, 8, 7), (3, 2, 2, 3), {"stride": (1, 2), "padding": (0, 1), "dilation": (3, 1)}),
    ((1, 2, 4, 5, 3), (2, 2, 2, 2, 2), {"stride": 1}),
    ((1, 1, 3, 3, 3, 3), (1, 1, 2, 2, 2, 2), {"stride": 1}),
]


@pytest.mark.parametrize(("x", "w", "options"), CONVOLUTIONS)
@pytest.mark.parametrize("other", [np.float32, np.float64, np.int64])
def test_conv(x: Any, w: Any, options: Any, other: Any, rng: np.random.Generator, exact: None) -> None:
    arrays = rng.integers(-3, 4, x).astype(float), rng.integers(-3, 4, w).astype(other)
    if other is np.int64:
        arrays = arrays[0], arrays[1].astype(float)
    ours, theirs = both(lambda x, w: conv_nd(x, w, **options), *arrays)
    for one, other_one in zip(ours, theirs, strict=True):
        assert one.dtype == other_one.dtype
        assert np.array_equal(one, other_one)


@pytest.mark.parametrize(
    ("x", "pool", "stride"),
    [((6,), (2,), 2), ((3, 7), (3,), 2), ((2, 3, 6, 5), (2, 3), (2, 1)), ((4, 5, 3), (2, 2, 2), 1)],
)
def test_max_pool(x: Any, pool: Any, stride: Any, rng: np.random.Generator) -> None:
    ours, theirs = both(lambda x: max_pool(x, pool, stride), rng.integers(0, 3, x).astype(float))
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.filterwarnings("error")  # what a finalizer raises is a warning
def test_large_results_can_be_locked(rng: np.random.Generator) -> None:
    arrays = rng.standard_normal((8, 8, 32, 32)), rng.standard_normal((16, 8, 3, 3))
    ours, theirs = both(lambda x, w: max_pool(conv_nd(x, w, stride=1, padding=1), (2, 2), 2), *arrays)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, 1e-9, 1e-9 * abs(other).max())


def test_windows_that_do_not_tile_are_refused() -> None:
    with backend.active():
        with pytest.raises(ValueError, match="incompatible"):
            conv_nd(mygrad.ones((1, 1, 6)), mygrad.ones((1, 1, 3)), stride=2)
        with pytest.raises(ValueError, match="incompatible"):
            max_pool(mygrad.ones((6,)), (3,), 2)


def test_ours_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(backend, "alike", lambda *arrays: calls.append(1) or list(arrays))
    with backend.active(verify=True):
        conv_nd(mygrad.ones((1, 1, 6)), mygrad.ones((1, 1, 3)), stride=1).sum().backward()
        max_pool(mygrad.ones((6,)), (3,), 1).sum().backward()
    assert len(calls) == 5
