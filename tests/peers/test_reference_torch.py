"""The reference against PyTorch: values and gradients of random problems of every op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnfast import reference as R

torch = pytest.importorskip("torch")
T = torch.nn.functional

Generator = np.random.Generator
Array = np.ndarray[Any, Any]
Call = tuple[list[Array], dict[str, Any]]
TOLERANCE = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 1e-11}
EXTENTS = {1: (17,), 2: (7, 9), 3: (5, 6, 7)}


def each(rng: Generator, rank: int, *values: int) -> tuple[int, ...]:
    return tuple(int(rng.choice(values)) for _ in range(rank))


def normal(rng: Generator, *shape: int) -> Array:
    return rng.standard_normal(shape)


def maybe(rng: Generator, array: Array) -> Array | None:
    return array if rng.integers(2) else None


def compare(got: Array, expected: Any) -> None:
    expected = expected.detach().numpy()
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    tolerance = TOLERANCE.get(got.dtype, 0)
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)


def check(
    name: str, arrays: list[Array | None], arguments: dict[str, Any], backward: Callable[[Array, Any], Any], dtype: Any
) -> None:
    """Value and gradients of the arrays; `backward(dy, arrays)` gives the latter."""
    cast = [None if a is None else a.astype(dtype) for a in arrays]
    tensors = [None if a is None else torch.tensor(a, requires_grad=True) for a in cast]
    try:
        expected = getattr(T, name)(*tensors, **arguments)
    except RuntimeError:
        with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
            getattr(R, name)(*cast, **arguments)
        return
    compare(getattr(R, name)(*cast, **arguments), expected)
    dy = np.random.default_rng(1).standard_normal(tuple(expected.shape)).astype(dtype)
    expected.backward(torch.tensor(dy))
    found = backward(dy, cast)
    for gradient, tensor in zip(found if isinstance(found, tuple) else (found,), tensors, strict=False):
        if tensor is not None:
            compare(gradient, tensor.grad)


@pytest.fixture(params=[1, 2, 3], ids="{}d".format)
def rank(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("family", ["conv", "conv_transpose"])
def test_convolution(family: str, rank: int, dtype: Any, rng: Generator) -> None:
    for _ in range(15):
        groups = int(rng.choice([1, 1, 2, 3]))
        channels = [groups * int(rng.integers(1, 4)) for _ in "io"]
        lead = each(rng, int(rng.integers(2)), 0 if family == "conv" else 2, 1, 3)
        weight = (channels[1], channels[0] // groups) if family == "conv" else (channels[0], channels[1] // groups)
        arguments: dict[str, Any] = {
            "stride": each(rng, rank, 1, 2, 3),
            "padding": each(rng, rank, 0, 1, 2),
            "dilation": each(rng, rank, 1, 2),
            "groups": groups,
        }
        if family == "conv_transpose":
            arguments["output_padding"] = each(rng, rank, 0, 0, 1)
        elif rng.integers(3) == 0:
            arguments |= {"stride": 1, "padding": str(rng.choice(["same", "valid"]))}
        x, w = normal(rng, *lead, channels[0], *EXTENTS[rank]), normal(rng, *weight, *each(rng, rank, 1, 2, 3))
        backward = getattr(R, f"{family}{rank}d_backward")
        check(
            f"{family}{rank}d",
            [x, w, maybe(rng, normal(rng, channels[1]))],
            arguments,
            lambda dy, a, call=backward, kw=arguments: call(dy, a[0], a[1], **kw),
            dtype,
        )


def test_gradients_by_size(rank: int, dtype: Any, rng: Generator) -> None:
    x, w = (normal(rng, *s).astype(dtype) for s in ((2, 4, *EXTENTS[rank]), (6, 2, *(3,) * rank)))
    arguments: Any = {"stride": 2, "padding": 1, "groups": 2}
    dy = np.ones_like(getattr(R, f"conv{rank}d")(x, w, **arguments))
    for suffix, first, second in (("input", x.shape, w), ("weight", x, w.shape)):
        tensors = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in (first, second, dy)]
        expected = getattr(torch.nn.grad, f"conv{rank}d_{suffix}")(*tensors, **arguments)
        compare(getattr(R, f"conv{rank}d_{suffix}")(first, second, dy, **arguments), expected)


def draw_windows(rng: Generator, rank: int) -> dict[str, Any]:
    return {
        "kernel_size": each(rng, rank, 1, 2, 3, 4),
        "stride": [None, (), each(rng, rank, 1, 2, 3)][int(rng.integers(3))],
        "ceil_mode": bool(rng.integers(2)),
    }


def check_with_indices(name: str, x: Array, arguments: dict[str, Any]) -> None:
    tensor = torch.tensor(x, requires_grad=True)
    try:
        expected, where = getattr(T, name)(tensor, **arguments, return_indices=True)
    except RuntimeError:
        with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
            getattr(R, name)(x, **arguments)
        return
    got, indices = getattr(R, name)(x, **arguments, return_indices=True)
    compare(got, expected)
    compare(indices, where)
    expected.backward(torch.ones_like(expected))
    compare(getattr(R, f"{name}_backward")(np.ones_like(got), indices, x.shape, **arguments), tensor.grad)


def test_max_pools(rank: int, dtype: Any, rng: Generator) -> None:
    for _ in range(15):
        x = rng.integers(-3, 4, (*each(rng, int(rng.integers(2)), 0, 2), 3, *EXTENTS[rank])).astype(dtype)
        x[rng.random(x.shape) < 0.05] = np.nan
        x[rng.random(x.shape) < 0.3] = -np.inf
        windows = draw_windows(rng, rank) | {"padding": each(rng, rank, 0, 1), "dilation": each(rng, rank, 1, 1, 2)}
        check_with_indices(f"max_pool{rank}d", x, windows)
        check_with_indices(f"adaptive_max_pool{rank}d", x, {"output_size": each(rng, rank, 1, 2, 5, 11)})


def test_average_pools(rank: int, dtype: Any, rng: Generator) -> None:
    for _ in range(15):
        x = normal(rng, *each(rng, int(rng.integers(2)), 0, 2), 3, *EXTENTS[rank])
        arguments = draw_windows(rng, rank)
        arguments |= {"padding": each(rng, rank, 0, 1), "count_include_pad": bool(rng.integers(2))}
        if rank > 1:
            arguments["divisor_override"] = [None, 3, -2][int(rng.integers(3))]
        for name, kw in (
            (f"avg_pool{rank}d", arguments),
            (f"adaptive_avg_pool{rank}d", {"output_size": each(rng, rank, 1, 2, 5, 11)}),
        ):
            backward = getattr(R, f"{name}_backward")
            check(name, [x], kw, lambda dy, a, call=backward, kw=kw: call(dy, a[0].shape, **kw), dtype)


@pytest.mark.parametrize("norm_type", [1, 2, 3, np.inf, -np.inf])
def test_power_pools(norm_type: float, rank: int, dtype: Any, rng: Generator) -> None:
    for _ in range(10):
        x = np.abs(normal(rng, 2, 3, *EXTENTS[rank])) if norm_type == 3 else normal(rng, 2, 3, *EXTENTS[rank])
        arguments = draw_windows(rng, rank) | {"norm_type": norm_type}
        arguments["stride"] = arguments["stride"] or None
        backward = getattr(R, f"lp_pool{rank}d_backward")
        if rank == 1:
            arguments["kernel_size"] = arguments["kernel_size"][0]
        x[:, 0] = 0
        check(f"lp_pool{rank}d", [x], arguments, lambda dy, a, call=backward, kw=arguments: call(dy, a[0], **kw), dtype)


def test_unpooling(rank: int, dtype: Any, rng: Generator) -> None:
    shape = (2, 3, *(8, 10, 12)[:rank])
    y, indices = getattr(R, f"max_pool{rank}d")(normal(rng, *shape), 2, return_indices=True)
    backward = getattr(R, f"max_unpool{rank}d_backward")
    for size in (None, shape[2:], shape):
        kw = {"kernel_size": 2, "output_size": size}
        tensor = torch.tensor(y.astype(dtype), requires_grad=True)
        expected = getattr(T, f"max_unpool{rank}d")(tensor, torch.tensor(indices), **kw)
        compare(getattr(R, f"max_unpool{rank}d")(y.astype(dtype), indices, **kw), expected)
        dy = normal(rng, *shape).astype(dtype)
        expected.backward(torch.tensor(dy))
        compare(backward(dy, indices, **kw), tensor.grad)


def test_unfold_and_fold(dtype: Any, rng: Generator) -> None:
    for _ in range(15):
        arguments = {
            "kernel_size": each(rng, 2, 1, 2, 3),
            "dilation": each(rng, 2, 1, 2),
            "padding": each(rng, 2, 0, 1, 2),
            "stride": each(rng, 2, 1, 2, 3),
        }
        x = normal(rng, *each(rng, int(rng.integers(2)), 0, 1, 3), 2, 7, 6)
        unfolded = lambda dy, a, kw=arguments: R.unfold_backward(dy, a[0].shape, **kw)  # noqa: E731
        check("unfold", [x], arguments, unfolded, dtype)
        sized = arguments | {"output_size": (7, 6)}
        columns = R.unfold(x, **arguments)
        check("fold", [columns], sized, lambda dy, a, kw=sized: R.fold_backward(dy, **kw), dtype)


def test_linear(dtype: Any, rng: Generator) -> None:
    for lead, rows in [((), (3,)), ((2,), (3,)), ((2, 0), (3,)), ((2, 5), (1,)), ((4,), ())]:
        bias = maybe(rng, normal(rng, *rows)) if rows else None
        arrays = [normal(rng, *lead, 4), normal(rng, *rows, 4), bias]
        check("linear", arrays, {}, lambda dy, a: R.linear_backward(dy, a[0], a[1]), dtype)


ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in ("relu", "relu6", "leaky_relu", "hardtanh", "sigmoid", "hardsigmoid", "hardswish")),
    *((name, {}) for name in ("tanh", "gelu", "silu")),
    ("leaky_relu", {"negative_slope": -0.5}),
    ("hardtanh", {"min_val": -2, "max_val": 3}),
    ("gelu", {"approximate": "tanh"}),
]


@pytest.mark.parametrize(("name", "arguments"), ACTIVATIONS)
def test_activations(name: str, arguments: dict[str, Any], dtype: Any, rng: Generator) -> None:
    edges = np.array([-6.0, -3, -2, -1, 0, 1, 3, 6, 30, -30])
    x = np.concatenate([edges, 3 * normal(rng, 500)])
    backward = getattr(R, f"{name}_backward")
    if name == "hardsigmoid":  # PyTorch's gradient multiplies by 1 / 6 in float32
        dtype = np.float32
    check(name, [x], arguments, lambda dy, a: backward(dy, a[0], **arguments), dtype)


def test_prelu(dtype: Any, rng: Generator) -> None:
    for shape, weights in [((2, 3, 4), (3,)), ((2, 3), (1,)), ((5,), (1,)), ((), (1,)), ((0, 3), (3,))]:
        arrays = [normal(rng, *shape), normal(rng, *weights)]
        check("prelu", arrays, {}, lambda dy, a: R.prelu_backward(dy, *a), dtype)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str, dtype: Any, rng: Generator) -> None:
    backward = getattr(R, f"{name}_backward")
    for shape, dim in [((5,), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((2, 0), 1), ((), 0)]:
        check(name, [9 * normal(rng, *shape)], {"dim": dim}, lambda dy, a, d=dim: backward(dy, a[0], d), dtype)


def parameters(rng: Generator, *shape: int) -> tuple[Array | None, Array | None]:
    return maybe(rng, normal(rng, *shape)), maybe(rng, normal(rng, *shape))


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
@pytest.mark.parametrize("of_input", [True, False])
def test_batch_and_instance_norm(name: str, of_input: bool, dtype: Any, rng: Generator) -> None:
    flag = "training" if name == "batch_norm" else "use_input_stats"
    for shape in [(4, 3, 5), (2, 3, 4, 5), (3, 2, 2, 3, 4), (1, 3, 4)]:
        x, (w, b) = normal(rng, *shape), parameters(rng, shape[1])
        running = [normal(rng, shape[1]).astype(dtype), rng.uniform(0.5, 2, shape[1]).astype(dtype)]
        ours = [r.copy() for r in running]
        rest: Any = {flag: of_input, "momentum": 0.3, "eps": 0.01}
        tensors = [None if a is None else torch.tensor(a.astype(dtype), requires_grad=True) for a in (x, w, b)]
        theirs = [torch.tensor(r) for r in running]
        arrays = [None if a is None else a.astype(dtype) for a in (x, w, b)]
        expected = getattr(T, name)(tensors[0], *theirs, *tensors[1:], **rest)
        compare(getattr(R, name)(arrays[0], *ours, *arrays[1:], **rest), expected)
        for mine, other in zip(ours, theirs, strict=True):
            compare(mine, other)
        dy = normal(rng, *shape).astype(dtype)
        expected.backward(torch.tensor(dy))
        gradients = getattr(R, f"{name}_backward")(dy, arrays[0], *running, *arrays[1:], **rest)
        for gradient, tensor in zip(gradients, tensors, strict=True):
            if tensor is not None:
                compare(gradient, tensor.grad)


def test_layer_norm(dtype: Any, rng: Generator) -> None:
    for shape, last in [((2, 3, 4), (4,)), ((2, 3, 4), (3, 4)), ((5,), (5,)), ((0, 3), (3,)), ((2, 0), (0,))]:
        x, (w, b) = normal(rng, *shape), parameters(rng, *last)
        tensors = [None if a is None else torch.tensor(a.astype(dtype), requires_grad=True) for a in (x, w, b)]
        arrays = [None if a is None else a.astype(dtype) for a in (x, w, b)]
        expected = T.layer_norm(tensors[0], last, *tensors[1:], eps=0.1)
        compare(R.layer_norm(arrays[0], last, *arrays[1:], eps=0.1), expected)
        dy = normal(rng, *shape).astype(dtype)
        expected.backward(torch.tensor(dy))
        gradients = R.layer_norm_backward(dy, arrays[0], last, *arrays[1:], eps=0.1)
        for gradient, tensor in zip(gradients, tensors, strict=True):
            if tensor is not None:
                compare(gradient, tensor.grad)


def test_group_norm(dtype: Any, rng: Generator) -> None:
    for shape, groups in [((2, 6, 4), 3), ((3, 6), 2), ((2, 4, 3, 5), 1), ((1, 4, 2, 2, 3), 4), ((2, 6, 1), 3)]:
        arrays = [normal(rng, *shape), *parameters(rng, shape[1])]
        names = {"weight": arrays[1], "bias": arrays[2]}
        cast = {k: None if v is None else v.astype(dtype) for k, v in names.items()}
        tensors = {k: None if v is None else torch.tensor(v, requires_grad=True) for k, v in cast.items()}
        x = torch.tensor(arrays[0].astype(dtype), requires_grad=True)
        expected = T.group_norm(x, groups, **tensors)
        compare(R.group_norm(arrays[0].astype(dtype), groups, **cast), expected)
        dy = normal(rng, *shape).astype(dtype)
        expected.backward(torch.tensor(dy))
        gradients = R.group_norm_backward(dy, arrays[0].astype(dtype), groups, **cast)
        for gradient, tensor in zip(gradients, (x, *tensors.values()), strict=True):
            if tensor is not None:
                compare(gradient, tensor.grad)


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_local_response_norm(size: int, dtype: Any, rng: Generator) -> None:
    arguments = {"size": size, "alpha": 0.3, "beta": 0.6, "k": 2.0}
    backward = R.local_response_norm_backward
    for shape in [(2, 5, 3), (2, 4, 3, 2), (1, 3, 2, 2, 2), (0, 3, 2)]:
        x = normal(rng, *shape)
        if x.size:
            check("local_response_norm", [x], arguments, lambda dy, a: backward(dy, a[0], **arguments), dtype)
        assert R.local_response_norm(x, **arguments).shape == shape


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_cross_entropy(reduction: str, dtype: Any, rng: Generator) -> None:
    for shape in [(5,), (4, 5), (2, 5, 3), (2, 5, 2, 3), (0, 5)]:
        classes = rng.integers(0, 5, shape[:1] + shape[2:] if len(shape) > 1 else ())
        for hot in (True, False):
            target = classes if hot else rng.random(shape).astype(dtype)
            arguments: Any = {"reduction": reduction, "label_smoothing": float(rng.choice([0, 0.2]))}
            if hot:
                arguments["ignore_index"] = int(rng.choice([-100, 2]))
            weight = None if (w := maybe(rng, rng.uniform(0.5, 2, 5))) is None else w.astype(dtype)
            x = normal(rng, *shape).astype(dtype)
            tensor = torch.tensor(x, requires_grad=True)
            named = None if weight is None else torch.tensor(weight)
            expected = T.cross_entropy(tensor, torch.tensor(target), named, **arguments)
            compare(R.cross_entropy(x, target, weight, **arguments), expected)
            dy = normal(rng, *expected.shape).astype(dtype)
            expected.backward(torch.tensor(dy))
            compare(R.cross_entropy_backward(dy, x, target, weight, **arguments), tensor.grad)
