"""Timing of several variants in turns, on a machine that also runs other work."""

import time
from collections.abc import Callable

import numpy as np

SETTLE = 0.1
"""Seconds after which the threads of another graph are asleep."""


def interleaved(variants: dict[str, Callable[[], object]], repeats: int, warmup: int = 1,
                settle: float = 0.0) -> dict[str, list[float]]:  # fmt: skip
    """Seconds of every timed run of every variant. Variants run in turns, so a busy period of the machine affects all.

    Args:
        variants: name -> function to time; on a GPU it must wait until its own work is done.
        repeats: timed runs of each variant, at least 1, after `warmup` untimed ones.
        settle: seconds for which a variant runs untimed right before each timed run. Needed for runs of milliseconds:
            threads of the previous variant, in another library or session, keep a core busy for a while after it has
            returned, and its data fill the caches. (An 8-bit graph that takes 22 ms alone took 42 ms in turns with
            others on two cores.)
    Returns: name -> `repeats` numbers; the i-th numbers of all names come from the same turn.
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
    shares = {"least": 0, "p50": 50, "p90": 90, "p99": 99}
    times = {name: float(np.percentile(seconds, share)) for name, share in shares.items()}
    return {**{name: 1e3 * value for name, value in times.items()}, "fps": 1 / times["p50"]}
