"""Timing of variants against each other on a machine that does other things as well."""

import datetime
import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from statistics import median


def interleaved(variants: dict[str, Callable[[], object]], repeats: int, warmup: int = 1) -> dict[str, list[float]]:
    """Seconds of every run of every variant, taken in turns, so that a busy spell of the machine hits all of them.

    Args:
        variants: name -> what is timed; on a GPU it has to wait for its own work.
        repeats: runs of each that are timed, at least 1, after `warmup` runs that are not.
    Returns: name -> `repeats` numbers; the i-th of all names were taken in the same turn.
    """
    seconds = {name: [] for name in variants}
    for turn in range(warmup + repeats):
        for name, run in variants.items():
            started = time.perf_counter()
            run()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def speedup(reference: Sequence[float], ours: Sequence[float]) -> float:
    """How many times faster: the median over turns of the ratio within a turn."""
    return median(slow / fast for slow, fast in zip(reference, ours, strict=True))


def environment() -> str:
    """Processor, versions and date in one line, which stands beside every number; no benchmark uses a GPU."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "pillow", "numpy"))
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}, {packages}, {date}"
