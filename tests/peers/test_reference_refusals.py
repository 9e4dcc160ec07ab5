"""What PyTorch refuses, the reference refuses, by an error that names the op."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast import reference as R

torch = pytest.importorskip("torch")
T = torch.nn.functional

Array = np.ndarray[Any, Any]


def f(*shape: int) -> Array:
    return np.ones(shape, np.float32)


def i(*values: Any) -> Array:
    return np.array(values, np.int64)


REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("conv2d", (f(1, 4, 8, 8), f(6, 4, 3, 3)), {"stride": 0}),
    ("conv2d", (f(1, 4, 8, 8), f(6, 4, 3, 3)), {"padding": -1}),
    ("conv2d", (f(1, 4, 8, 8), f(6, 4, 3, 3)), {"groups": 3}),
    ("conv2d", (f(1, 4, 8, 8), f(6, 4, 3, 3), f(5)), {}),
    ("conv2d", (f(1, 4, 8, 8), np.ones((6, 4, 3, 3))), {}),
    ("conv1d", (f(1, 4, 2), f(6, 4, 3)), {}),
    ("conv3d", (f(4, 4), f(4, 4, 1, 1, 1)), {}),
    ("conv_transpose2d", (f(1, 4, 8, 8), f(4, 6, 3, 3)), {"output_padding": 1}),
    ("max_pool2d", (f(1, 2, 6, 6), 2), {"padding": 2}),
    ("max_pool2d", (f(1, 2, 6, 6), 7), {}),
    ("max_pool1d", (f(1, 0, 6), 2), {}),
    ("avg_pool2d", (f(1, 2, 6, 6), 2), {"divisor_override": 0}),
    ("avg_pool3d", (f(1, 2, 6, 6), (2, 2)), {}),
    ("adaptive_avg_pool2d", (f(1, 2, 6, 6), -1), {}),
    ("adaptive_avg_pool2d", (f(1, 2, 6, 6), (2, 2, 2)), {}),
    ("lp_pool2d", (f(1, 2, 6, 6), "2", 2), {}),
    ("lp_pool2d", (f(1, 2, 6, 6), 2, 7), {}),
    ("max_unpool2d", (f(1, 1, 2, 2), np.full((1, 1, 2, 2), 16), 2), {}),
    ("max_unpool2d", (f(1, 1, 2, 2), np.full((1, 1, 2, 2), -1), 2), {}),
    ("max_unpool2d", (f(1, 1, 2, 2), np.zeros((1, 1, 2, 2), int), 2), {"output_size": (7, 7)}),
    ("unfold", (f(2, 3, 6, 6), (2,)), {}),
    ("unfold", (f(2, 3, 6, 6), 7), {}),
    ("unfold", (f(2, 3, 6, 6), 0), {}),
    ("unfold", (f(2, 3, 6, 6), 2.0), {}),
    ("unfold", (f(2, 0, 6, 6), 2), {}),
    ("unfold", (f(2, 3, 6, 6), 2), {"dilation": 0}),
    ("unfold", (f(2, 3, 6, 6), 2), {"stride": (1, 2, 3)}),
    ("unfold", (f(2, 3, 6, 6), 2), {"padding": -1}),
    ("unfold", (f(6, 6), 2), {}),
    ("fold", (f(2, 13, 25), 6, 2), {}),
    ("fold", (f(2, 12, 24), 6, 2), {}),
    ("fold", (f(2, 12, 25), (6,), 2), {}),
    ("fold", (f(2, 12, 25), 1, 2), {}),
    ("fold", (f(2, 0, 25), 6, 2), {}),
    ("fold", (f(2, 12, 25, 1), 6, 2), {}),
    ("linear", (f(2, 3), f(4, 2)), {}),
    ("linear", (f(), f(4, 3)), {}),
    ("linear", (f(2, 3), f(4, 3, 1)), {}),
    ("linear", (f(2, 3), f(4, 3), f(3)), {}),
    ("linear", (f(2, 3), f(3), f()), {}),
    ("batch_norm", (f(2, 3), None, None), {}),
    ("batch_norm", (f(2, 3), f(3), None), {"training": True}),
    ("batch_norm", (f(2, 3), f(2), f(2)), {}),
    ("batch_norm", (f(2, 3), f(3), f(3), f(2)), {}),
    ("batch_norm", (f(1, 3), None, None), {"training": True}),
    ("batch_norm", (f(3), f(3), f(3)), {}),
    ("instance_norm", (f(2, 3),), {}),
    ("instance_norm", (f(2, 3, 1),), {}),
    ("instance_norm", (f(2, 3, 4), f(3)), {}),
    ("instance_norm", (f(2, 3, 4),), {"use_input_stats": False}),
    ("instance_norm", (f(2, 3, 4),), {"bias": f(2)}),
    ("layer_norm", (f(2, 3), 3), {}),
    ("layer_norm", (f(2, 3), ()), {}),
    ("layer_norm", (f(2, 3), (2,)), {}),
    ("layer_norm", (f(2, 3, 4), (3, 4), f(12)), {}),
    ("group_norm", (f(2, 6, 4), 4), {}),
    ("group_norm", (f(2, 6, 4), 0), {}),
    ("group_norm", (f(2, 6, 4), 3.0), {}),
    ("group_norm", (f(6), 3), {}),
    ("group_norm", (f(1, 6), 6), {}),
    ("group_norm", (f(2, 6, 4), 3, f(3)), {}),
    ("local_response_norm", (f(2, 6), 3), {}),
    ("local_response_norm", (f(2, 6, 4), 0), {}),
    ("local_response_norm", (f(2, 6, 4), 2.0), {}),
    ("dropout", (f(3), 1.5), {}),
    ("dropout", (f(3), float("nan")), {}),
    ("dropout", (f(3), -0.1, False), {}),
    ("dropout1d", (f(3),), {}),
    ("dropout1d", (f(2, 3, 4, 5),), {}),
    ("hardtanh", (f(2), 2, 1), {}),
    ("leaky_relu", (f(2), "a"), {}),
    ("gelu", (f(2),), {"approximate": "x"}),
    ("prelu", (f(2, 3), f(2)), {}),
    ("prelu", (f(3), f(3)), {}),
    ("prelu", (f(2, 3), f(1, 3)), {}),
    ("prelu", (f(2, 3), f(0)), {}),
    ("softmax", (f(3), 1), {}),
    ("softmax", (f(3), 0.0), {}),
    ("log_softmax", (f(2, 3), -3), {}),
    ("cross_entropy", (f(2, 3), i(1, 3)), {}),
    ("cross_entropy", (f(2, 3), i(1, -1)), {}),
    ("cross_entropy", (f(2, 3), i(1, 2, 0)), {}),
    ("cross_entropy", (f(2, 3), f(2)), {}),
    ("cross_entropy", (f(2, 3), f(2, 3)), {"ignore_index": 1}),
    ("cross_entropy", (f(2, 3), i(1, 2), f(2)), {}),
    ("cross_entropy", (f(2, 3), i(1, 2)), {"label_smoothing": 1.5}),
    ("cross_entropy", (f(2, 3), i(1, 2)), {"reduction": "x"}),
]


@pytest.mark.parametrize(("name", "arrays", "arguments"), REFUSED)
def test_what_pytorch_refuses_is_refused(name: str, arrays: tuple[Any, ...], arguments: dict[str, Any]) -> None:
    def tensor(a: Any) -> Any:
        return torch.tensor(a) if isinstance(a, np.ndarray) else a

    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, ZeroDivisionError)):
        getattr(T, name)(*map(tensor, arrays), **{key: tensor(a) for key, a in arguments.items()})
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        getattr(R, name)(*arrays, **arguments)
