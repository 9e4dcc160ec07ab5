"""The definition of every op: the functions of `cnnfast.functional` in plain NumPy, float64 inside."""

from cnnfast.reference.activation import *
from cnnfast.reference.columns import *
from cnnfast.reference.conv import *
from cnnfast.reference.dropout import *
from cnnfast.reference.linear import *
from cnnfast.reference.loss import *
from cnnfast.reference.normalization import *
from cnnfast.reference.pooling import *
