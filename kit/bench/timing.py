"""What two variants took compared, and what they ran on; `interleaved` takes their times."""

import datetime
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from statistics import median

from kit.system.turns import interleaved

__all__ = ["environment", "interleaved", "speedup"]


def speedup(reference: Sequence[float], ours: Sequence[float]) -> float:
    """How many times faster: the median over turns of the ratio within a turn."""
    return median(slow / fast for slow, fast in zip(reference, ours, strict=True))


def environment() -> str:
    """Processor, versions and date in one line, which stands beside every number; no benchmark uses a GPU."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "pillow", "numpy"))
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}, {packages}, {date}"
