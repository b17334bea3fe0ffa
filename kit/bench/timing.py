"""What two variants took compared, and what they ran on; `kit.system.turns` takes their times."""

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
    """Let torch use `count` threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def speedup(reference: Sequence[float], ours: Sequence[float]) -> float:
    """How many times faster: the median over turns of the ratio within a turn."""
    return median(slow / fast for slow, fast in zip(reference, ours, strict=True))


def environment() -> str:
    """Processor, versions and date in one line, which stands beside every number; no benchmark uses a GPU."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "pillow", "numpy"))
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}, {packages}, {date}"
