"""Activations, normalisation, losses and linear against PyTorch: values, gradients, edges and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F

torch = pytest.importorskip("torch")
from test_reference_refusals import REFUSED  # noqa: E402

T = torch.nn.functional
Array = np.ndarray[Any, Any]
Generator = np.random.Generator
TOLERANCE = {np.float32: 3e-5, np.float64: 1e-11}
FAMILIES = ("linear", "batch_norm", "instance_norm", "layer_norm", "group_norm", "local_response_norm", "dropout")
FAMILIES += ("relu", "leaky_relu", "hardtanh", "gelu", "prelu", "softmax", "log_softmax", "cross_entropy")

ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    ("relu", {}),
    ("relu6", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": -0.5}),
    ("hardtanh", {"min_val": -2.0, "max_val": 0.5}),
    ("hardtanh", {"min_val": 1.0, "max_val": 1.0}),
    ("sigmoid", {}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("tanh", {}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("silu", {}),
]


def compare(got: Array, expected: Any, dtype: Any) -> None:
    """PyTorch's own rounding errors are in the tolerance; the scale is that of the whole array, since sums cancel."""
    wanted = expected.detach().numpy()
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    scale = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=1))
    np.testing.assert_allclose(got, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


def check(name: str, arrays: list[Array | None], rest: Callable[[Any], tuple[Any, ...]], dtype: Any) -> None:
    """Value and gradients; `rest` puts what follows the input, given the other arrays as arrays or tensors."""
    tensors = [None if a is None else torch.tensor(a, requires_grad=True) for a in arrays]
    expected = getattr(T, name)(tensors[0], *rest(tensors[1:]))
    compare(getattr(F, name)(arrays[0], *rest(arrays[1:])), expected, dtype)
    dy = np.random.default_rng(0).normal(size=tuple(expected.shape)).astype(dtype)
    expected.backward(torch.tensor(dy))
    gradients = getattr(F, f"{name}_backward")(np.asarray(dy), arrays[0], *rest(arrays[1:]))
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for got, tensor in zip(gradients, tensors, strict=False):
        if tensor is not None:
            compare(got, tensor.grad, dtype)


def draw(rng: Generator, dtype: Any, *shape: int) -> Array:
    return rng.normal(0.5, 2, shape).astype(dtype)


@pytest.mark.parametrize(("name", "arguments"), ACTIVATIONS, ids=str)
def test_activations_also_at_the_edges(name: str, arguments: dict[str, Any], dtype: Any, rng: Generator) -> None:
    edges = [0.0, -0.0, -3, 3, 6, 1, -1, -2, 0.5, 90, -90, 1e-30, np.inf, -np.inf, np.nan]
    x = np.concatenate([rng.normal(0, 4, 500), edges]).astype(dtype)
    if name == "gelu":  # PyTorch's vectorised erf gives NaN for infinity, where the limit is infinite
        x = x[np.isfinite(x)]
    tensor = torch.tensor(x, requires_grad=True)
    expected = getattr(T, name)(tensor, **arguments)
    compare(getattr(F, name)(x, **arguments), expected, dtype)
    dy = rng.normal(size=x.shape).astype(dtype)
    expected.backward(torch.tensor(dy))
    precision = np.float32 if name == "hardsigmoid" else dtype  # PyTorch keeps its sixth in single precision
    compare(getattr(F, f"{name}_backward")(dy, x, **arguments), tensor.grad, precision)


@pytest.mark.parametrize(("shape", "weights"), [((), 1), ((4,), 1), ((3, 5), 5), ((2, 5, 4, 3), 5), ((2, 3, 4), 1)])
def test_prelu(shape: tuple[int, ...], weights: int, dtype: Any, rng: Generator) -> None:
    check("prelu", [draw(rng, dtype, *shape), draw(rng, dtype, weights)], tuple, dtype)


@pytest.mark.parametrize(("x", "w", "b"), [((3,), (2, 3), (2,)), ((4, 3), (3,), None), ((2, 5, 3), (4, 3), (4,))])
def test_linear(x: tuple[int, ...], w: tuple[int, ...], b: Any, dtype: Any, rng: Generator) -> None:
    arrays = [draw(rng, dtype, *x), draw(rng, dtype, *w), None if b is None else draw(rng, dtype, *b)]
    expected = T.linear(*(None if a is None else torch.tensor(a) for a in arrays))
    compare(F.linear(*arrays), expected, dtype)
    dy = draw(rng, dtype, *expected.shape)
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays[:2]]
    T.linear(*tensors).backward(torch.tensor(dy))
    for got, tensor in zip(F.linear_backward(dy, *arrays[:2])[:2], tensors, strict=True):
        compare(got, tensor.grad, dtype)


SHAPES = [(6, 8), (3, 8, 5), (2, 8, 7, 9), (2, 4, 3, 4, 5)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_normalisation(shape: tuple[int, ...], dtype: Any, rng: Generator) -> None:
    channels = shape[1]
    x, w, b = draw(rng, dtype, *shape), draw(rng, dtype, channels), draw(rng, dtype, channels)
    mean, variance = draw(rng, dtype, channels), rng.uniform(0.5, 2, channels).astype(dtype)
    kinds = [
        ("batch_norm", lambda parameters: (None, None, *parameters, True, 0.1, 1e-3)),
        ("group_norm", lambda parameters: (2, *parameters, 1e-3)),
    ]
    if len(shape) > 2:
        kinds.append(("instance_norm", lambda parameters: (None, None, *parameters, True, 0.1, 1e-3)))
    for name, rest in kinds:
        for weight, bias in [(w, b), (w, None)]:
            check(name, [x, weight, bias], rest, dtype)
    both = [mean, variance], [torch.tensor(mean), torch.tensor(variance)]
    compare(
        F.batch_norm(x, *both[0], w, b),
        T.batch_norm(torch.tensor(x), *both[1], torch.tensor(w), torch.tensor(b)),
        dtype,
    )
    F.batch_norm(x, *both[0], training=True)
    T.batch_norm(torch.tensor(x), *both[1], training=True)
    for got, expected in zip(*both, strict=True):
        compare(got, expected, dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layer_norm(shape: tuple[int, ...], dtype: Any, rng: Generator) -> None:
    for axes in range(1, len(shape)):
        own = shape[-axes:]
        arrays: list[Array | None] = [draw(rng, dtype, *s) for s in (shape, own, own)]
        check("layer_norm", arrays, lambda parameters, own=own: (own, *parameters, 1e-3), dtype)


@pytest.mark.parametrize("size", [1, 2, 5, 20])
def test_local_response_norm(size: int, dtype: Any, rng: Generator) -> None:
    for shape in SHAPES[1:]:
        check("local_response_norm", [draw(rng, dtype, *shape)], lambda _: (size, 0.5, 0.75, 2.0), dtype)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str, dtype: Any, rng: Generator) -> None:
    for shape in SHAPES:
        for dim in range(-len(shape), len(shape)):
            check(name, [draw(rng, dtype, *shape)], lambda _, dim=dim: (dim,), dtype)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy(reduction: str, smoothing: float, dtype: Any, rng: Generator) -> None:
    for shape in [(7,), *SHAPES]:
        classes = shape[0] if len(shape) == 1 else shape[1]
        x, weight = draw(rng, dtype, *shape), rng.random(classes).astype(dtype)
        chosen = rng.integers(0, classes, () if len(shape) == 1 else (shape[0], *shape[2:]))
        ignored = np.where(rng.random(chosen.shape) < 0.2, -100, chosen)
        for target in (np.asarray(chosen), np.asarray(ignored), rng.random(shape).astype(dtype)):
            keywords = {"reduction": reduction, "label_smoothing": smoothing}
            tensor = torch.tensor(x, requires_grad=True)
            expected = T.cross_entropy(tensor, torch.tensor(target), torch.tensor(weight), **keywords)
            compare(F.cross_entropy(x, target, weight, **keywords), expected, dtype)
            dy = np.asarray(rng.normal(size=tuple(expected.shape)), dtype)
            expected.backward(torch.tensor(dy))
            compare(F.cross_entropy_backward(dy, x, target, weight, **keywords), tensor.grad, dtype)


@pytest.mark.parametrize(("name", "arrays", "arguments"), [case for case in REFUSED if case[0].startswith(FAMILIES)])
def test_what_pytorch_refuses_is_refused(name: str, arrays: tuple[Any, ...], arguments: dict[str, Any]) -> None:
    """That PyTorch does refuse these is tested with the reference."""
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        getattr(F, name)(*arrays, **arguments)
