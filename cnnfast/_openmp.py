"""Loads the extension, and with it OpenMP, whose threads shall not spin for long.

GNU's OpenMP spins for milliseconds at the end of a loop before it sleeps.  Where another process
wants the CPU, the thread that is waited for gets none meanwhile: beside one busy process on two
CPUs, 95 % of calls of 0.2 ms took up to 19 times their quiet time.  With 2,500 turns it is 4
times and the median 2 to 3 times.  With 1,000 a busy machine is served better still, but threads
fall asleep between the ops of a small net: a step of LeNet took 4.5 ms, not 2.8 (Zen 4).
"""

import os

SPIN = {"GOMP_SPINCOUNT": "2500"}
CHOSEN_BY_USER = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}

_set_here = {} if CHOSEN_BY_USER & os.environ.keys() else SPIN
os.environ.update(_set_here)
from cnnfast import _core  # noqa: E402, F401

for _name in _set_here:
    del os.environ[_name]
