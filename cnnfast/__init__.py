"""Fast convolution, pooling and the other layers of a CNN on a CPU, for people who hold NumPy arrays."""

__version__ = "0.1.0"

from cnnfast import _openmp, backends, functional, layers, optim, reference  # noqa: F401  _openmp first: it loads the extension
from cnnfast._config import get_num_threads, set_exact, set_num_threads, show_config, threads
from cnnfast._random import manual_seed

__all__ = [
    "backends",
    "functional",
    "get_num_threads",
    "layers",
    "manual_seed",
    "optim",
    "reference",
    "set_exact",
    "set_num_threads",
    "show_config",
    "threads",
]
