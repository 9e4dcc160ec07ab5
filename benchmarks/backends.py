"""Times of training steps of other people's nets, with their own code and with ours, in turns.

    python benchmarks/backends.py autograd
    python benchmarks/backends.py dlfs FOLDER     # of the book's repository
    python benchmarks/backends.py cs231n FOLDER   # of assignment2, with its extension built
    python benchmarks/backends.py mygrad

OpenBLAS lets its threads spin after each product of NumPy, which slows down what follows; with
OPENBLAS_THREAD_TIMEOUT=4 they sleep soon.

Each prints the least time of a step of both, their ratio, and how far the losses of ten steps are apart.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], float]
ROUNDS = 4


def autograd() -> Callable[[], Step]:
    """The LeNet of autograd's examples: convolve, max as pools, batch 256."""
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.signal import convolve

    shapes = [
        (1, 6, 5, 5),
        (1, 6, 1, 1),
        (6, 16, 5, 5),
        (1, 16, 1, 1),
        (256, 120),
        (120,),
        (120, 84),
        (84,),
        (84, 10),
        (10,),
    ]

    def conv_pool(x: Any, w: Any, b: Any) -> Any:
        y = convolve(x, w, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid") + b
        n, c, h, w_ = y.shape
        return anp.max(anp.max(anp.reshape(y, (n, c, h // 2, 2, w_ // 2, 2)), axis=3), axis=4)

    def loss(weights: Any, x: Any, labels: Any) -> Any:
        x = conv_pool(conv_pool(x, *weights[:2]), *weights[2:4])
        x = anp.reshape(x, (len(x), -1))
        for i in (4, 6):
            x = anp.tanh(anp.dot(x, weights[i]) + weights[i + 1])
        x = anp.dot(x, weights[8]) + weights[9]
        return -anp.sum((x - anp.log(anp.sum(anp.exp(x), 1, keepdims=True)))[np.arange(len(x)), labels])

    gradient = value_and_grad(loss)

    def start() -> Step:
        rng = np.random.default_rng(0)
        weights = [0.1 * rng.standard_normal(shape) for shape in shapes]
        x, labels = rng.random((256, 1, 28, 28)), rng.integers(10, size=256)

        def step() -> float:
            value, gradients = gradient(weights, x, labels)
            for weight, g in zip(weights, gradients, strict=True):
                weight -= 1e-4 * g
            return float(value)

        return step

    return start


def dlfs() -> Callable[[], Step]:
    """Chapter 7: SimpleConvNet, batch 100, Adam."""
    sys.path[:0] = [sys.argv[2], f"{sys.argv[2]}/ch07"]
    net, adam = (
        importlib.import_module("simple_convnet").SimpleConvNet,
        importlib.import_module("common.optimizer").Adam,
    )

    def start() -> Step:
        np.random.seed(0)  # noqa: NPY002  the book draws its weights from there
        rng, model, optimizer = np.random.default_rng(0), net(), adam(lr=0.001)
        x, labels = rng.random((100, 1, 28, 28)), rng.integers(10, size=100)

        def step() -> float:
            optimizer.update(model.params, model.gradient(x, labels))
            return float(model.last_layer.loss)

        return step

    return start


def cs231n() -> Callable[[], Step]:
    """The three layers of the course, 32 filters 7x7 on CIFAR-10's shape, batch 50, with SGD, in float64."""
    sys.path.insert(0, sys.argv[2])
    importlib.import_module("cs231n.im2col_cython")
    importlib.import_module("cs231n.fast_layers")

    def start() -> Step:
        fast = importlib.import_module("cs231n.fast_layers")
        rng = np.random.default_rng(0)
        w, b = 1e-2 * rng.standard_normal((32, 3, 7, 7)), np.zeros(32)
        w1, w2 = 1e-2 * rng.standard_normal((8192, 100)), 1e-2 * rng.standard_normal((100, 10))
        x, labels = rng.standard_normal((50, 3, 32, 32)), rng.integers(10, size=50)
        conv, pool = {"stride": 1, "pad": 3}, {"pool_height": 2, "pool_width": 2, "stride": 2}

        def step() -> float:
            maps, conv_cache = fast.conv_forward_fast(x, w, b, conv)
            pooled, pool_cache = fast.max_pool_forward_fast(np.maximum(maps, 0), pool)
            flat = pooled.reshape(50, -1)
            hidden = np.maximum(flat @ w1, 0)
            logits = hidden @ w2
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            value = -np.log(p[np.arange(50), labels]).mean()
            p[np.arange(50), labels] -= 1
            p /= 50
            dhidden = (p @ w2.T) * (hidden > 0)
            dmaps = fast.max_pool_backward_fast((dhidden @ w1.T).reshape(pooled.shape), pool_cache) * (maps > 0)
            _, dw, db = fast.conv_backward_fast(dmaps, conv_cache)
            for weight, g in ((w2, hidden.T @ p), (w1, flat.T @ dhidden), (w, dw), (b, db)):
                weight -= 1e-2 * g
            return float(value)

        return step

    return start


def mygrad() -> Callable[[], Step]:
    """A convolution and a pool, batch 32."""
    import mygrad as mg
    from mygrad.nnet import conv_nd, max_pool

    def start() -> Step:
        rng = np.random.default_rng(0)
        x, w = rng.standard_normal((32, 8, 16, 16)), mg.tensor(0.1 * rng.standard_normal((16, 8, 3, 3)))

        def step() -> float:
            value = (max_pool(conv_nd(mg.tensor(x), w, stride=1, padding=1), (2, 2), 2) ** 2).mean()
            value.backward()
            w.data[...] -= 1e-2 * w.grad
            w.null_grad()
            return float(value.data)

        return step

    return start


def _losses(start: Callable[[], Step]) -> np.ndarray:
    step = start()
    return np.array([step() for _ in range(10)])


def _least(start: Callable[[], Step]) -> float:
    step, times = start(), []
    for _ in range(5):
        before = time.perf_counter()
        step()
        times.append(time.perf_counter() - before)
    return min(times)


def main() -> None:
    name = sys.argv[1]
    start = globals()[name]()
    backend = importlib.import_module(f"cnnfast.backends.{name}")
    theirs, ours = np.inf, np.inf
    expected = _losses(start)
    with backend.active():
        found = _losses(start)
    for _ in range(ROUNDS):
        theirs = min(theirs, _least(start))
        time.sleep(0.2)  # threads of other libraries spin for a while
        with backend.active():
            ours = min(ours, _least(start))
    apart = np.abs(found / expected - 1).max()
    print(f"{name}: a step {theirs * 1e3:.1f} ms, ours {ours * 1e3:.1f} ms, {theirs / ours:.1f} times as fast")
    print(f"losses of ten steps are {apart:.1e} apart")


if __name__ == "__main__":
    main()
