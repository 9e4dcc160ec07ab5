"""Layers put together from those of other modules, by the course's kind of import."""

from .fast_layers import *


def conv_pool_forward(x, w, b, conv_param, pool_param):
    out, conv_cache = conv_forward_fast(x, w, b, conv_param)
    out, pool_cache = max_pool_forward_fast(out, pool_param)
    return out, (conv_cache, pool_cache)


def conv_pool_backward(dout, cache):
    conv_cache, pool_cache = cache
    return conv_backward_fast(max_pool_backward_fast(dout, pool_cache), conv_cache)
