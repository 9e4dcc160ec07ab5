"""unfold and fold against PyTorch: values, gradients, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import functional as F

torch = pytest.importorskip("torch")
T = torch.nn.functional


def pair(rng: np.random.Generator, *values: int) -> tuple[int, int]:
    return int(rng.choice(values)), int(rng.choice(values))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unfold_and_fold(dtype: Any, rng: np.random.Generator) -> None:
    for _ in range(100):
        shape = ((2, 3), (3,))[int(rng.integers(2))] + pair(rng, 4, 5, 9, 12)
        named: Any = {
            "kernel_size": pair(rng, 1, 2, 3),
            "dilation": pair(rng, 1, 2),
            "padding": pair(rng, 0, 1),
            "stride": pair(rng, 1, 2, 3),
        }
        x = rng.integers(-8, 9, shape).astype(dtype)
        tensor = torch.tensor(x, requires_grad=True)
        try:
            columns = T.unfold(tensor, **named)
        except RuntimeError:
            with pytest.raises(ValueError, match=r"^unfold: "):
                F.unfold(x, **named)
            continue
        np.testing.assert_array_equal(F.unfold(x, **named), columns.detach().numpy(), strict=True)
        dy = rng.integers(-8, 9, columns.shape).astype(dtype)
        columns.backward(torch.tensor(dy))
        np.testing.assert_array_equal(F.unfold_backward(dy, shape, **named), tensor.grad.numpy(), strict=True)

        values = torch.tensor(dy, requires_grad=True)
        image = T.fold(values, shape[-2:], **named)
        np.testing.assert_array_equal(F.fold(dy, shape[-2:], **named), image.detach().numpy(), strict=True)
        image.backward(torch.tensor(x))
        np.testing.assert_array_equal(F.fold_backward(x, shape[-2:], **named), values.grad.numpy(), strict=True)


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("unfold", (1, 2, 6, 6), {"kernel_size": 0}),
        ("unfold", (1, 2, 6, 6), {"kernel_size": 7}),
        ("unfold", (1, 2, 6, 6), {"kernel_size": 2.0}),
        ("unfold", (1, 2, 6, 6), {"kernel_size": (2, 2, 2)}),
        ("unfold", (1, 2, 6, 6), {"kernel_size": 2, "padding": -1}),
        ("unfold", (1, 2, 6, 6), {"kernel_size": 2, "stride": 0}),
        ("unfold", (1, 2, 6, 6), {"kernel_size": 2, "dilation": 0}),
        ("unfold", (1, 0, 6, 6), {"kernel_size": 2}),
        ("unfold", (2, 6), {"kernel_size": 2}),
        ("fold", (1, 8, 25), {"output_size": (6, 5), "kernel_size": 2}),
        ("fold", (1, 9, 25), {"output_size": 6, "kernel_size": 2}),
        ("fold", (1, 0, 25), {"output_size": 6, "kernel_size": 2}),
        ("fold", (1, 8, 25), {"output_size": (6,), "kernel_size": 2}),
        ("fold", (8,), {"output_size": 6, "kernel_size": 2}),
    ],
)
def test_what_pytorch_refuses_is_refused(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    with pytest.raises((RuntimeError, TypeError, IndexError)):
        getattr(T, name)(torch.zeros(shape), **arguments)
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        getattr(F, name)(np.zeros(shape, np.float32), **arguments)
