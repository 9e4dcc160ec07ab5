"""Columns in every order: equal to the reference bit for bit, adjoint to each other, a factor of convolution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from comparison import same

from cnnfast import functional as F
from cnnfast import reference as R
from cnnfast.testing import integers

ORDERS = ("N CK O", "N C K O", "CK ON", "CK NO", "NO CK", "N O K C", "KC NO", "O N CK", "C NOK")
WINDOWS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 40), {"kernel_size": 3}),
    ((70, 1, 9), {"kernel_size": 2, "stride": 3, "padding": 1}),
    ((1, 2, 601), {"kernel_size": 5, "stride": 2, "dilation": 3, "padding": ((2, 7),)}),
    ((2, 3, 7, 9), {"kernel_size": (3, 2), "padding": "same"}),
    ((3, 70, 5, 4), {"kernel_size": 2, "stride": (2, 1), "padding": ((0, 1), (2, 0))}),
    ((66, 2, 6, 20), {"kernel_size": 1, "stride": 2}),
    ((2, 1, 1, 300), {"kernel_size": (1, 9), "padding": (0, 4)}),
    ((2, 3, 5, 6, 7), {"kernel_size": (2, 3, 2), "dilation": (2, 1, 1), "stride": (1, 2, 3), "padding": 1}),
    ((3, 33, 24, 25), {"kernel_size": 3, "padding": 1}),
    ((0, 3, 6, 6), {"kernel_size": 3}),
]


@pytest.mark.parametrize("order", ORDERS)
def test_columns_equal_the_reference(order: str, isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    for shape, named in WINDOWS:
        x = integers(rng, shape, dtype)
        columns = F.im2col(x, **named, order=order, pad_value=-3)
        same(columns, R.im2col(x, **named, order=order, pad_value=-3))
        y = integers(rng, columns.shape, dtype)
        same(F.col2im(y, shape, **named, order=order), R.col2im(y, shape, **named, order=order))


@pytest.mark.parametrize("order", ORDERS)
def test_col2im_is_the_adjoint_of_im2col(order: str, isa: int, rng: np.random.Generator) -> None:
    for shape, named in WINDOWS:
        x = integers(rng, shape, np.float64)
        columns = F.im2col(x, **named, order=order)
        y = integers(rng, columns.shape, np.float64)
        assert np.vdot(columns, y) == np.vdot(x, F.im2col_backward(y, shape, **named, order=order))
        same(F.col2im_backward(x, shape, **named, order=order), columns)


@pytest.mark.parametrize("other", ["?", "i1", "u2", "i4", ">i8", "f2", "F", "D", "g"])
@pytest.mark.parametrize("order", ORDERS)
def test_columns_of_any_dtype(order: str, other: str, rng: np.random.Generator) -> None:
    for shape, named in WINDOWS:
        x = integers(rng, shape, np.float64).astype(np.int8).astype(other)
        columns = F.im2col(x, **named, order=order, pad_value=1)
        wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
        as_double = R.im2col(wide, **named, order=order, pad_value=1)
        assert columns.dtype == x.dtype.newbyteorder("=")
        assert columns.flags.c_contiguous
        same(columns, as_double.astype(columns.dtype))
        same(F.col2im_backward(x, shape, **named, order=order), R.im2col(x, **named, order=order))
        image = F.col2im(columns, shape, **named, order=order)
        same(image, R.col2im(columns, shape, **named, order=order))
        same(F.im2col_backward(columns, shape, **named, order=order), image)


def test_integers_are_not_rounded_and_wrap() -> None:
    x = np.full((1, 1, 2), 2**62 + 1)
    assert F.im2col(x, 1, pad_value=2**62 + 3, padding=1).tolist() == [[[2**62 + 3, 2**62 + 1, 2**62 + 1, 2**62 + 3]]]
    assert F.col2im(np.full((1, 2, 2), 100, np.int8), (1, 1, 3), 2).tolist() == [[[100, -56, 100]]]
    assert F.col2im(np.full((1, 2, 2), True), (1, 1, 3), 2).tolist() == [[[True, True, True]]]
    assert F.col2im(np.full((1, 3, 1), 0.1, np.float16), (1, 1, 3), 3).dtype == np.float16


def test_out_of_another_dtype_than_the_kernels(rng: np.random.Generator) -> None:
    x = integers(rng, (2, 3, 5, 5), np.float32).astype(np.int32)
    spaced = np.zeros((2, 12, 32), np.int32)
    assert F.im2col(x, 2, out=spaced[..., ::2]).base is spaced
    same(spaced[..., ::2], F.im2col(x, 2))
    columns = F.im2col(x, 1, order="N C K O")
    image = columns.reshape(2, 3, 5, 5)
    same(F.col2im(columns, (2, 3, 5, 5), 1, order="N C K O", out=image), x)


def test_convolution_is_a_product_with_columns(dtype: Any, rng: np.random.Generator) -> None:
    x, w = integers(rng, (2, 3, 9, 10), dtype), integers(rng, (5, 3, 3, 2), dtype)
    named: Any = {"stride": (2, 1), "padding": 1, "dilation": (1, 2)}
    product = w.reshape(5, -1) @ F.im2col(x, (3, 2), **named)
    expected = F.conv2d(x, w, None, **named)
    same(product.reshape(expected.shape), expected)


def test_unfold_and_fold_with_and_without_a_batch(isa: int, threads: int, dtype: Any, rng: np.random.Generator) -> None:
    named: Any = {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0), "stride": 2}
    for shape in ((4, 3, 9, 10), (3, 9, 10), (0, 3, 9, 10)):
        x = integers(rng, shape, dtype)
        columns = F.unfold(x, **named)
        same(columns, R.unfold(x, **named))
        folded = F.fold(columns, (9, 10), **named)
        same(folded, R.fold(columns, (9, 10), **named))
        same(F.unfold_backward(columns, shape, **named), folded)
        same(F.fold_backward(x, (9, 10), **named), columns)


def test_out_may_be_strided_and_may_overlap(rng: np.random.Generator) -> None:
    x = integers(rng, (2, 3, 5, 5), np.float32)
    expected = F.im2col(x, 2)
    spaced = np.zeros((2, 12, 32), np.float32)
    assert F.im2col(x, 2, out=spaced[..., ::2]).base is spaced
    same(spaced[..., ::2], expected)
    assert not np.any(spaced[..., 1::2])
    image = F.im2col(x, 1, order="N C K O").reshape(2, 3, 25)
    same(F.col2im(image, (2, 3, 5, 5), 1, out=image.reshape(2, 3, 5, 5)), x)


@pytest.mark.parametrize(
    ("name", "arguments", "named", "error", "message"),
    [
        ("im2col", (np.ones((1, 2, 4, 4)), 2), {"order": "NCK"}, ValueError, "order is 'NCK'"),
        ("im2col", (np.ones((1, 2, 4, 4)), 2), {"order": 3}, ValueError, "order is 3"),
        ("im2col", (np.ones((1, 2, 4, 4)), 5), {}, ValueError, ""),
        ("im2col", (np.ones((4, 4)), 2), {}, ValueError, "input has shape"),
        ("im2col", (np.ones((1, 2, 4, 4)), 2), {"pad_value": "0"}, TypeError, "pad_value is '0'"),
        ("im2col", (np.full((1, 2, 4, 4), "a"), 2), {}, TypeError, "input is <U1"),
        ("im2col", (np.ones((1, 2, 4, 4), int), 2), {"pad_value": 0.5}, ValueError, "pad_value is 0.5"),
        ("im2col", (np.ones((1, 2, 4, 4), np.uint8), 2), {"pad_value": -1}, ValueError, "pad_value is -1"),
        ("im2col", (np.ones((1, 2, 4, 4), int), 2), {"pad_value": math.nan}, ValueError, "pad_value is nan"),
        ("im2col", (np.ones((1, 2, 4, 4), int), 2), {"out": np.ones((1, 8, 9))}, TypeError, "out is float64"),
        ("col2im", (np.full((1, 8, 9), None), (1, 2, 4, 4), 2), {}, TypeError, "columns is object"),
        ("col2im", (np.ones((1, 8, 8)), (1, 2, 4, 4), 2), {}, ValueError, "columns has shape"),
        ("im2col_backward", (np.ones((1, 8, 8)), (1, 2, 4, 4), 2), {}, ValueError, "grad_output has shape"),
        ("col2im_backward", (np.ones((1, 2, 4, 5)), (1, 2, 4, 4), 2), {}, ValueError, "grad_output has shape"),
        ("unfold", (np.ones((4, 4)), 2), {}, ValueError, "input has shape"),
        ("unfold", (np.ones((1, 2, 4, 4)), 5), {}, ValueError, ""),
        ("unfold_backward", (np.ones((1, 8, 8)), (1, 2, 4, 4), 2), {}, ValueError, "grad_output has shape"),
        ("fold", (np.ones((1, 8, 8)), (4, 4), 2), {}, ValueError, "input has shape"),
        ("fold", (np.ones((1, 9, 9)), (4, 4), 2), {}, ValueError, "input has shape"),
        ("fold_backward", (np.ones((1, 2, 4, 4)), (4, 5), 2), {}, ValueError, "grad_output has shape"),
    ],
)
def test_bad_arguments_are_refused(
    name: str, arguments: Any, named: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{name}: {message}"):
        getattr(F, name)(*arguments, **named)
