"""Convolution in 1, 2 and 3 dimensions, transposed convolution, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from cnnfast._geometry.convolution import Padding
from cnnfast.functional import _convolution as ops
from cnnfast.functional._convolution import Array, Ints, Mask
from cnnfast.functional._naming import ranks

Gradients = tuple[Array | None, Array | None, Array | None]


@ranks
def convNd(
    rank: int,
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
    data_format: str = "channels_first",
) -> Array:
    """Cross-correlate a batch of images with a bank of filters ("convolution").

    ``out[n, k, o] = bias[k] + sum_{c, t} input[n, c, o * stride + t * dilation - padding] * weight[k, c, t]``,
    where c runs over the channels of k's group; V. Dumoulin and F. Visin, arXiv:1603.07285.

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
        'direct' sums plain products; 'auto' takes the algorithm that is expected to be the fastest, and
        'winograd' is a wish that falls back to direct. Under Winograd's algorithm float32 results differ from exact
        ones by less than 1e-5 of the largest element, and NaN and infinity spread over a tile of some 4 points along
        each axis; 'direct' keeps them to the outputs whose window has them.
    data_format : str
        'channels_last' (or 'NWC', 'NHWC', 'NDHWC'): `input` and the result are (N, AXES, C); `weight` stays as it is.

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
    >>> from cnnfast.functional import convNd
    >>> image = np.ones((1, 2, SHAPE), np.float32)
    >>> out = convNd(image, np.ones((4, 2, KERNEL), np.float32), padding=1)
    >>> out.shape == (1, 4, SHAPE), float(out.max()) == 2 * 3**RANK
    (True, True)
    """
    return ops.CONV[rank]((input, weight, bias), (stride, padding, dilation, groups, algo, data_format), out)


@ranks
def conv_transposeNd(
    rank: int,
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
    data_format: str = "channels_first",
) -> Array:
    """Transposed convolution, the adjoint of `convNd`: the gradient of a convolution with respect to its input.

    ``out[n, k, i * stride + t * dilation - padding] += input[n, c, i] * weight[c, k, t]`` over all c, i, t,
    plus ``bias[k]``; V. Dumoulin and F. Visin, arXiv:1603.07285.

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
        As in `convNd`.
    data_format : str
        As in `convNd`.

    Returns
    -------
    ndarray, shape (N, K, AXES') or (K, AXES'), dtype of `input`
        AXES' = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1 on each axis.

    Raises
    ------
    TypeError, ValueError
        As `convNd`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv_transposeNd
    >>> out = conv_transposeNd(np.ones((1, 2, SHAPE)), np.ones((2, 4, KERNEL)), stride=2, padding=1, output_padding=1)
    >>> out.shape[2:] == (16,) * RANK
    True
    """
    arguments = stride, padding, output_padding, groups, dilation, algo, data_format
    return ops.TRANSPOSE[rank]((input, weight, bias), arguments, out)


@ranks
def convNd_backward(
    rank: int,
    grad_output: ArrayLike,
    input: ArrayLike,
    weight: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    output_mask: Mask = (True, True, True),
    data_format: str = "channels_first",
) -> Gradients:
    """Gradients of `convNd` with respect to input, weight and bias.

    Parameters
    ----------
    grad_output : array_like, shape of the output of `convNd`
    input, weight : array_like, as in `convNd`
    output_mask : (bool, bool, bool)
        Which gradients to compute; None stands for the others.
    data_format : str
        Of `grad_output`, `input` and grad_input, as in `convNd`.

    Returns
    -------
    (grad_input, grad_weight, grad_bias)

    Raises
    ------
    TypeError, ValueError
        As `convNd`, and if `grad_output` has not the shape of its output.
    """
    arguments = stride, padding, dilation, groups, output_mask, data_format
    return ops.CONV_BACKWARD[rank]((grad_output, input, weight), arguments)


@ranks
def conv_transposeNd_backward(
    rank: int,
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
    data_format: str = "channels_first",
) -> Gradients:
    """Gradients of `conv_transposeNd` with respect to input, weight and bias.

    Parameters
    ----------
    grad_output : array_like, shape of the output of `conv_transposeNd`
    input, weight : array_like, as in `conv_transposeNd`
    output_mask : (bool, bool, bool)
        Which gradients to compute; None stands for the others.
    data_format : str
        Of `grad_output`, `input` and grad_input, as in `convNd`.

    Returns
    -------
    (grad_input, grad_weight, grad_bias)

    Raises
    ------
    TypeError, ValueError
        As `conv_transposeNd`, and if `grad_output` has not the shape of its output.
    """
    arguments = stride, padding, output_padding, groups, dilation, output_mask, data_format
    return ops.TRANSPOSE_BACKWARD[rank]((grad_output, input, weight), arguments)


@ranks
def convNd_input(
    rank: int,
    input_size: Sequence[int],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    data_format: str = "channels_first",
) -> Array:
    """Gradient of `convNd` with respect to an input of shape `input_size`, as `torch.nn.grad.convNd_input`.

    Returns
    -------
    ndarray, shape `input_size`
    """
    return ops.CONV_INPUT[rank]((grad_output, weight), (input_size, stride, padding, dilation, groups, data_format))


@ranks
def convNd_weight(
    rank: int,
    input: ArrayLike,
    weight_size: Sequence[int],
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    data_format: str = "channels_first",
) -> Array:
    """Gradient of `convNd` with respect to a weight of shape `weight_size`, as `torch.nn.grad.convNd_weight`.

    Returns
    -------
    ndarray, shape `weight_size`
    """
    return ops.CONV_WEIGHT[rank]((input, grad_output), (weight_size, stride, padding, dilation, groups, data_format))


conv1d, conv2d, conv3d = convNd
conv_transpose1d, conv_transpose2d, conv_transpose3d = conv_transposeNd
conv1d_backward, conv2d_backward, conv3d_backward = convNd_backward
conv_transpose1d_backward, conv_transpose2d_backward, conv_transpose3d_backward = conv_transposeNd_backward
conv1d_input, conv2d_input, conv3d_input = convNd_input
conv1d_weight, conv2d_weight, conv3d_weight = convNd_weight

__all__ = [
    "conv1d",
    "conv1d_backward",
    "conv1d_input",
    "conv1d_weight",
    "conv2d",
    "conv2d_backward",
    "conv2d_input",
    "conv2d_weight",
    "conv3d",
    "conv3d_backward",
    "conv3d_input",
    "conv3d_weight",
    "conv_transpose1d",
    "conv_transpose1d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose3d",
    "conv_transpose3d_backward",
]
