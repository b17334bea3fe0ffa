"""Checks for benchmarks of training steps in bfloat16: whether the loss follows that of float32 while the networks
learn, and how much memory a step takes.

Speed alone proves nothing: a step that loses a term or a gradient in bfloat16 is fast, too.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Callable

from kit.deploy.memory import resident
from kit.errors import KitError
from kit.system.precision import cpu_has_bfloat16

ALLOWED = 0.01
"""Largest allowed difference between the losses of the last step, relative to the loss in float32."""

CHECKED = 128
"""Largest side of the images on which losses are compared."""


def measured_here() -> bool:
    """Whether this CPU has bfloat16, so that rows in it are measured; prints a note if not."""
    if not cpu_has_bfloat16():
        sys.stdout.write("this CPU has no bfloat16 (AVX512_BF16 or AMX), so no row uses it\n")
    return cpu_has_bfloat16()


def compare_learning(make_step: Callable[..., Callable], rows: dict[str, str], options: argparse.Namespace,
                     rate: float) -> None:  # fmt: skip
    """Train in both formats from the same weights on the same images, and print how far apart the last losses are.

    Args:
        make_step: function of (row of a bench, options, learning rate); returns a step, which returns its loss terms.
        rows: "fp32" and "bf16" -> row of the bench in this format.
        options: of the bench; "steps" is the number of steps, and "crop" is limited to CHECKED.
    Raises: KitError if the last losses differ by more than `ALLOWED`.
    """
    small, last = argparse.Namespace(**{**vars(options), "crop": min(options.crop, CHECKED)}), {}
    for precision, row in rows.items():
        step = make_step(row, small, rate)
        losses = [sum(step().values()) for _ in range(options.steps)]
        first, last[precision] = losses[0], losses[-1]
    off = abs(last["bf16"] - last["fp32"]) / abs(last["fp32"])
    sys.stdout.write(f"loss after {options.steps} steps at crop {small.crop}: float32 {last['fp32']:.5g}, bfloat16 "
                     f"{last['bf16']:.5g} ({off:.2%} apart, {ALLOWED:.0%} allowed), from {first:.5g}\n")  # fmt: skip
    sys.stdout.flush()
    if not off <= ALLOWED:
        raise KitError(f"bfloat16 learns something other than float32: losses of {last}")


def peak_memory(make_step: Callable[..., Callable], *arguments: object) -> float:
    """Peak resident memory, in GB, of a new process that runs the step from `make_step(*arguments)` twice."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        return pool.apply(_two_steps, (make_step, arguments))


def _two_steps(make_step: Callable[..., Callable], arguments: tuple) -> float:
    step = make_step(*arguments)
    step(), step()
    return resident(peak=True) / 1e9
