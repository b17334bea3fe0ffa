"""Timing of variants against each other on a machine that does other things as well."""

import time
from collections.abc import Callable

import numpy as np

SETTLE = 0.1
"""Seconds after which threads of another graph have gone to sleep."""


def interleaved(variants: dict[str, Callable[[], object]], repeats: int, warmup: int = 1,
                settle: float = 0.0) -> dict[str, list[float]]:  # fmt: skip
    """Seconds of every run of every variant, taken in turns, so that a busy spell of the machine hits all of them.

    Args:
        variants: name -> what is timed; on a GPU it has to wait for its own work.
        repeats: runs of each that are timed, at least 1, after `warmup` runs that are not.
        settle: seconds in which a variant is run right before each timed run. For runs of milliseconds: threads of the
            variant before, of another library or session, keep a core busy for a while after it has returned, and its
            data fill the caches. (A graph of 8 bits that takes 22 ms by itself took 42 ms in turns with others on two
            cores.)
    Returns: name -> `repeats` numbers; the i-th of all names were taken in the same turn.
    """
    seconds = {name: [] for name in variants}
    for turn in range(warmup + repeats):
        for name, run in variants.items():
            begun = time.perf_counter()
            while time.perf_counter() - begun < settle:
                run()
            started = time.perf_counter()
            run()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def percentiles(seconds: list[float]) -> dict[str, float]:
    """{"least", "p50", "p90", "p99"} in milliseconds, and "fps", the frames per second at the median."""
    least, half, most, nearly_all = (float(np.percentile(seconds, share)) for share in (0, 50, 90, 99))
    times = {"least": least, "p50": half, "p90": most, "p99": nearly_all}
    return {**{name: 1e3 * value for name, value in times.items()}, "fps": 1 / half}
