"""Bad calls: each is refused with the right exception and a message that names op, argument, expectation and value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import functional, reference
from cnnfast._geometry.convolution import conv

X = (1, 4, 8, 8)
W = (6, 4, 3, 3)

# op, shapes of its arrays, further arguments, exception, fragments of the message
CONVOLUTIONS: list[tuple[str, tuple[tuple[int, ...], ...], dict[str, Any], type[Exception], tuple[str, ...]]] = [
    ("conv2d", (X, W), {"stride": 0}, ValueError, ("stride is 0", "at least 1")),
    ("conv2d", (X, W), {"stride": (1, -1)}, ValueError, ("stride is -1", "at least 1")),
    ("conv2d", (X, W), {"stride": ()}, ValueError, ("stride is ()", "an int or 2 of them")),
    ("conv2d", (X, W), {"stride": [1, 2, 3]}, ValueError, ("stride is (1, 2, 3)", "an int or 2 of them")),
    ("conv2d", (X, W), {"stride": 1.0}, TypeError, ("stride is 1.0", "an int")),
    ("conv2d", (X, W), {"stride": True}, TypeError, ("stride is True", "an int")),
    ("conv2d", (X, W), {"stride": None}, TypeError, ("stride is None", "an int")),
    ("conv2d", (X, W), {"stride": np.array([1, 2])}, TypeError, ("stride is array([1, 2])", "an int")),
    ("conv2d", (X, W), {"stride": 2**31}, ValueError, ("stride is 2147483648", "at most 2147483647")),
    ("conv2d", (X, W), {"dilation": 0}, ValueError, ("dilation is 0", "at least 1")),
    ("conv2d", (X, W), {"dilation": 4}, ValueError, ("spans 9 points", "padded input has 8", "kernel to fit")),
    ("conv2d", (X, W), {"groups": 0}, ValueError, ("groups is 0", "at least 1")),
    ("conv2d", (X, W), {"groups": [1]}, TypeError, ("groups is (1,)", "an int")),
    ("conv2d", (X, W), {"groups": 4}, ValueError, ("weight has shape (6, 4, 3, 3)", "multiple of 4 groups")),
    ("conv2d", (X, W), {"groups": 2}, ValueError, ("4 input channels per group", "weight.shape[1] == 2")),
    ("conv2d", (X, W), {"padding": -1}, ValueError, ("padding is -1", "at least 0")),
    ("conv2d", (X, W), {"padding": "SAME"}, ValueError, ("padding is 'SAME'", "'same', 'valid' or ints")),
    ("conv2d", (X, W), {"padding": ((1, 1), (1,))}, ValueError, ("padding is ((1, 1), (1,))", "2 pairs")),
    ("conv2d", (X, W), {"padding": ((1, 1), 1)}, ValueError, ("padding is ((1, 1), 1)", "2 pairs")),
    ("conv2d", (X, W), {"padding": 2**31 - 1}, ValueError, ("over 2**62 elements",)),
    ("conv2d", ((8, 8), W), {}, ValueError, ("input has 2 dimensions", "4, or 3 without a batch")),
    ("conv2d", (X, (6, 4, 3)), {}, ValueError, ("weight has 3 dimensions", "expected 4")),
    ("conv2d", (X, (0, 4, 3, 3)), {}, ValueError, ("weight has shape (0, 4, 3, 3)", "no empty axis")),
    ("conv2d", ((1, 4, 0, 8), W), {"padding": 2}, ValueError, ("input has shape (1, 4, 0, 8)", "only the batch")),
    ("conv2d", (X, W, (6, 1)), {}, ValueError, ("bias has shape (6, 1)", "expected (6,)")),
    ("conv_transpose2d", (X, (6, 4, 3, 3)), {}, ValueError, ("input has 4 channels", "weight.shape[0] == 4")),
    ("conv_transpose2d", (X, (4, 6, 3, 3)), {"padding": "same"}, TypeError, ("padding is 'same'", "ints")),
    ("conv_transpose2d", (X, (4, 6, 3, 3)), {"padding": 6}, ValueError, ("padding is 6", "(-2, -2)", "above 0")),
    ("conv_transpose2d", (X, (4, 6, 3, 3)), {"output_padding": 1}, ValueError, ("(1, 1)", "less than stride")),
    ("conv_transpose2d", (X, (4, 6, 3, 3)), {"stride": 2**31 - 1}, ValueError, ("over 2**62 elements",)),
]

POOLS: list[tuple[str, tuple[int, ...], dict[str, Any], type[Exception], tuple[str, ...]]] = [
    ("max_pool2d", X, {"kernel_size": 0}, ValueError, ("kernel_size is 0", "at least 1")),
    ("max_pool2d", X, {"kernel_size": None}, TypeError, ("kernel_size is None", "an int")),
    ("max_pool2d", X, {"kernel_size": 2, "stride": 0}, ValueError, ("stride is 0", "at least 1")),
    ("max_pool2d", X, {"kernel_size": 9}, ValueError, ("output would have size (0, 0)", "at least 1")),
    ("max_pool2d", X, {"kernel_size": 3, "padding": 2}, ValueError, ("padding is 2", "half of kernel_size (3, 3)")),
    ("max_pool2d", X, {"kernel_size": 3, "padding": 2, "dilation": 2}, ValueError, ("at most half of kernel_size",)),
    ("max_pool2d", X, {"kernel_size": 3, "padding": ((0, 2), (0, 0))}, ValueError, ("at most half of kernel_size",)),
    ("max_pool2d", X, {"kernel_size": 3, "padding": "same"}, TypeError, ("padding is 'same'", "ints")),
    ("max_pool2d", X, {"kernel_size": 2, "ceil_mode": 1}, TypeError, ("ceil_mode is 1", "a bool")),
    ("max_pool2d", (2, 0, 8, 8), {"kernel_size": 2}, ValueError, ("input has shape (2, 0, 8, 8)", "only the batch")),
    ("avg_pool2d", X, {"kernel_size": 2, "count_include_pad": 0}, TypeError, ("count_include_pad is 0", "a bool")),
    ("avg_pool2d", X, {"kernel_size": 2, "divisor_override": 0}, ValueError, ("divisor_override is 0",)),
    ("avg_pool2d", X, {"kernel_size": 2, "divisor_override": 2.0}, TypeError, ("divisor_override is 2.0", "an int")),
    ("adaptive_avg_pool2d", X, {"output_size": (1, 2, 3)}, ValueError, ("output_size is (1, 2, 3)", "an int or 2")),
    ("adaptive_avg_pool2d", X, {"output_size": -1}, ValueError, ("output_size is -1", "at least 0")),
    ("adaptive_avg_pool2d", X, {"output_size": None}, TypeError, ("output_size is None", "an int or 2")),
    ("adaptive_max_pool2d", X, {"output_size": 2**31}, ValueError, ("over 2**62 elements",)),
    ("adaptive_max_pool2d", (2, 0, 8, 8), {"output_size": 2}, ValueError, ("input has shape (2, 0, 8, 8)",)),
]


def refused(module: Any, op: str, arrays: list[Any], named: dict[str, Any], kind: type[Exception]) -> str:
    with pytest.raises(kind, match=f"^{op}: ") as error:
        getattr(module, op)(*arrays, **named)
    return str(error.value)


@pytest.mark.parametrize("module", [functional, reference], ids=["functional", "reference"])
@pytest.mark.parametrize(("op", "shapes", "named", "kind", "fragments"), CONVOLUTIONS)
def test_convolution_refuses(
    module: Any,
    op: str,
    shapes: tuple[tuple[int, ...], ...],
    named: dict[str, Any],
    kind: type[Exception],
    fragments: tuple[str, ...],
) -> None:
    message = refused(module, op, [np.zeros(shape, np.float32) for shape in shapes], named, kind)
    assert all(fragment in message for fragment in fragments), message


@pytest.mark.parametrize("module", [functional, reference], ids=["functional", "reference"])
@pytest.mark.parametrize(("op", "shape", "named", "kind", "fragments"), POOLS)
def test_pooling_refuses(
    module: Any,
    op: str,
    shape: tuple[int, ...],
    named: dict[str, Any],
    kind: type[Exception],
    fragments: tuple[str, ...],
) -> None:
    message = refused(module, op, [np.zeros(shape, np.float32)], named, kind)
    assert all(fragment in message for fragment in fragments), message


UNPOOLS: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (0, {"kernel_size": 0}, ValueError, "kernel_size is 0 "),
    (0, {"kernel_size": 2, "output_size": 8}, TypeError, "output_size is 8 "),
    (0, {"kernel_size": 2, "output_size": (8,)}, ValueError, r"output_size is \(8,\)"),
    (0, {"kernel_size": 2, "output_size": (6, 8)}, ValueError, r"less than \(2, 2\) away from \(8, 8\)"),
    (0, {"kernel_size": 2, "output_size": (8.0, 8)}, TypeError, "output_size is 8.0 "),
    (-1, {"kernel_size": 2}, ValueError, "indices"),
    (64, {"kernel_size": 2}, ValueError, "indices"),
    (0.5, {"kernel_size": 2}, TypeError, "indices is float64"),
]


@pytest.mark.parametrize("module", [functional, reference], ids=["functional", "reference"])
@pytest.mark.parametrize(("index", "named", "kind", "message"), UNPOOLS)
def test_unpooling_refuses(module: Any, index: Any, named: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=f"^max_unpool2d: .*{message}"):
        module.max_unpool2d(np.zeros((1, 2, 4, 4)), np.full((1, 2, 4, 4), index), **named)


@pytest.mark.parametrize(
    ("padding", "stride", "expected"),
    [
        ("same", 1, ((2, 1), (2, 2), 10)),
        ("same", 3, ((2, 1), (2, 2), 4)),
        ("valid", 1, ((0, 0), (0, 0), 6)),
        (((1, 2), (0, 3)), 1, ((1, 0), (2, 3), 9)),
        ([[1, 2], [0, 3]], [1, 1], ((1, 0), (2, 3), 9)),
        (((1, 2),), 2, ((1, 1), (2, 2), 5)),
    ],
)
def test_forms_of_padding(padding: Any, stride: Any, expected: Any) -> None:
    p = conv("conv2d", 2, (1, 1, 10, 10), (1, 1, 5, 4), None, stride, padding, 1, 1)
    assert (p.pad_lo, p.pad_hi, p.output[0]) == expected


def test_lists_and_errors_after_a_cached_call() -> None:
    x, w = np.zeros(X), np.zeros(W)
    for allowed in (2, [2, 2], (np.int64(2),)):
        assert functional.conv2d(x, w, None, allowed).shape == (1, 6, 3, 3)
    for stride in (2.0, np.bool_(True)):
        with pytest.raises(TypeError, match="expected an int"):
            functional.conv2d(x, w, None, stride)
