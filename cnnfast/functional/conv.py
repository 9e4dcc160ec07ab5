"""Convolution in 1, 2 and 3 dimensions, transposed convolution, and their gradients.

The functions of the three ranks differ in nothing but the number of spatial axes, so each family is made by one factory.
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from cnnfast._geometry.convolution import Padding
from cnnfast.functional import _convolution as nd
from cnnfast.functional._convolution import Array, Ints, Mask
from cnnfast.functional._naming import named

_CONV_DOC = """Cross-correlate a batch of images with a bank of filters ("convolution").

    ``out[n, k, o] = bias[k] + sum_{c, t} input[n, c, o * stride + t * dilation - padding] * weight[k, c, t]``, where c runs
    over the channels of k's group; V. Dumoulin and F. Visin, arXiv:1603.07285.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    weight : array_like, shape (K, C // groups, kernel), dtype of `input`
    bias : array_like, shape (K,), optional
    stride, dilation : int or tuple of ints, one an axis
    padding : int, tuple of ints, tuple of pairs ((low, high), ...), 'valid' or 'same'
        Zeros around the input.  'same' gives ceil(size / stride) points; an odd padding puts one more on the high side.
    groups : int
        Channels are cut into this many groups, and output channels see their own group only.
    out : ndarray, optional
        Where to put the result; it may be strided and may overlap an input.
    algo : {'auto', 'direct', 'winograd'}
        'direct' sums plain products; 'auto' takes the fastest algorithm there is for the problem, and 'winograd' is a wish that
        falls back to it.

    Returns
    -------
    ndarray, shape (N, K, AXES') or (K, AXES'), dtype of `input`
        AXES' = (size + padding - dilation * (kernel - 1) - 1) // stride + 1 on each axis.

    Raises
    ------
    TypeError
        For a dtype other than float32 and float64, dtypes that differ, or arguments that are no ints.
    ValueError
        For shapes that do not fit each other, or values out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import convRANKd
    >>> image = np.ones((1, 2, SHAPE), np.float32)
    >>> out = convRANKd(image, np.ones((4, 2, KERNEL), np.float32), padding=1)
    >>> out.shape == (1, 4, SHAPE), float(out.max()) == 2 * 3**RANK
    (True, True)
    """

_TRANSPOSE_DOC = """Transposed convolution, the adjoint of `convRANKd`: the gradient of a convolution with respect to its input.

    ``out[n, k, i * stride + t * dilation - padding] += input[n, c, i] * weight[c, k, t]`` over all c, i, t, plus ``bias[k]``;
    V. Dumoulin and F. Visin, arXiv:1603.07285.

    Parameters
    ----------
    input : array_like, shape (N, C, AXES) or (C, AXES), float32 or float64
    weight : array_like, shape (C, K // groups, kernel), dtype of `input`
    bias : array_like, shape (K,), optional
    stride, padding, dilation : int or tuple of ints, of the convolution whose adjoint this is
    output_padding : int or tuple of ints
        Points added at the high side, less than stride or dilation: a strided convolution has several input sizes.
    groups : int
    out : ndarray, optional
    algo : {'auto', 'direct', 'winograd'}

    Returns
    -------
    ndarray, shape (N, K, AXES') or (K, AXES'), dtype of `input`
        AXES' = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1 on each axis.

    Raises
    ------
    TypeError, ValueError
        As `convRANKd`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv_transposeRANKd
    >>> out = conv_transposeRANKd(np.ones((1, 2, SHAPE)), np.ones((2, 4, KERNEL)), stride=2, padding=1, output_padding=1)
    >>> out.shape[2:] == (16,) * RANK
    True
    """

_BACKWARD_DOC = """Gradients of `OP` with respect to input, weight and bias.

    Parameters
    ----------
    grad_output : array_like, shape of the output of `OP`
    input, weight : array_like, as in `OP`
    output_mask : (bool, bool, bool)
        Which gradients to compute; None stands for the others.

    Returns
    -------
    (grad_input, grad_weight, grad_bias)

    Raises
    ------
    TypeError, ValueError
        As `OP`, and if `grad_output` has not the shape of its output.
    """

_INPUT_DOC = """Gradient of `convRANKd` with respect to an input of shape `input_size`, as `torch.nn.grad.convRANKd_input`.

    Returns
    -------
    ndarray, shape `input_size`
    """

_WEIGHT_DOC = """Gradient of `convRANKd` with respect to a weight of shape `weight_size`, as `torch.nn.grad.convRANKd_weight`.

    Returns
    -------
    ndarray, shape `weight_size`
    """


def _conv(rank: int):  # type: ignore[no-untyped-def]
    def function(
        input: ArrayLike,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        *,
        out: Array | None = None,
        algo: str = "auto",
    ) -> Array:
        return nd.conv(rank, input, weight, bias, stride, padding, dilation, groups, out, algo)

    return named(function, __name__, f"conv{rank}d", rank, _CONV_DOC)


def _conv_transpose(rank: int):  # type: ignore[no-untyped-def]
    def function(
        input: ArrayLike,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        dilation: Ints = 1,
        *,
        out: Array | None = None,
        algo: str = "auto",
    ) -> Array:
        return nd.conv_transpose(
            rank, input, weight, bias, stride, padding, output_padding, groups, dilation, out, algo
        )

    return named(function, __name__, f"conv_transpose{rank}d", rank, _TRANSPOSE_DOC)


def _conv_backward(rank: int):  # type: ignore[no-untyped-def]
    def function(
        grad_output: ArrayLike,
        input: ArrayLike,
        weight: ArrayLike,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        *,
        output_mask: Mask = (True, True, True),
    ) -> tuple[Array | None, Array | None, Array | None]:
        return nd.conv_backward(rank, grad_output, input, weight, stride, padding, dilation, groups, output_mask)

    doc = _BACKWARD_DOC.replace("OP", f"conv{rank}d")
    return named(function, __name__, f"conv{rank}d_backward", rank, doc)


def _conv_transpose_backward(rank: int):  # type: ignore[no-untyped-def]
    def function(
        grad_output: ArrayLike,
        input: ArrayLike,
        weight: ArrayLike,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        dilation: Ints = 1,
        *,
        output_mask: Mask = (True, True, True),
    ) -> tuple[Array | None, Array | None, Array | None]:
        return nd.conv_transpose_backward(
            rank, grad_output, input, weight, stride, padding, output_padding, groups, dilation, output_mask
        )

    doc = _BACKWARD_DOC.replace("OP", f"conv_transpose{rank}d")
    return named(function, __name__, f"conv_transpose{rank}d_backward", rank, doc)


def _conv_input(rank: int):  # type: ignore[no-untyped-def]
    def function(
        input_size: Sequence[int],
        weight: ArrayLike,
        grad_output: ArrayLike,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
    ) -> Array:
        return nd.conv_input(rank, input_size, weight, grad_output, stride, padding, dilation, groups)

    return named(function, __name__, f"conv{rank}d_input", rank, _INPUT_DOC)


def _conv_weight(rank: int):  # type: ignore[no-untyped-def]
    def function(
        input: ArrayLike,
        weight_size: Sequence[int],
        grad_output: ArrayLike,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
    ) -> Array:
        return nd.conv_weight(rank, input, weight_size, grad_output, stride, padding, dilation, groups)

    return named(function, __name__, f"conv{rank}d_weight", rank, _WEIGHT_DOC)


conv1d, conv2d, conv3d = map(_conv, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_conv_transpose, (1, 2, 3))
conv1d_backward, conv2d_backward, conv3d_backward = map(_conv_backward, (1, 2, 3))
conv_transpose1d_backward, conv_transpose2d_backward, conv_transpose3d_backward = map(
    _conv_transpose_backward, (1, 2, 3)
)
conv1d_input, conv2d_input, conv3d_input = map(_conv_input, (1, 2, 3))
conv1d_weight, conv2d_weight, conv3d_weight = map(_conv_weight, (1, 2, 3))

_FAMILIES = ("conv{}d", "conv_transpose{}d", "conv{}d_backward", "conv_transpose{}d_backward", "conv{}d_input", "conv{}d_weight")
__all__ = [family.format(rank) for family in _FAMILIES for rank in (1, 2, 3)]  # noqa: PLE0605
