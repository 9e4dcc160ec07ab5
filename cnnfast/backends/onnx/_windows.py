"""Windows of convolution and pooling: ONNX's pads, auto_pad and ceil_mode as pairs of paddings."""

from __future__ import annotations

from typing import NamedTuple

from cnnfast.backends.onnx._node import Ints, Node

Pairs = tuple[tuple[int, int], ...]


def split(pads: Ints) -> Pairs:
    """[low..., high...] as ((low, high), ...)."""
    rank = len(pads) // 2
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


class Windows(NamedTuple):
    """One entry an axis; `pads` are those that auto_pad asks for, if it does."""

    kernel: Ints
    stride: Ints
    dilation: Ints
    pads: Pairs
    ceil: bool

    @classmethod
    def of(cls, node: Node, extent: Ints, kernel: Ints) -> Windows:
        stride = node.ints("strides", (1,) * len(kernel))
        dilation = node.ints("dilations", (1,) * len(kernel))
        auto_pad = node.text("auto_pad", "NOTSET")
        if auto_pad == "NOTSET":
            pads = split(node.ints("pads", (0,) * 2 * len(kernel)))
        elif auto_pad == "VALID":
            pads = ((0, 0),) * len(kernel)
        else:
            axes = zip(extent, kernel, stride, dilation, strict=True)
            totals = [max((-(-e // s) - 1) * s + d * (k - 1) + 1 - e, 0) for e, k, s, d in axes]
            pads = halves(totals, more_below=auto_pad == "SAME_LOWER")
        return cls(kernel, stride, dilation, pads, bool(node.get("ceil_mode", 0)) and not auto_pad.startswith("SAME"))

    @property
    def within_half(self) -> bool:
        """Whether `functional` pools with these paddings."""
        return all(max(pair) <= k // 2 for k, pair in zip(self.kernel, self.pads, strict=True))

    def floored(self, extent: Ints) -> Windows:
        """The same windows without ceil_mode: the high padding reaches to the end of the last one."""
        pads = []
        for e, k, s, d, (low, high) in zip(extent, self.kernel, self.stride, self.dilation, self.pads, strict=True):
            window, padded = d * (k - 1) + 1, e + low + high
            points = (padded - window + (s - 1 if self.ceil else 0)) // s + 1
            if self.ceil and (points - 1) * s >= e + low:
                points -= 1
            pads.append((low, max((points - 1) * s + window - e - low, 0)))
        return self._replace(pads=tuple(pads), ceil=False)


def halves(totals: list[int], *, more_below: bool) -> Pairs:
    """Each total in two, of which the low one or the high one is larger where it is odd."""
    pairs = ((total // 2, total - total // 2) for total in totals)
    return tuple(pair[::-1] if more_below else pair for pair in pairs)
