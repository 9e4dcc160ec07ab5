"""Types of the boundary."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])
How = tuple[int, int, bool]

FORWARD: int
BACKWARD_DATA: int
BACKWARD_WEIGHTS: int
ALGORITHMS: dict[str, int]
MAX_POOL: int
MAX_POOL_INDEX: int
AVERAGE_POOL: int
AVERAGE_POOL_BACKWARD: int
SCATTER_ADD: int
SCATTER_SET: int
GATHER: int
PLACES_MAX: int
GATHERED_MAX: int
ACTIVATIONS: dict[str, int]
NORM_COMPUTE: int
NORM_COMPUTED: int
NORM_GIVEN: int

def isa_name(isa: int) -> str: ...
def isa_names() -> list[str]: ...
def supported_isas() -> list[int]: ...
def lanes(isa: int) -> tuple[int, int]: ...
def have_openmp() -> bool: ...
def max_threads() -> int: ...
def compiler() -> str: ...

override: ContextVar[Any]

def configure(isa: int, threads: int, exact: bool, automatic: int, verbose: bool) -> None: ...
def run_serially() -> None: ...
def set_idle_memory(bytes: int) -> None: ...
def resolve(requested: int) -> int: ...
def how() -> How: ...
def are_ready(arrays: dict[str, Any], optional: tuple[str, ...]) -> bool: ...
def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array: ...
def held_elsewhere(owner: dict[str, Any], name: str) -> bool: ...

class Plan:
    shape: tuple[int, ...]
    def __call__(self, *arrays: Array, out: Array | None = None) -> Any: ...

class Bound(Plan):
    def __init__(self, plan: Plan, first: Array) -> None: ...

class Plus(Plan):
    def __init__(self, plan: Plan) -> None: ...

class Several(Plan):
    def __init__(self, *parts: tuple[Plan | None, tuple[int, ...]]) -> None: ...

def Remembering(function: F) -> F: ...  # a class, which makes no difference to who calls its objects

class Op:
    def __init__(self, plan: Callable[..., Plan], required: int) -> None: ...
    def __call__(self, arrays: tuple[Any, ...], arguments: tuple[Any, ...], out: Array | None = None) -> Any: ...

class GemmPlan(Plan):
    def __init__(
        self,
        shape: tuple[int, ...],
        m: int,
        n: int,
        k: int,
        isa: int,
        threads: int,
        double: bool,
        exact: bool,
        transpose_a: bool = False,
        transpose_b: bool = False,
        clamp: tuple[float, float] = ...,
    ) -> None: ...

class ConvPlan(Plan):
    def __init__(
        self,
        which: int,
        geometry: Any,
        isa: int,
        threads: int,
        double: bool,
        exact: bool,
        shape: tuple[int, ...] | None = None,
        algorithm: int = ...,
        clamp: tuple[float, float] = ...,
        prepared: bool = False,
        channels_last: bool = False,
    ) -> None: ...
    def prepare(self, weight: Array) -> Array: ...
    def info(self) -> dict[str, Any]: ...

class Prepared(Plan):
    weight: Array
    def __init__(self, plan: ConvPlan, weight: Array) -> None: ...

class ChannelsFirst(Plan):
    def __init__(self, plan: Plan, rank: int, arrays: int, shape: tuple[int, ...] | None) -> None: ...

class BiasPlan(Plan):
    def __init__(
        self, grad_output: tuple[int, ...], rank: int, isa: int, threads: int, double: bool, exact: bool
    ) -> None: ...

class PoolPlan(Plan):
    def __init__(
        self,
        which: int,
        geometry: Any,
        isa: int,
        threads: int,
        double: bool,
        exact: bool,
        count_pad: bool = True,
        divisor: float = 0,
    ) -> None: ...

class PlacePlan(Plan):
    def __init__(self, backward: bool, geometry: Any, isa: int, threads: int, double: bool, exact: bool) -> None: ...

def activation(how: How, kind: int, a: float, b: float, x: Array, dy: Array | None, out: Array) -> None: ...
def prelu(how: How, x: Array, weight: Array, out: Array) -> None: ...
def prelu_backward(how: How, x: Array, weight: Array, dy: Array, dx: Array, dw: Array) -> None: ...
def scatter(how: How, kind: int, planes: int, lanes: int, index: Array, x: Array, y: Array) -> bool: ...
def columns(
    how: How, adjoint: bool, geometry: Any, strides: tuple[int, ...], fill: float, x: Array, cols: Array
) -> None: ...
def power(how: How, factor: float, exponent: float, x: Array, y: Array) -> None: ...
def power_backward(
    how: How, factor: float, exponent: float, flat_at_zero: bool, x: Array, dy: Array, dx: Array
) -> None: ...
def add(how: How, x: Array, z: Array, low: float, high: float, out: Array) -> None: ...
def norm_forward(
    how: How,
    x: Array,
    groups: int,
    statistics: int,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    mean: Array,
    variance: Array,
    y: Array,
    z: Array | None = None,
    low: float = ...,
    high: float = ...,
) -> None: ...
def norm_backward(
    how: How,
    dy: Array,
    x: Array,
    groups: int,
    statistics: int,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    mean: Array,
    variance: Array,
    dx: Array,
    dweight: Array,
    dbias: Array,
    low: float = ...,
    high: float = ...,
) -> None: ...
def sgd_step(
    how: How,
    rate: float,
    momentum: float,
    decay: float,
    nesterov: bool,
    grad: Array,
    velocity: Array | None,
    data: Array,
) -> None: ...
def adam_step(
    how: How,
    rate: float,
    root: float,
    betas: tuple[float, float],
    eps: float,
    decay: float,
    keep: float,
    grad: Array,
    mean: Array,
    square: Array,
    data: Array,
) -> None: ...
def lrn(
    how: How,
    x: Array,
    dy: Array | None,
    size: int,
    alpha: float,
    beta: float,
    k: float,
    out: Array,
    scratch: Array | None,
) -> None: ...
def softmax(how: How, logarithm: bool, x: Array, dy: Array | None, out: Array) -> None: ...
def cross_entropy(
    how: How,
    x: Array,
    target: Array | None,
    probabilities: Array | None,
    weight: Array | None,
    ignore_index: int,
    smoothing: float,
    losses: Array,
    dx: Array | None,
) -> bool: ...
def dropout(
    how: How, p: float, seed: int, run: int, x: Array, y: Array, kept: Array | None = None, again: bool = False
) -> None: ...
def peak_fma(how: How, double: bool, rounds: int) -> int: ...
def peak_stream(how: How, src: Array, dst: Array) -> None: ...
def tiles(isa: int, double: bool) -> list[tuple[int, int]]: ...
def peak_tile(isa: int, rounds: int, a: Array, b: Array, offsets: Array, y: Array) -> None: ...
