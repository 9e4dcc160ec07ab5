"""What must hold between convolutions: strides, dilation, groups, ranks, threads, instruction sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import Draw, solvable

from cnnfast import _config
from cnnfast import functional as F
from cnnfast.testing import integers

pytestmark = pytest.mark.usefixtures("exact")


@pytest.mark.parametrize("plain", [True, False])
def test_random_floats_do_not_depend_on_threads(plain: bool, isa: int, dtype: Any, rng: np.random.Generator) -> None:
    draw = Draw(rng, dtype)
    for op in ("conv1d", "conv2d", "conv2d", "conv3d") * 3:
        problem, results = solvable(op, draw, F), []
        for count in (1, 2, 3, 5):
            with _config.using(threads=count, exact=plain):
                y = problem.forward(F)
                results.append([y, *problem.backward(F, np.cos(y), y).values()])
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                assert a.tobytes() == b.tobytes(), str(problem)


def test_a_stride_is_a_slice(isa: int, rng: np.random.Generator) -> None:
    x, w = integers(rng, (2, 3, 13, 17), np.float32), integers(rng, (5, 3, 3, 4), np.float32)
    dense = F.conv2d(x, w, padding=2)
    assert np.array_equal(F.conv2d(x, w, padding=2, stride=(2, 3)), dense[:, :, ::2, ::3])


def test_a_dilation_is_a_kernel_stuffed_with_zeros(isa: int, rng: np.random.Generator) -> None:
    x, w = integers(rng, (2, 3, 13, 17), np.float32), integers(rng, (5, 3, 3, 2), np.float32)
    stuffed = np.zeros((5, 3, 5, 4), np.float32)
    stuffed[:, :, ::2, ::3] = w
    assert np.array_equal(F.conv2d(x, w, dilation=(2, 3)), F.conv2d(x, stuffed))


def test_groups_are_blocks_of_a_dense_kernel(isa: int, rng: np.random.Generator) -> None:
    x, w = integers(rng, (2, 6, 9, 9), np.float32), integers(rng, (8, 3, 3, 3), np.float32)
    dense = np.zeros((8, 6, 3, 3), np.float32)
    dense[:4, :3], dense[4:, 3:] = w[:4], w[4:]
    assert np.array_equal(F.conv2d(x, w, groups=2), F.conv2d(x, dense))


def test_padding_is_a_larger_input(isa: int, rng: np.random.Generator) -> None:
    x, w = integers(rng, (2, 3, 7, 8), np.float32), integers(rng, (5, 3, 3, 3), np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 2), (0, 3)))
    assert np.array_equal(F.conv2d(x, w, padding=((1, 2), (0, 3))), F.conv2d(padded, w))


def test_depth_taps_outside_of_the_source_are_left_out(isa: int, dtype: Any, rng: np.random.Generator) -> None:
    """Slices read in place (slice large enough), from a slab, and with depth taps that never meet the source."""
    for h, kernel, pad in ((16, (3, 1, 1), 1), (3, (3, 3, 3), 2), (16, (2, 1, 1), 5)):
        x, w = integers(rng, (2, 9, 4, h, 17), dtype), integers(rng, (5, 9, *kernel), dtype)
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (0, 0), (0, 0)))
        assert np.array_equal(F.conv3d(x, w, padding=(pad, 0, 0)), F.conv3d(padded, w))


def test_a_transposed_convolution_is_one_of_the_padded_input(isa: int, dtype: Any, rng: np.random.Generator) -> None:
    """Of ten rows and five taps most border rows read few taps, which is where row taps are left out."""
    for depth, channels in ((1, 16), (3, 5)):
        x, w = integers(rng, (5, channels, depth, 10, 10), dtype), integers(rng, (channels, 6, depth, 5, 5), dtype)
        pads = [(k - 1, k - 1) for k in w.shape[2:]]
        flipped = np.ascontiguousarray(w[:, :, ::-1, ::-1, ::-1].swapaxes(0, 1))
        assert np.array_equal(F.conv_transpose3d(x, w), F.conv3d(np.pad(x, ((0, 0), (0, 0), *pads)), flipped))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_gives_a_point_a_stride(stride: int, rng: np.random.Generator) -> None:
    x, w = integers(rng, (1, 1, 10), np.float32), integers(rng, (1, 1, 4), np.float32)
    assert F.conv1d(x, w, padding="same", stride=stride).shape[-1] == -(-10 // stride)


def test_ranks_agree(isa: int, rng: np.random.Generator) -> None:
    x, w = integers(rng, (2, 3, 40), np.float32), integers(rng, (5, 3, 4), np.float32)
    line = F.conv1d(x, w, stride=2, padding=1)
    plane = F.conv2d(x[:, :, None], w[:, :, None], stride=(1, 2), padding=(0, 1))
    volume = F.conv3d(x[:, :, None, None], w[:, :, None, None], stride=(1, 1, 2), padding=(0, 0, 1))
    assert np.array_equal(line, plane[:, :, 0])
    assert np.array_equal(line, volume[:, :, 0, 0])


def test_unbatched_input(rng: np.random.Generator) -> None:
    x, w = integers(rng, (1, 3, 9, 9), np.float32), integers(rng, (5, 3, 3, 3), np.float32)
    y = F.conv2d(x, w)
    assert np.array_equal(F.conv2d(x[0], w), y[0])
    for one, batch in zip(F.conv2d_backward(y[0], x[0], w), F.conv2d_backward(y, x, w), strict=True):
        assert np.array_equal(one, batch.reshape(one.shape))


def test_large_floats_stay_within_the_bound_of_a_dot_product(isa: int, dtype: Any, rng: np.random.Generator) -> None:
    """|y - y64| <= (K + 2) eps (|x| * |w|) (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1)."""
    x, w = rng.standard_normal((2, 40, 9, 9)), rng.standard_normal((7, 40, 3, 3))
    got = F.conv2d(x.astype(dtype), w.astype(dtype), padding=1)
    x, w = x.astype(dtype).astype(np.longdouble), w.astype(dtype).astype(np.longdouble)
    columns = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
    exact = np.einsum("nchwij,kcij->nkhw", columns, w)
    bound = (40 * 9 + 2) * np.finfo(dtype).eps * np.einsum("nchwij,kcij->nkhw", abs(columns), abs(w))
    assert np.all(abs(got - exact) <= bound)
