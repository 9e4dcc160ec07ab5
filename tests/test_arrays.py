"""Arrays as people hold them: strides of every kind, `out`, dtypes, and inputs that must stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F
from cnnfast.testing import integers

OPS: dict[str, Any] = {
    "conv2d": lambda x, **k: F.conv2d(x, np.ones((3, 4, 3, 3), x.dtype.newbyteorder("=")), **k),
    "conv_transpose2d": lambda x, **k: F.conv_transpose2d(x, np.ones((4, 3, 3, 3), x.dtype.newbyteorder("=")), **k),
    "max_pool2d": lambda x, **k: F.max_pool2d(x, 2, **k),
    "avg_pool2d": lambda x, **k: F.avg_pool2d(x, 2, **k),
    "adaptive_avg_pool2d": lambda x, **k: F.adaptive_avg_pool2d(x, 3, **k),
    "linear": lambda x, **k: F.linear(x, np.ones((5, 8), x.dtype.newbyteorder("=")), **k),
    "relu": F.relu,
    "softmax": lambda x, **k: F.softmax(x, 1, **k),
    "batch_norm": lambda x, **k: F.batch_norm(x, None, None, training=True, **k),
}


def misaligned(x: Any) -> Any:
    raw = np.zeros(x.nbytes + 1, np.uint8)
    view = raw[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def read_only(x: Any) -> Any:
    view = x.view()
    view.flags.writeable = False
    return view


LAYOUTS: dict[str, Any] = {
    "fortran": np.asfortranarray,
    "channels last": lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "reversed": lambda x: np.ascontiguousarray(x[:, ::-1, ::-1])[:, ::-1, ::-1],
    "every second": lambda x: np.repeat(x, 2, axis=3)[..., ::2],
    "misaligned": misaligned,
    "read-only": read_only,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder("S")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OPS)
def test_layout_of_the_input_does_not_matter(name: str, layout: str, dtype: Any, rng: np.random.Generator) -> None:
    x = integers(rng, (2, 4, 8, 8), dtype)
    before = x.copy()
    assert np.array_equal(OPS[name](LAYOUTS[layout](x)), OPS[name](x))
    assert np.array_equal(x, before)


@pytest.mark.parametrize("name", OPS)
def test_out_receives_the_result(name: str, rng: np.random.Generator) -> None:
    x = integers(rng, (2, 4, 8, 8), np.float32)
    expected = OPS[name](x)
    plain = np.full_like(expected, np.nan)
    assert OPS[name](x, out=plain) is plain
    assert np.array_equal(plain, expected)
    spaced = np.full((*expected.shape[:-1], 2 * expected.shape[-1]), np.float32(7))
    OPS[name](x, out=spaced[..., ::2])
    assert np.array_equal(spaced[..., ::2], expected)
    assert np.all(spaced[..., 1::2] == 7)


@pytest.mark.parametrize("name", ["relu", "softmax", "batch_norm"])
def test_out_may_be_the_input(name: str, rng: np.random.Generator) -> None:
    x = integers(rng, (2, 4, 8, 8), np.float32)
    expected = OPS[name](x)
    OPS[name](x, out=x)
    assert np.array_equal(x, expected)


@pytest.mark.parametrize("name", OPS)
def test_nothing_is_written_around_out(name: str, isa: int, rng: np.random.Generator) -> None:
    x = integers(rng, (2, 4, 8, 8), np.float32)
    expected = OPS[name](x)
    ring = np.full(expected.size + 64, np.float32(-77))
    OPS[name](x, out=ring[32:-32].reshape(expected.shape))
    assert np.all(ring[:32] == -77)
    assert np.all(ring[-32:] == -77)


@pytest.mark.parametrize("name", OPS)
def test_wrong_out_is_refused_before_anything_is_written(name: str) -> None:
    x = np.ones((2, 4, 8, 8), np.float32)
    shape = OPS[name](x).shape
    for out, error in [
        (np.zeros(shape, np.float64), TypeError),
        (np.zeros((*shape, 1), np.float32), ValueError),
        ([0.0], TypeError),
        (read_only(np.zeros(shape, np.float32)), ValueError),
    ]:
        with pytest.raises(error, match=f"^{name}: out "):
            OPS[name](x, out=out)
        assert not np.any(out)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.complex64, bool, object])
def test_other_dtypes_are_refused(name: str, dtype: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}: \w+ is \w+ \(expected float32 or float64\)"):
        OPS[name](np.ones((2, 4, 8, 8), dtype))


def test_dtypes_that_differ_are_refused() -> None:
    with pytest.raises(TypeError, match=r"conv2d: weight is float64, input is float32"):
        F.conv2d(np.ones((1, 1, 4, 4), np.float32), np.ones((1, 1, 3, 3)))


@pytest.mark.parametrize("name", sorted(OPS.keys() - {"batch_norm"}))
def test_empty_batch(name: str) -> None:
    assert OPS[name](np.ones((0, 4, 8, 8), np.float32)).shape[0] == 0


def test_batch_norm_of_nothing() -> None:
    assert F.batch_norm(np.ones((0, 4, 8), np.float32), None, None, training=True).shape == (0, 4, 8)


def test_lists_are_arrays() -> None:
    assert F.conv1d([[[1.0, 2.0, 3.0]]], [[[1.0, 1.0]]]).tolist() == [[[3.0, 5.0]]]
