"""The reference by itself: cases worked by hand, exact adjoints of linear ops, central differences of the others."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F
from cnnfast import reference as R
from cnnfast.reference.dropout import philox

Array = np.ndarray[Any, Any]
EXTENTS = {1: (8,), 2: (8, 6), 3: (8, 6, 4)}
ORDERS = ["N CK O", "CK ON", "CK NO", "NO CK", "N C K O", "N O K C", "NCKO"]


def integers(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(-8, 9, shape).astype(np.float64)


def inner(a: Array, b: Array) -> float:
    assert a.shape == b.shape
    return float(np.sum(a * b))


@pytest.mark.parametrize("name", sorted(name for name in vars(F) if inspect.isfunction(getattr(F, name))))
def test_functional_and_reference_have_one_signature(name: str) -> None:
    ours, definition = (inspect.signature(getattr(module, name)).parameters for module in (F, R))
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in definition.values()
    ]


BY_HAND: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("conv1d", ([[1.0, 2, 3]], [[[1.0, -1]]], [10.0]), {}, [[9, 9]]),
    ("conv1d", ([[1.0, 2, 3]], [[[1.0, -1]]]), {"padding": ((2, 0),), "stride": 2}, [[0, -1]]),
    ("conv1d", ([[1.0, 2, 3, 4]], [[[1.0, 10, 100]]]), {"padding": "same", "stride": 2}, [[321, 43]]),
    ("conv1d", ([[1.0, 2], [3, 4]], [[[1.0]], [[10.0]]]), {"groups": 2}, [[1, 2], [30, 40]]),
    (
        "conv_transpose1d",
        ([[1.0, 2]], [[[1.0, 10, 100]]]),
        {"stride": 2, "output_padding": 1},
        [[1, 10, 102, 20, 200, 0]],
    ),
    ("conv_transpose1d", ([[1.0, 2]], [[[1.0, 10, 100]]], [0.5]), {"padding": 1}, [[12.5, 120.5]]),
    ("max_pool1d", ([[1.0, 3, 3, -1, 2]], 2), {"ceil_mode": True, "return_indices": True}, ([[3, 3, 2]], [[1, 2, 4]])),
    ("max_pool1d", ([[np.nan, 3, np.nan, 4]], 3, 1), {"return_indices": True}, ([[np.nan] * 2], [[2, 2]])),
    ("max_pool1d", ([[-np.inf, -np.inf]], 2), {"return_indices": True}, ([[-np.inf]], [[0]])),
    ("max_pool1d", ([[5.0, 1, 2, 4]], 2, 1, 1, 3), {}, [[2, 5, 1]]),
    ("avg_pool1d", ([[1.0, 3, 5]], 2, 2, 1), {}, [[0.5, 4]]),
    ("avg_pool1d", ([[1.0, 3, 5]], 2, 2, 1), {"count_include_pad": False}, [[1, 4]]),
    ("avg_pool1d", ([[1.0, 3, 5]], 2), {"ceil_mode": True}, [[2, 5]]),
    ("avg_pool2d", ([[[1.0, 2], [3, 6]]], 2), {"divisor_override": -3}, [[[-4]]]),
    ("adaptive_avg_pool1d", ([[1.0, 2, 6]], 2), {}, [[1.5, 4]]),
    ("adaptive_max_pool1d", ([[1.0, 2, 6]], 2), {"return_indices": True}, ([[2, 6]], [[1, 2]])),
    ("adaptive_avg_pool2d", ([[[1.0, 2], [3, 6]]], (None, 1)), {}, [[[1.5], [4.5]]]),
    ("lp_pool1d", ([[3.0, 4, 6, 8]], 2, 2), {}, [[5, 10]]),
    ("lp_pool1d", ([[3.0, -4, 6, 8]], np.inf, 2), {}, [[4, 8]]),
    ("max_unpool1d", ([[5.0, 6]], [[1, 2]], 2), {}, [[0, 5, 6, 0]]),
    ("unfold", ([[[1.0, 2, 3], [4, 5, 6]]], 2), {}, [[1, 2], [2, 3], [4, 5], [5, 6]]),
    ("fold", ([[1.0, 2], [2, 3], [4, 5], [5, 6]], (2, 3), 2), {}, [[[1, 4, 3], [4, 10, 6]]]),
    ("linear", ([[1.0, 2]], [[3.0, 4], [5, 6]], [0.0, 1]), {}, [[11, 18]]),
    ("batch_norm", ([[1.0], [3.0]], None, None, [2.0], [1.0]), {"training": True, "eps": 0.0}, [[-1], [3]]),
    ("layer_norm", ([[1.0, 3], [5, 5]], [2]), {"eps": 0.25}, [[-1 / 1.25**0.5, 1 / 1.25**0.5], [0, 0]]),
    ("group_norm", ([[[1.0, 3], [5, 7]]], 2), {"eps": 0.0}, [[[-1, 1], [-1, 1]]]),
    ("instance_norm", ([[[1.0, 3], [5, 9]]],), {"eps": 0.0}, [[[-1, 1], [-1, 1]]]),
    ("local_response_norm", ([[[1.0], [2], [3]]], 2), {"alpha": 2, "beta": 1, "k": 1}, [[[0.5], [1 / 3], [3 / 14]]]),
    ("softmax", ([0.0, 0.0, -np.inf], 0), {}, [0.5, 0.5, 0]),
    ("log_softmax", ([1e4, 0.0], 0), {}, [0, -1e4]),
    ("cross_entropy", ([[0.0, 0.0], [0, 0]], [1, -100]), {"reduction": "none"}, [np.log(2), 0]),
    ("cross_entropy", ([[0.0, 0.0], [1e3, 0]], [1, 0], [1.0, 3]), {}, 0.75 * np.log(2)),
    ("cross_entropy", ([0.0, -np.inf], 0), {}, 0),
    ("prelu", ([[-2.0, -2], [3, 0]], [0.5, 2]), {}, [[-1, -4], [3, 0]]),
    ("hardswish", ([-4.0, -1, 1, 5],), {}, [0, -1 / 3, 2 / 3, 5]),
]


@pytest.mark.parametrize(("name", "arrays", "arguments", "expected"), BY_HAND)
def test_by_hand(name: str, arrays: tuple[Any, ...], arguments: dict[str, Any], expected: Any, dtype: Any) -> None:
    cast = [np.asarray(a, dtype) if isinstance(a, list) and np.asarray(a).dtype.kind == "f" else a for a in arrays]
    got = getattr(R, name)(*cast, **arguments)
    pairs = list(zip(got, expected, strict=True)) if isinstance(got, tuple) else [(got, expected)]
    for value, wanted in pairs:
        np.testing.assert_allclose(value, wanted, rtol=1e-6, atol=1e-12)
        assert value.shape == np.shape(wanted)
        assert value.dtype in (dtype, np.int64)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", [1, "same", ((2, 0),)])
def test_convolution_and_its_gradients_are_adjoints(rank: int, padding: Any, rng: np.random.Generator) -> None:
    arguments = {"stride": (2, 1, 3)[:rank], "padding": padding, "dilation": (1, 2, 1)[:rank], "groups": 2}
    x, w = integers(rng, 2, 4, *EXTENTS[rank]), integers(rng, 6, 2, *(3, 2, 2)[:rank])
    conv, backward = getattr(R, f"conv{rank}d"), getattr(R, f"conv{rank}d_backward")
    y = conv(x, w, **arguments)
    dy = integers(rng, *y.shape)
    dx, dw, db = backward(dy, x, w, **arguments)
    assert inner(y, dy) == inner(x, dx) == inner(w, dw)
    assert np.array_equal(db, dy.sum(axis=(0, *range(2, rank + 2))))
    assert np.array_equal(getattr(R, f"conv{rank}d_input")(x.shape, w, dy, **arguments), dx)
    assert np.array_equal(getattr(R, f"conv{rank}d_weight")(x, w.shape, dy, **arguments), dw)
    assert np.array_equal(conv(x[1], w, **arguments), y[1])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution_is_the_adjoint_of_convolution(rank: int, rng: np.random.Generator) -> None:
    arguments = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    y, w = integers(rng, 2, 6, *(4, 3, 2)[:rank]), integers(rng, 6, 2, *(3, 2, 3)[:rank])
    x = getattr(R, f"conv_transpose{rank}d")(y, w, **arguments, output_padding=1)
    dx = integers(rng, *x.shape)
    assert inner(x, dx) == inner(y, getattr(R, f"conv{rank}d")(dx, w, **arguments))
    dy, dw, db = getattr(R, f"conv_transpose{rank}d_backward")(dx, y, w, **arguments, output_padding=1)
    assert inner(x, dx) == inner(y, dy) == inner(w, dw)
    assert np.array_equal(db, dx.sum(axis=(0, *range(2, rank + 2))))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pools_and_their_gradients_are_adjoints(rank: int, rng: np.random.Generator) -> None:
    x = integers(rng, 2, 3, *EXTENTS[rank])

    def check(name: str, arguments: dict[str, Any], with_indices: bool = False) -> None:
        extra = {"return_indices": True} if with_indices else {}
        found = getattr(R, f"{name}{rank}d")(x, **arguments, **extra)
        y, indices = (found[0], found[1:]) if with_indices else (found, ())
        dy = integers(rng, *y.shape)
        dx = getattr(R, f"{name}{rank}d_backward")(dy, *indices, x.shape, **arguments)
        assert inner(y, dy) == inner(x, dx)

    windows = {"kernel_size": 4, "stride": (3, 2, 1)[:rank], "padding": 2, "ceil_mode": True}
    check("max_pool", windows | {"dilation": (1, 2, 1)[:rank]}, with_indices=True)
    check("avg_pool", windows | {"kernel_size": 2, "padding": 1})
    check("avg_pool", windows | {"divisor_override": 8})
    check("adaptive_max_pool", {"output_size": (3, 4, 5)[:rank]}, with_indices=True)
    check("adaptive_avg_pool", {"output_size": (4, 3, None)[:rank]})


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling_and_its_gradient_are_adjoints(rank: int, rng: np.random.Generator) -> None:
    x = integers(rng, 2, 3, *EXTENTS[rank])
    y, indices = getattr(R, f"max_pool{rank}d")(x, 2, return_indices=True)
    back = getattr(R, f"max_unpool{rank}d")(y, indices, 2, output_size=x.shape)
    assert inner(back, np.ones_like(x)) == y.sum()
    dy = integers(rng, *x.shape)
    assert inner(back, dy) == inner(y, getattr(R, f"max_unpool{rank}d_backward")(dy, indices, 2, output_size=x.shape))


def test_unfold_and_fold_are_adjoints(rng: np.random.Generator) -> None:
    arguments = {"kernel_size": (3, 2), "dilation": (1, 2), "padding": 1, "stride": (2, 1)}
    x = integers(rng, 2, 3, 6, 5)
    y = R.unfold(x, **arguments)
    dy = integers(rng, *y.shape)
    assert (
        inner(y, dy)
        == inner(x, R.fold(dy, (6, 5), **arguments))
        == inner(x, R.unfold_backward(dy, x.shape, **arguments))
    )
    assert np.array_equal(R.fold_backward(x, (6, 5), **arguments), y)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_columns_in_any_order(order: str, rank: int, rng: np.random.Generator) -> None:
    arguments = {"kernel_size": 2, "stride": (2, 1, 2)[:rank], "padding": ((1, 0),), "order": order}
    x = integers(rng, 2, 3, *EXTENTS[rank])
    y = R.im2col(x, **arguments)
    dy = integers(rng, *y.shape)
    assert inner(y, dy) == inner(x, R.col2im(dy, x.shape, **arguments))
    assert np.array_equal(R.im2col_backward(dy, x.shape, **arguments), R.col2im(dy, x.shape, **arguments))
    assert np.array_equal(R.col2im_backward(x, x.shape, **arguments), y)
    assert y.ndim == len(order.split())
    points = R.im2col(x, **arguments | {"order": "N C K O"})
    letters = order.replace(" ", "")
    assert np.array_equal(y.reshape(-1), points.transpose(["NCKO".index(a) for a in letters]).reshape(-1))


def test_linear_and_its_gradients_are_adjoints(rng: np.random.Generator) -> None:
    for lead in [(), (5,), (2, 0), (2, 3)]:
        x, w = integers(rng, *lead, 4), integers(rng, 3, 4)
        y = R.linear(x, w)
        dy = integers(rng, *y.shape)
        dx, dw, db = R.linear_backward(dy, x, w)
        assert inner(y, dy) == inner(x, dx) == inner(w, dw)
        assert np.array_equal(db, dy.sum(axis=tuple(range(len(lead)))))


def test_philox_is_that_of_its_authors() -> None:
    """The first words of counter 0 under key 0, from the known answers of Random123."""
    words = philox(0, np.zeros(1, np.uint64))[0]
    assert words.tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("p", [0.0, 0.25, 0.5, 1.0])
def test_dropout_keeps_the_mean_and_its_gradient_the_mask(p: float) -> None:
    x = np.ones(40000)
    y = R.dropout(x, p, seed=2**40 + 3)
    assert set(np.unique(y)) <= {0.0, 1 / (1 - p) if p < 1 else 0.0}
    # the share that is dropped has standard deviation sqrt(p (1 - p) / n)
    assert abs(np.mean(y == 0) - p) <= 5 * (p * (1 - p) / x.size) ** 0.5
    assert np.array_equal(R.dropout_backward(x, p, 2**40 + 3), y)
    assert np.array_equal(R.dropout(x, p, training=False), x)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_dropout_of_planes_draws_as_dropout_of_elements(rank: int) -> None:
    shape = (5, 7, *EXTENTS[rank])
    planes = R.dropout(np.ones((5, 7)), 0.5, seed=9)
    got = getattr(R, f"dropout{rank}d")(np.ones(shape), 0.5, seed=9)
    assert np.array_equal(got, np.broadcast_to(planes.reshape(5, 7, *(1,) * rank), shape))
    assert np.array_equal(getattr(R, f"dropout{rank}d_backward")(np.ones(shape), 0.5, 9), got)


def central_difference(function: Callable[..., Array], arrays: list[Array], which: int, dy: Array) -> Array:
    """d <function(arrays), dy> / d arrays[which]; h balances the error of rounding, eps / h, against that of h**2."""
    gradient, h = np.empty_like(arrays[which]), float(np.finfo(np.float64).eps ** (1 / 3))
    for place in np.ndindex(gradient.shape):
        values = []
        for step in (h, -h):
            moved = [a.copy() for a in arrays]
            moved[which][place] += step
            values.append(np.sum(function(*moved) * dy))
        gradient[place] = (values[0] - values[1]) / (2 * h)
    return gradient


def check_gradients(function: Any, backward: Any, arrays: list[Array], rng: np.random.Generator) -> None:
    """`backward(dy)` gives the gradients of `function` with respect to the first of its arrays."""
    dy = rng.standard_normal(np.shape(function(*arrays)))
    found = backward(dy)
    for which, gradient in enumerate(found if isinstance(found, tuple) else (found,)):
        np.testing.assert_allclose(gradient, central_difference(function, arrays, which, dy), rtol=1e-6, atol=1e-8)


ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in ("relu", "relu6", "sigmoid", "hardsigmoid", "hardswish", "tanh", "silu")),
    ("leaky_relu", {"negative_slope": -0.3}),
    ("hardtanh", {"min_val": -2, "max_val": 0.5}),
    ("gelu", {"approximate": "none"}),
    ("gelu", {"approximate": "tanh"}),
]


@pytest.mark.parametrize(("name", "arguments"), ACTIVATIONS)
def test_gradients_of_activations(name: str, arguments: dict[str, Any], rng: np.random.Generator) -> None:
    forward, backward = getattr(R, name), getattr(R, f"{name}_backward")
    x = 4 * rng.standard_normal((3, 20))
    check_gradients(lambda x: forward(x, **arguments), lambda dy: backward(dy, x, **arguments), [x], rng)


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_of_prelu(channels: int, rng: np.random.Generator) -> None:
    x, w = rng.standard_normal((2, 3, 4)), rng.standard_normal(channels)
    check_gradients(R.prelu, lambda dy: R.prelu_backward(dy, x, w), [x, w], rng)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gradients_of_softmax(name: str, dim: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 4))
    backward = getattr(R, f"{name}_backward")
    check_gradients(lambda x: getattr(R, name)(x, dim), lambda dy: backward(dy, x, dim), [x], rng)


NORMALISATIONS: list[tuple[str, dict[str, Any]]] = [
    ("batch_norm", {"running_mean": None, "running_var": None, "training": True}),
    ("batch_norm", {"running_mean": np.arange(4.0), "running_var": np.arange(1.0, 5), "eps": 0.5}),
    ("instance_norm", {}),
    ("instance_norm", {"running_mean": np.arange(4.0), "running_var": np.arange(1.0, 5), "use_input_stats": False}),
    ("layer_norm", {"normalized_shape": (4, 3)}),
    ("group_norm", {"num_groups": 2}),
]


@pytest.mark.parametrize(("name", "arguments"), NORMALISATIONS)
def test_gradients_of_normalisations(name: str, arguments: dict[str, Any], rng: np.random.Generator) -> None:
    forward, backward = getattr(R, name), getattr(R, f"{name}_backward")
    shape = (4, 3) if name == "layer_norm" else (4,)
    x, w, b = rng.standard_normal((3, 4, 3)), rng.standard_normal(shape), rng.standard_normal(shape)
    check_gradients(
        lambda x, w, b: forward(x, **arguments, weight=w, bias=b),
        lambda dy: backward(dy, x, **arguments, weight=w, bias=b),
        [x, w, b],
        rng,
    )


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_gradients_of_local_response_norm(size: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 4, 3))
    arguments = {"alpha": 0.5, "beta": 1.5, "k": 2.0}
    backward = R.local_response_norm_backward
    check_gradients(
        lambda x: R.local_response_norm(x, size, **arguments), lambda dy: backward(dy, x, size, **arguments), [x], rng
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("norm_type", [1, 2, 3.5, np.inf, -np.inf, -1])
def test_gradients_of_power_pools(rank: int, norm_type: float, rng: np.random.Generator) -> None:
    x = rng.uniform(0.5, 2, (1, 2, *(5, 4, 3)[:rank]))
    forward, backward = getattr(R, f"lp_pool{rank}d"), getattr(R, f"lp_pool{rank}d_backward")
    arguments = {"norm_type": norm_type, "kernel_size": 2, "stride": 1, "ceil_mode": True}
    check_gradients(lambda x: forward(x, **arguments), lambda dy: backward(dy, x, **arguments), [x], rng)


LOSSES: list[dict[str, Any]] = [
    {},
    {"label_smoothing": 0.3, "ignore_index": 1},
    {"weight": np.array([0.5, 2.0, 1.0]), "label_smoothing": 0.1},
    {"weight": np.array([0.5, 2.0, 1.0]), "reduction": "none", "ignore_index": 0},
    {"reduction": "sum"},
]


@pytest.mark.parametrize("arguments", LOSSES)
@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 3, 2, 2)])
def test_gradients_of_cross_entropy(
    shape: tuple[int, ...], arguments: dict[str, Any], rng: np.random.Generator
) -> None:
    x = rng.standard_normal(shape)
    classes = rng.integers(0, 3, shape[:1] + shape[2:] if len(shape) > 1 else ())
    classes = np.where(classes == arguments.get("ignore_index"), 2, classes) if classes.ndim == 0 else classes
    targets = [classes] if "ignore_index" in arguments else [classes, rng.random(shape)]
    for target in targets:
        check_gradients(
            lambda x, t=target: R.cross_entropy(x, t, **arguments),
            lambda dy, t=target: R.cross_entropy_backward(dy, x, t, **arguments),
            [x],
            rng,
        )


def test_running_statistics_follow_the_batch() -> None:
    x = np.array([[[1.0, 3]], [[5, 7]]])
    for op, mean, variance in ((R.batch_norm, 4, 20 / 3), (R.instance_norm, 4, 2)):
        running_mean, running_var = np.zeros(1), np.ones(1)
        arguments: Any = {"training": True} if op is R.batch_norm else {}
        op(x, running_mean, running_var, momentum=0.25, **arguments)
        np.testing.assert_allclose([running_mean[0], running_var[0]], [0.25 * mean, 0.75 + 0.25 * variance])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_out_is_written_and_returned(dtype: Any) -> None:
    x = np.arange(6, dtype=dtype).reshape(1, 6)
    out = np.empty((1, 12), dtype)[:, ::4]
    assert R.max_pool1d(x, 2, out=out) is out
    assert out.tolist() == [[1, 3, 5]]
    assert R.relu(x, inplace=True) is x


REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("im2col", (np.ones((1, 2, 4)), 2), {"order": "N CK"}, "order is 'N CK'"),
    ("im2col", (np.ones((2, 4)), 2), {}, "input has shape"),
    ("im2col", (np.ones((1, 2, 4)), 5), {}, "kernel"),
    ("col2im", (np.ones((1, 4, 2)), (1, 2, 4), 2), {}, r"columns has shape \(1, 4, 2\) \(expected \(1, 4, 3\)\)"),
    ("conv1d_backward", (np.ones((1, 1, 4)), np.ones((1, 1, 4)), np.ones((1, 1, 3))), {}, "grad_output has shape"),
    ("conv1d_weight", (np.ones((1, 1, 4)), (1, 1), np.ones((1, 1, 2))), {}, "weight has 2 dimensions"),
    ("max_pool1d_backward", (np.ones((1, 2)), np.array([[0, 4]]), (1, 4), 2), {}, "indices has values outside"),
    ("fold_backward", (np.ones((1, 4, 4)), (4, 5), 2), {}, "grad_output has shape"),
    ("relu", (np.ones(2, int),), {}, "input is int64"),
    ("relu_backward", (np.ones(3), np.ones(2)), {}, "grad_output has shape"),
    ("dropout", (np.ones(2),), {"seed": 2**64}, "seed is"),
    ("lp_pool1d", (np.ones((1, 4)), 0, 2), {}, "norm_type is 0"),
]


@pytest.mark.parametrize(("name", "arrays", "arguments", "message"), REFUSED)
def test_refusals_name_op_argument_and_what_came(
    name: str, arrays: tuple[Any, ...], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{name}: {message}"):
        getattr(R, name)(*arrays, **arguments)
