"""Whole nets, written once for whatever library has PyTorch's names, `Residual` and `Joined`.

`Joined(body)` gives its input and what `body` makes of it, one after the other along the channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Net(NamedTuple):
    """A net, the shape of a batch, and the classes that each image, or each point of it, is of."""

    name: str
    make: Callable[[Any], Any]
    shape: tuple[int, ...]
    classes: int
    pointwise: bool = False

    @property
    def target_shape(self) -> tuple[int, ...]:
        return (self.shape[0], *self.shape[2:]) if self.pointwise else self.shape[:1]

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape))}"


def lenet5(nn: Any) -> Any:
    """LeCun et al. 1998, with max pooling and ReLU."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 120, 5), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def vgg11(nn: Any) -> Any:
    """Simonyan and Zisserman, arXiv:1409.1556, configuration A, for images of 32x32 with one connected layer."""
    layers, channels = [], 3
    for width, pooled in ((64, 1), (128, 1), (256, 0), (256, 1), (512, 0), (512, 1), (512, 0), (512, 1)):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), *([nn.MaxPool2d(2)] if pooled else [])]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


def resnet18(nn: Any) -> Any:
    """He et al., arXiv:1512.03385."""
    blocks, channels = [*_conv(nn, 3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        body = nn.Sequential(*_conv(nn, channels, width, 3, stride), *_conv(nn, width, width, 3)[:-1])
        around = (
            () if (channels, stride) == (width, 1) else (nn.Sequential(*_conv(nn, channels, width, 1, stride)[:-1]),)
        )
        blocks += [nn.Residual(body, *around), nn.ReLU()]
        channels = width
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def mobilenet_v2(nn: Any) -> Any:
    """Sandler et al., arXiv:1801.04381."""
    blocks, channels = _conv(nn, 3, 32, 3, 2, activation="ReLU6"), 32
    for expansion, width, count, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
    ):  # fmt: skip
        for step in (stride, *[1] * (count - 1)):
            blocks.append(_inverted(nn, channels, width, step, expansion))
            channels = width
    blocks += _conv(nn, channels, 1280, 1, activation="ReLU6")
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def dilated1d(nn: Any) -> Any:
    """Residual blocks whose dilation doubles, as in WaveNet (van den Oord et al., arXiv:1609.03499)."""
    blocks = [nn.Conv1d(1, 64, 3, padding=1)]
    for dilation in (1, 2, 4, 8, 16, 32):
        conv = nn.Conv1d(64, 64, 3, padding=dilation, dilation=dilation, bias=False)
        blocks.append(nn.Residual(nn.Sequential(conv, nn.BatchNorm1d(64), nn.ReLU(), nn.Conv1d(64, 64, 1))))
    return nn.Sequential(*blocks, nn.ReLU(), nn.Conv1d(64, 4, 1))


def unet3d(nn: Any) -> Any:
    """Three floors in the manner of Cicek et al., arXiv:1606.06650, with a class for each voxel."""
    return nn.Sequential(*_floor(nn, 1, 16, 3), nn.Conv3d(16, 4, 1))


def _floor(nn: Any, channels: int, width: int, floors: int) -> list[Any]:
    layers = _twice(nn, channels, width)
    if floors > 1:
        up = nn.ConvTranspose3d(2 * width, width, 2, 2)
        below = nn.Sequential(nn.MaxPool3d(2), *_floor(nn, width, 2 * width, floors - 1), up)
        layers += [nn.Joined(below), *_twice(nn, 2 * width, width)]
    return layers


def _twice(nn: Any, channels: int, width: int) -> list[Any]:
    return _conv(nn, channels, width, 3, rank=3) + _conv(nn, width, width, 3, rank=3)


def _inverted(nn: Any, channels: int, width: int, stride: int, expansion: int) -> Any:
    inner = expansion * channels
    layers = _conv(nn, channels, inner, 1, activation="ReLU6") if expansion > 1 else []
    layers += _conv(nn, inner, inner, 3, stride, inner, "ReLU6") + _conv(nn, inner, width, 1)[:-1]
    body = nn.Sequential(*layers)
    return nn.Residual(body) if (channels, stride) == (width, 1) else body


def _conv(
    nn: Any,
    channels: int,
    width: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    activation: str = "ReLU",
    rank: int = 2,
) -> list[Any]:
    """Convolution, batch norm, activation."""
    conv = getattr(nn, f"Conv{rank}d")(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, getattr(nn, f"BatchNorm{rank}d")(width), getattr(nn, activation)()]


ZOO = (
    Net("LeNet-5", lenet5, (64, 1, 32, 32), 10),
    Net("LeNet-5", lenet5, (1, 1, 32, 32), 10),
    Net("VGG-11", vgg11, (32, 3, 32, 32), 10),
    Net("ResNet-18", resnet18, (8, 3, 224, 224), 1000),
    Net("ResNet-18", resnet18, (1, 3, 224, 224), 1000),
    Net("MobileNetV2", mobilenet_v2, (8, 3, 224, 224), 1000),
    Net("dilated 1D", dilated1d, (16, 1, 4000), 4, pointwise=True),
    Net("3D U-Net", unet3d, (1, 1, 64, 64, 64), 4, pointwise=True),
)
