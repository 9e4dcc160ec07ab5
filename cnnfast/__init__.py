"""Fast convolution, pooling and the other layers of a CNN on a CPU, for people who hold NumPy arrays."""

from cnnfast._config import get_num_threads, set_exact, set_num_threads, show_config, threads
from cnnfast._random import manual_seed

__version__ = "0.1.0"
__all__ = [
    "get_num_threads",
    "manual_seed",
    "set_exact",
    "set_num_threads",
    "show_config",
    "threads",
]
