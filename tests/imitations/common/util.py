"""Columns in float64, as the book's."""

import numpy as np


def im2col(input_data, filter_h, filter_w, stride=1, pad=0):
    padded = np.pad(input_data, ((0, 0), (0, 0), (pad, pad), (pad, pad))).astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (filter_h, filter_w), (2, 3))[:, :, ::stride, ::stride]
    n, c, h, w = windows.shape[:4]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * filter_h * filter_w)


def col2im(col, input_shape, filter_h, filter_w, stride=1, pad=0):
    n, c, h, w = input_shape
    image = np.zeros((n, c, h + 2 * pad, w + 2 * pad))
    rows, columns = (h + 2 * pad - filter_h) // stride + 1, (w + 2 * pad - filter_w) // stride + 1
    windows = col.reshape(n, rows, columns, c, filter_h, filter_w)
    for i, j in np.ndindex(rows, columns):
        y, x = i * stride, j * stride
        image[:, :, y : y + filter_h, x : x + filter_w] += windows[:, i, j]
    return image[:, :, pad : pad + h, pad : pad + w]
