"""Reuse of freed memory between the steps of a training on a CPU.

A training step allocates and frees large tensors thousands of times. By default glibc returns each one to the system,
and the system zeroes every page of the next one. This default costs 7 to 9 % of a step's time and 5 % of a
sliding-window evaluation's, and saves 2 to 3 % of memory.
"""

import ctypes
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Options of mallopt, from glibc's malloc.h."""

DEFAULTS = {M_TRIM_THRESHOLD: 128 * 1024, M_MMAP_MAX: 65536}
"""glibc's documented defaults."""

_SET = threading.Lock()
"""Held while this process's settings are changed. Of nested contexts only the outermost holds it and has an effect."""


@contextmanager
def kept_pages(device: torch.device) -> Iterator[None]:
    """Context in which memory freed on a CPU stays with this process; at the end it is returned to the system. No
    effect on other devices or without glibc."""
    if device.type != "cpu" or platform.libc_ver()[0] != "glibc" or not _SET.acquire(blocking=False):
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_TRIM_THRESHOLD, -1)  # never trim
    libc.mallopt(M_MMAP_MAX, 0)  # no separate mapping for a large tensor
    try:
        yield
    finally:
        for option, value in DEFAULTS.items():
            libc.mallopt(option, value)
        libc.malloc_trim(0)
        _SET.release()
