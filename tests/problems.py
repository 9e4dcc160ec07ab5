"""Random problems of every op: most of them to be computed, a few to be refused, by whatever implements the op."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]

ROOM = {1: 70, 2: 12, 3: 5}  # points that an axis has beyond one window; small, since many problems are to be solved
NORMS = (1, 2, 3, 0.5, 2.5, -1, np.inf, -np.inf)
EPS = (0.1, 0.5)  # large: few values that hardly differ amplify every rounding error
FINITE = (0.0, -0.0, 0.5, 1, -1, -2, 3, -3, 6, 90, -90, 1e-30)
ORDERED = (*FINITE, np.inf, -np.inf)


class Problem(NamedTuple):
    """A call by names: arrays that have a gradient, in the order of the op's gradients, and all other arguments."""

    op: str
    arrays: dict[str, Array | None]
    arguments: dict[str, Any]

    def __str__(self) -> str:
        named = {**self.arrays, **self.arguments}
        shown = (f"{k}={v.shape if isinstance(v, np.ndarray) else repr(v)}" for k, v in named.items())
        return f"{self.op}({', '.join(shown)})"

    def forward(self, module: Any, **more: Any) -> Any:
        """What `module` makes of it, with `more` arguments or other ones."""
        return getattr(module, self.op)(**{**self.arrays, **self.arguments, **more})

    def backward(self, module: Any, grad_output: Array, result: Any) -> dict[str, Array]:
        """The gradient of each array that was given; `result` is that of `forward`."""
        function = getattr(module, f"{self.op}_backward")
        known = {**self.arrays, **self.arguments, "grad_output": grad_output}
        known["input_size"] = np.shape(self.arrays["input"])
        if isinstance(result, tuple):
            known["indices"] = result[1]
        wanted = inspect.signature(function).parameters
        found = function(**{name: value for name, value in known.items() if name in wanted})
        pairs = zip(self.arrays.items(), found if isinstance(found, tuple) else (found,), strict=True)
        return {name: gradient for (name, array), gradient in pairs if array is not None}


class Draw:
    """Random choices and arrays of one dtype, which are whole numbers if all results shall be `exact`."""

    def __init__(self, rng: np.random.Generator, dtype: Any, exact: bool = False) -> None:
        self.rng, self.dtype, self.exact = rng, np.dtype(dtype), exact

    def one(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def axes(self, rank: int, *values: int) -> Ints:
        return tuple(self.one(*values) for _ in range(rank))

    def each(self, rank: int, *values: int) -> int | list[int] | Ints:
        """An int for all axes, or one for each."""
        return self.one(self.one(*values), list(self.axes(rank, *values)), self.axes(rank, *values))

    def array(self, *shape: int) -> Array:
        values = self.rng.integers(-8, 9, shape) if self.exact else self.rng.standard_normal(shape)
        return np.asarray(values, self.dtype)

    def maybe(self, *shape: int) -> Array | None:
        return self.one(None, self.array(*shape))

    def positive(self, *shape: int) -> Array:
        return self.rng.uniform(0.5, 2, shape).astype(self.dtype)

    def with_ties(self, *shape: int) -> Array:
        """Few values, infinities and NaN among them."""
        x = self.rng.integers(-3, 4, shape).astype(self.dtype)
        x[x == 3], x[x == -3] = np.inf, -np.inf
        x[self.rng.random(shape) < 0.03] = np.nan
        return x

    def with_edges(self, edges: tuple[float, ...], *shape: int) -> Array:
        """Many values where functions bend, overflow or have none."""
        x = np.where(self.rng.random(shape) < 0.2, self.rng.choice(edges, shape), 4 * self.rng.standard_normal(shape))
        return np.asarray(x, self.dtype)

    def images(self, channels: int, windows: Ints) -> Ints:
        """A batch, an empty one, or one image, of a size around that of a window and above."""
        batch = self.one((), (0,), (1,), (2,), (5,))
        extent = (int(self.rng.integers(max(w - 1, 1), w + ROOM[len(windows)])) for w in windows)
        return (*batch, channels, *extent)

    def shape(self, least: int = 0) -> Ints:
        """Any shape of at least so many axes."""
        return self.axes(int(self.rng.integers(least, 6)), 1, 2, 3, 5, 9)


def _spans(kernel: Ints, dilation: Ints) -> Ints:
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))


def _covered(shape: Ints, window: Ints) -> Ints:
    """Images of the size of a window."""
    return (*shape[: -len(window)], *window)


def _padding(d: Draw, rank: int) -> Any:
    """Beyond PyTorch if exact, for then it is not PyTorch that gives the result."""
    if d.exact and d.one(False, True):
        return d.one("same", tuple(d.axes(2, 0, 1, 3) for _ in range(rank)))
    return d.one(*[d.each(rank, 0, 1, 2)] * 3, "same", "valid")


def conv(rank: int, d: Draw) -> Problem:
    groups, few = d.one(1, 1, 1, 2, 3), d.one(False, False, True)  # few channels in a group: depthwise, or nearly so
    inputs = groups * (d.one(1, 1, 2) if few else d.one(1, 2, 3, 8, 17))
    outputs = groups * (d.one(1, 1, 2) if few else d.one(1, 2, 5, 16, 29))
    kernel, dilation = d.axes(rank, 1, 2, 3, 3, 5, *[7, 11] * few), d.axes(rank, 1, 1, 2, 3)
    padding = _padding(d, rank)
    stride = 1 if padding == "same" and not d.exact else d.each(rank, 1, 1, 2, 3)
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    shape = d.images(inputs, _spans(kernel, dilation))
    if d.one(*[False] * 7, True):
        shape, arguments = _covered(shape, kernel), arguments | {"padding": 0, "dilation": 1}
    x, w = d.array(*shape), d.array(outputs, inputs // groups, *kernel)
    return Problem(f"conv{rank}d", {"input": x, "weight": w, "bias": d.maybe(outputs)}, arguments)


def conv_transpose(rank: int, d: Draw) -> Problem:
    groups, few = d.one(1, 1, 1, 2, 3), d.one(False, False, True)
    inputs = groups * (d.one(1, 1, 2) if few else d.one(1, 2, 5, 16, 29))
    outputs = groups * (d.one(1, 1, 2) if few else d.one(1, 2, 3, 8, 17))
    arguments = {
        "stride": d.each(rank, 1, 1, 2, 3),
        "padding": d.each(rank, 0, 0, 1, 2),
        "output_padding": d.each(rank, 0, 0, 0, 1),
        "groups": groups,
        "dilation": d.each(rank, 1, 1, 2, 3),
    }
    w = d.array(inputs, outputs // groups, *d.axes(rank, 1, 2, 3, 3, 5, *[7, 11] * few))
    # No padding takes all of 5 points: PyTorch refuses that for some dtypes only.
    shape = d.images(inputs, (6,) * rank)
    if d.one(*[False] * 7, True):
        shape, arguments = _covered(shape, (1,) * rank), arguments | {"padding": 0, "output_padding": 0}
    x = d.array(*shape)
    if x.size == 0:
        arguments["output_padding"] = 0  # which PyTorch does not check for an empty batch
    return Problem(f"conv_transpose{rank}d", {"input": x, "weight": w, "bias": d.maybe(outputs)}, arguments)


def _windows(d: Draw, rank: int, kernel: Ints) -> dict[str, Any]:
    stride = d.one(None, (), d.each(rank, 1, 2, 3))
    return {"kernel_size": kernel, "stride": stride, "ceil_mode": d.one(False, True)}


def _pool_padding(d: Draw, kernel: Ints) -> Any:
    """At most half a window, but for a few."""
    if d.exact and d.one(False, True):
        return tuple((int(d.rng.integers(k // 2 + 1)), int(d.rng.integers(k // 2 + 1))) for k in kernel)
    return d.one(0, 0, 1, tuple(int(d.rng.integers(k // 2 + 1)) for k in kernel))


def max_pool(rank: int, d: Draw) -> Problem:
    kernel, dilation = d.axes(rank, 1, 2, 3, 4), d.axes(rank, 1, 1, 2, 3)
    more = {"padding": _pool_padding(d, kernel), "dilation": dilation, "return_indices": True}
    # Some inputs are so small that a window sees nothing but padding.
    x = d.with_ties(*d.images(d.one(1, 3, 7), d.one(kernel, _spans(kernel, dilation))))
    return Problem(f"max_pool{rank}d", {"input": x}, _windows(d, rank, kernel) | more)


def avg_pool(rank: int, d: Draw) -> Problem:
    kernel = d.axes(rank, 1, 2, 3, 4)
    more = {"padding": _pool_padding(d, kernel), "count_include_pad": d.one(False, True)}
    more |= {"divisor_override": d.one(None, None, 3, -4)} if rank > 1 else {}
    x = d.array(*d.images(d.one(1, 3, 7), kernel))
    return Problem(f"avg_pool{rank}d", {"input": x}, _windows(d, rank, kernel) | more)


def lp_pool(rank: int, d: Draw) -> Problem:
    kernel, norm_type = d.axes(rank, 1, 2, 3, 4), d.one(*NORMS)
    x = d.array(*d.images(d.one(1, 3), kernel))
    if norm_type in (3, -1) or d.one(False, True):
        x = np.abs(x)  # what is left of sums that cancel has no right digits
    x[..., :2] = 0
    windows = _windows(d, rank, kernel)
    if rank == 1:  # lp_pool1d of PyTorch takes no tuples
        windows |= {"kernel_size": kernel[0], "stride": d.one(None, 1, 2, 3)}
    return Problem(f"lp_pool{rank}d", {"input": x}, windows | {"norm_type": norm_type})


def adaptive_avg_pool(rank: int, d: Draw) -> Problem:
    size = d.each(rank, *(1, 2, 3, 5, 8), *((None,) if rank > 1 else ()))
    size = (size,) * rank if size is None else tuple(size) if isinstance(size, list) else size
    return Problem(
        f"adaptive_avg_pool{rank}d", {"input": d.array(*d.images(d.one(1, 3, 7), (2,) * rank))}, {"output_size": size}
    )


def adaptive_max_pool(rank: int, d: Draw) -> Problem:
    like = adaptive_avg_pool(rank, d)
    x = d.with_ties(*np.shape(like.arrays["input"]))
    return Problem(f"adaptive_max_pool{rank}d", {"input": x}, like.arguments | {"return_indices": True})


def max_unpool(rank: int, d: Draw) -> Problem:
    kernel, padding = d.axes(rank, 2, 3), d.axes(rank, 0, 0, 1)
    stride = d.one(None, d.axes(rank, 2, 3))
    x = d.array(*d.images(3, (3,) * rank))
    steps = stride or kernel
    axes = zip(x.shape[-rank:], kernel, steps, padding, strict=True)
    size = tuple((e - 1) * s + k - 2 * p for e, k, s, p in axes)
    larger = tuple(e + int(d.rng.integers(s)) for e, s in zip(size, steps, strict=True))
    arguments = {"kernel_size": kernel, "stride": stride, "padding": padding}
    arguments["output_size"] = d.one(None, larger, (1, 1, *larger))
    points = int(np.prod(larger if arguments["output_size"] else size))
    places = [d.rng.permutation(points)[: int(np.prod(x.shape[-rank:]))] for _ in range(int(np.prod(x.shape[:-rank])))]
    arguments["indices"] = np.reshape(places, x.shape).astype(np.int64)
    return Problem(f"max_unpool{rank}d", {"input": x}, arguments)


def unfold(d: Draw) -> Problem:
    kernel, dilation = d.axes(2, 1, 2, 3), d.axes(2, 1, 1, 2)
    arguments = {"kernel_size": kernel, "dilation": dilation, "padding": d.each(2, 0, 1, 2), "stride": d.each(2, 1, 2)}
    return Problem("unfold", {"input": d.array(*d.images(d.one(1, 3), _spans(kernel, dilation)))}, arguments)


def fold(d: Draw) -> Problem:
    """Columns of the right shape, but for those of a kernel that does not fit."""
    like = unfold(d)
    shape, kernel = np.shape(like.arrays["input"]), like.arguments["kernel_size"]
    values = [np.broadcast_to(like.arguments[name], 2).tolist() for name in ("dilation", "padding", "stride")]
    axes = zip(shape[-2:], kernel, *values, strict=True)
    points = [(e + 2 * p - dil * (k - 1) - 1) // s + 1 for e, k, dil, p, s in axes]
    columns = d.array(*shape[:-3], shape[-3] * int(np.prod(kernel)), max(int(np.prod(points)), 0))
    return Problem("fold", {"input": columns}, {"output_size": shape[-2:], **like.arguments})


def linear(d: Draw) -> Problem:
    lead, features, outputs = d.one((), (0,), d.shape(), (70,)), d.one(1, 3, 17, 300), d.one((), (1,), (5,), (33,))
    bias = d.maybe(*outputs) if outputs else None
    return Problem(
        "linear", {"input": d.array(*lead, features), "weight": d.array(*outputs, features), "bias": bias}, {}
    )


def activation(op: str, edges: tuple[float, ...], arguments: Callable[[Draw], dict[str, Any]], d: Draw) -> Problem:
    return Problem(op, {"input": d.with_edges(edges, *d.one(d.shape(), (0, 3), (1003,)))}, arguments(d))


def no_arguments(d: Draw) -> dict[str, Any]:
    return {}


def hardtanh(d: Draw) -> dict[str, Any]:
    return d.one({}, {"min_val": -2.0, "max_val": 0.5}, {"min_val": 1.0, "max_val": 1.0})


def prelu(d: Draw) -> Problem:
    shape = d.shape()
    weights = d.one(1, shape[1]) if len(shape) > 1 else 1
    return Problem("prelu", {"input": d.array(*shape), "weight": d.array(weights)}, {})


def softmax(op: str, d: Draw) -> Problem:
    shape = d.shape()
    rank = max(len(shape), 1)
    return Problem(op, {"input": d.array(*shape)}, {"dim": int(d.rng.integers(-rank, rank))})


def _affine(d: Draw, *shape: int) -> dict[str, Array | None]:
    return {"weight": d.maybe(*shape), "bias": d.maybe(*shape)}


def batch_norm(op: str, flag: str, d: Draw) -> Problem:
    """Also of instances; some have one value a channel, some no statistics where they are needed."""
    shape = d.shape(2)
    c = shape[1]
    mean, variance = d.one((None, None), (d.array(c), d.positive(c)))
    arguments = {"running_mean": mean, "running_var": variance, flag: d.one(False, True)}
    arguments |= {"momentum": d.one(0.1, 0.7), "eps": d.one(*EPS)}
    return Problem(op, {"input": 1 + 2 * d.array(*shape), **_affine(d, c)}, arguments)


def layer_norm(d: Draw) -> Problem:
    shape = d.shape(1)
    own = shape[int(d.rng.integers(len(shape))) :]
    arrays = {"input": d.array(*shape), **_affine(d, *own)}
    return Problem("layer_norm", arrays, {"normalized_shape": d.one(own, list(own)), "eps": d.one(*EPS)})


def group_norm(d: Draw) -> Problem:
    groups, shape = d.one(1, 2, 3), d.shape(2)
    channels = groups * shape[1]
    affine = _affine(d, channels)
    if affine["weight"] is None:
        affine["bias"] = None  # of which PyTorch has no gradient
    arrays = {"input": d.array(shape[0], channels, *shape[2:]), **affine}
    return Problem("group_norm", arrays, {"num_groups": groups, "eps": d.one(*EPS)})


def local_response_norm(d: Draw) -> Problem:
    arguments = {
        "size": d.one(1, 2, 3, 5, 20),
        "alpha": d.one(1e-4, 0.5),
        "beta": d.one(0.75, 0.5, 2.0),
        "k": d.one(1.0, 2),
    }
    return Problem("local_response_norm", {"input": d.array(*d.shape(3))}, arguments)


def cross_entropy(d: Draw) -> Problem:
    shape, ignored = d.shape(1), d.one(-100, -100, 0, -1)
    lines = (*shape[:1], *shape[2:]) if len(shape) > 1 else ()
    classes = shape[min(len(shape) - 1, 1)]
    chosen = np.where(d.rng.random(lines) < 0.2, ignored, d.rng.integers(0, classes, lines))
    arguments = {
        "target": d.one(chosen, chosen, d.positive(*shape)),
        "weight": d.one(None, d.positive(classes)),
        "ignore_index": ignored,
        "reduction": d.one("none", "mean", "sum"),
        "label_smoothing": d.one(0.0, 0.2, 1.0),
    }
    return Problem("cross_entropy", {"input": 3 * d.array(*shape)}, arguments)


def dropout(op: str, least: int, d: Draw) -> Problem:
    """Of nothing or of everything, which leaves no choice.  Fewer axes PyTorch refuses only if it drops anything."""
    shape = d.axes(int(d.rng.integers(least, 6)), 0, 1, 2, 3, 9)
    p, training = d.one((0.0, True), (1.0, True), (0.0, False))
    return Problem(op, {"input": d.array(*shape)}, {"p": p, "training": training})


WINDOWED = (conv, conv_transpose, max_pool, avg_pool, lp_pool, adaptive_avg_pool, adaptive_max_pool, max_unpool)
DROPOUT_AXES = {"": 0, "1d": 1, "2d": 2, "3d": 1}
OPS: dict[str, Callable[[Draw], Problem]] = {
    **{f"{family.__name__}{rank}d": partial(family, rank) for family in WINDOWED for rank in (1, 2, 3)},
    **{
        f.__name__: f for f in (unfold, fold, linear, prelu, layer_norm, group_norm, local_response_norm, cross_entropy)
    },
    **{op: partial(activation, op, (*ORDERED, np.nan), no_arguments) for op in ("relu", "sigmoid", "tanh", "silu")},
    # In PyTorch the gradient at NaN depends on the place in a vector.
    **{op: partial(activation, op, ORDERED, no_arguments) for op in ("relu6", "hardsigmoid", "hardswish")},
    "hardtanh": partial(activation, "hardtanh", ORDERED, hardtanh),
    "leaky_relu": partial(activation, "leaky_relu", ORDERED, lambda d: {"negative_slope": d.one(0.01, 0.3, -0.5, 0)}),
    # In PyTorch the error function of infinity is NaN.
    "gelu": partial(activation, "gelu", FINITE, lambda d: {"approximate": d.one("none", "tanh")}),
    **{f"dropout{rank}": partial(dropout, f"dropout{rank}", least) for rank, least in DROPOUT_AXES.items()},
    "softmax": partial(softmax, "softmax"),
    "log_softmax": partial(softmax, "log_softmax"),
    "batch_norm": partial(batch_norm, "batch_norm", "training"),
    "instance_norm": partial(batch_norm, "instance_norm", "use_input_stats"),
}


def solvable(op: str, draw: Draw, module: Any) -> Problem:
    """A random problem that `module` does not refuse."""
    while True:
        problem = OPS[op](draw)
        try:
            problem.forward(module)
        except ValueError:
            continue
        return problem
