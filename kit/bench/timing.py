"""Speedup between two variants, and a line about the machine; `kit.system.turns` measures the times."""

import contextlib
import datetime
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from statistics import median

import torch


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Context in which torch uses `count` threads; the number before is restored at its end."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def speedup(reference: Sequence[float], ours: Sequence[float]) -> float:
    """How many times faster `ours` is than `reference`: the median over turns of the ratio of their times."""
    return median(slow / fast for slow, fast in zip(reference, ours, strict=True))


def environment() -> str:
    """Processor, versions and date in one line, printed with the results; none of these benchmarks uses a GPU."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "pillow", "numpy"))
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}, {packages}, {date}"
