"""The benchmark: real layers, checked, then timed in turns with other libraries in one process."""

from cnnfast.bench.command import add_arguments, run

__all__ = ["add_arguments", "run"]
