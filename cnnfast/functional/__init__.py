"""The ops, one function each: names, arguments and defaults of `torch.nn.functional`, on NumPy arrays."""

from cnnfast.functional.activation import *
from cnnfast.functional.adaptive_pooling import *
from cnnfast.functional.columns import *
from cnnfast.functional.conv import *
from cnnfast.functional.dropout import *
from cnnfast.functional.linear import *
from cnnfast.functional.local_response import *
from cnnfast.functional.loss import *
from cnnfast.functional.normalization import *
from cnnfast.functional.pooling import *
