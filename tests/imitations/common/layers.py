"""Layers with the interface of the book's."""

import numpy as np

from common.util import col2im, im2col


class Relu:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        dout[self.mask] = 0
        return dout


class Convolution:
    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.x = self.col = self.dW = self.db = None

    def forward(self, x):
        n, _, h, w = x.shape
        k, _, fh, fw = self.W.shape
        self.x, self.col = x, im2col(x, fh, fw, self.stride, self.pad)
        out_h, out_w = (h + 2 * self.pad - fh) // self.stride + 1, (w + 2 * self.pad - fw) // self.stride + 1
        out = self.col @ self.W.reshape(k, -1).T + self.b
        return out.reshape(n, out_h, out_w, k).transpose(0, 3, 1, 2)

    def backward(self, dout):
        k, _, fh, fw = self.W.shape
        rows = dout.transpose(0, 2, 3, 1).reshape(-1, k)
        self.db, self.dW = rows.sum(0), (rows.T @ self.col).reshape(self.W.shape)
        return col2im(rows @ self.W.reshape(k, -1), self.x.shape, fh, fw, self.stride, self.pad)


class Pooling:
    def __init__(self, pool_h, pool_w, stride=2, pad=0):
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad
        self.x = self.arg_max = None

    def forward(self, x):
        n, c, h, w = x.shape
        out_h, out_w = (
            (h + 2 * self.pad - self.pool_h) // self.stride + 1,
            (w + 2 * self.pad - self.pool_w) // self.stride + 1,
        )
        col = im2col(x, self.pool_h, self.pool_w, self.stride, self.pad).reshape(-1, self.pool_h * self.pool_w)
        self.x, self.arg_max = x, col.argmax(1)
        return col.max(1).reshape(n, out_h, out_w, c).transpose(0, 3, 1, 2)

    def backward(self, dout):
        flat = dout.transpose(0, 2, 3, 1)
        taken = np.zeros((flat.size, self.pool_h * self.pool_w))
        taken[np.arange(flat.size), self.arg_max] = flat.ravel()
        return col2im(taken, self.x.shape, self.pool_h, self.pool_w, self.stride, self.pad)
