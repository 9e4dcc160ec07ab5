"""DeZero's convolutions and pools are the same on our kernels as on its own, to the second derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

vars(np).setdefault("int", int)  # DeZero 0.0.13 uses a name that NumPy 1.24 took away
dezero = pytest.importorskip("dezero")
import dezero.functions as DF  # noqa: E402
import dezero.functions_conv as C  # noqa: E402

from cnnfast.backends import dlfs  # noqa: E402


def run(f: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """Value, gradients, and gradients of the squares of the first: DeZero cannot differentiate those of weights."""
    inputs = [dezero.Variable(array.copy()) for array in arrays]
    y = f(*inputs)
    DF.sum(y * y).backward(create_graph=True)
    first = [x.grad for x in inputs]
    for x in inputs:
        x.cleargrad()
    DF.sum(first[0] * first[0]).backward()
    return [v.data for v in (y, *first, *(x.grad for x in inputs)) if v is not None]


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (lambda x, w, b: C.conv2d(x, w, b, 1, 0), ((2, 3, 6, 5), (4, 3, 3, 2), (4,))),
        (lambda x, w: C.conv2d(x, w, None, (2, 1), (1, 0)), ((2, 3, 7, 5), (4, 3, 3, 2))),
        (lambda x, w, b: C.deconv2d(x, w, b, 2, 1), ((2, 3, 4, 5), (3, 2, 3, 4), (2,))),
        (lambda x, w: C.deconv2d(x, w, None, 2, 0, (8, 10)), ((2, 3, 3, 4), (3, 2, 3, 3))),
        (lambda x: C.pooling(x, 2, 2), ((2, 3, 6, 7),)),
        (lambda x: C.pooling(x, 3, 2, 1), ((2, 3, 6, 7),)),
    ],
)
def test_to_the_second_derivative(f: Any, shapes: Any, rng: np.random.Generator) -> None:
    arrays = [rng.standard_normal(shape) for shape in shapes]
    theirs = run(f, *arrays)
    with dlfs.active():
        ours = run(f, *arrays)
    with dlfs.active(verify=True):
        run(f, *arrays)
    for one, other in zip(ours, theirs, strict=True):
        assert np.allclose(one, other, rtol=1e-12, atol=1e-10)


def test_average_pooling(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 6, 7)).astype(np.float32)
    expected = C.average_pooling(x, 2, 2, 1).data
    with dlfs.active(verify=True):
        found = C.average_pooling(x, 2, 2, 1).data
    assert found.dtype == expected.dtype
    assert np.allclose(found, expected, atol=1e-6)


def test_ours_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlfs, "alike", lambda *arrays: 1 / 0)
    with dlfs.active(), pytest.raises(ZeroDivisionError):
        C.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
