"""PyTorch as a contender, with its usual memory layout or channels last."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from cnnfast.bench.tasks import Call, Contender, Task

LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
_aten = torch.ops.aten


class Torch:
    """PyTorch's own kernels without its autograd.

    Channels last, operands and results are in that layout from the start: no conversion is timed. A
    problem in 1D is then one in 2D of height 1, since the layout has no name in 1D.
    """

    def __init__(self, channels_last: bool) -> None:
        self.channels_last = channels_last
        self.name = "torch-cl" if channels_last else "torch"

    def describe(self) -> str:
        return f"torch {torch.__version__}"

    def prepare(self, task: Task) -> Call | None:
        if self.channels_last and not task.problem.kernel:
            return None
        lift = task.problem.rank == 1 and (self.channels_last or not task.problem.outputs)
        operands = [self._tensor(a, lift) for a in (task.x, task.w, task.dy)]
        axes = {
            name: ([identity] if lift else []) + list(getattr(task.problem, name))
            for name, identity in (
                ("kernel", 1),
                ("stride", 1),
                ("padding", 0),
                ("dilation", 1),
                ("output_padding", 0),
            )
        }
        call = getattr(self, task.op)(task, *operands, axes)
        quiet: Call = torch.inference_mode()(call)
        return quiet

    def _tensor(self, array: Any, lift: bool) -> Any:
        if array is None:
            return None
        tensor = torch.from_numpy(array)
        tensor = tensor.unsqueeze(2) if lift else tensor
        if not self.channels_last:
            return tensor
        return tensor.contiguous(memory_format=LAST[tensor.dim() - 2])

    def conv(self, task: Task, x: Any, w: Any, dy: Any, axes: dict[str, list[int]]) -> Call:
        arguments = (
            axes["stride"],
            axes["padding"],
            axes["dilation"],
            task.problem.transposed,
            axes["output_padding"],
            task.problem.groups,
        )
        if task.forward:
            return partial(_aten.convolution, x, w, None, *arguments)
        index = ("backward_data", "backward_weights").index(task.which)
        mask = [index == 0, index == 1, False]
        return lambda: _aten.convolution_backward(dy, x, w, None, *arguments, mask)[index]

    conv_transpose = conv

    def linear(self, task: Task, x: Any, w: Any, dy: Any, axes: dict[str, list[int]]) -> Call:
        if task.forward:
            return partial(F.linear, x, w)
        return lambda: (torch.mm(dy, w), torch.mm(dy.t(), x), torch.sum(dy, 0))

    def max_pool(self, task: Task, x: Any, w: Any, dy: Any, axes: dict[str, list[int]]) -> Call:
        rank = x.dim() - 2
        arguments = axes["kernel"], axes["stride"], axes["padding"], axes["dilation"], False
        if task.forward:
            return partial(getattr(F, f"max_pool{rank}d"), x, *arguments)
        _, indices = getattr(_aten, f"max_pool{rank}d_with_indices")(x, *arguments)
        backward = getattr(_aten, f"max_pool{rank}d_with_indices_backward")
        return partial(backward, dy, x, *arguments, indices)

    def avg_pool(self, task: Task, x: Any, w: Any, dy: Any, axes: dict[str, list[int]]) -> Call:
        rank = x.dim() - 2
        arguments = axes["kernel"], axes["stride"], axes["padding"]
        if task.forward:
            return partial(getattr(F, f"avg_pool{rank}d"), x, *arguments)
        backward = getattr(_aten, f"avg_pool{rank}d_backward")
        return partial(backward, dy, x, *arguments, False, True, None)

    def relu(self, task: Task, x: Any, w: Any, dy: Any, axes: dict[str, list[int]]) -> Call:
        if task.forward:
            return partial(torch.relu, x)
        return partial(_aten.threshold_backward, dy, x, 0)


def contenders() -> list[Contender]:
    """Return what this peer is timed as."""
    return [Torch(channels_last=False), Torch(channels_last=True)]
