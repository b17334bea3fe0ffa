"""Processor time of a training step of every row of a grid, in seconds.

Wall time would depend on the load of a shared machine. The rows take steps in turn, so that a temporary slowdown
affects all of them.
"""

import statistics
import time

import numpy as np
import torch
from accelerate.utils import send_to_device

from kit.batch.finished import run_config
from kit.batch.grid import Grid
from kit.data.loaders import train_loader
from kit.errors import KitError
from kit.settings.checks import require_positive
from kit.settings.fields import replace_fields
from kit.settings.run import RunConfig
from kit.train.optim import make_optimizer
from kit.train.prepare import prepare
from kit.train.processes import make_accelerator
from kit.train.teachers import with_teachers
from kit.types import Progress


def step_costs(name: str, grid: Grid, steps: int = 5) -> dict[str, dict]:
    """ "GRID: ROW" -> {"cpu_seconds_per_step", "threads", "steps"}: the median over `steps` steps after a first one, of
    data loading, forward, backward and update in this process, with torch's number of threads.

    Raises: KitError as runs do, and on a machine where training uses an accelerator, because processor time does not
        include the accelerator's.
    """
    require_positive(steps=steps)
    rows = {}
    for run in grid.runs():
        if run.row not in rows and (cfg := run_config(run.cell)) is not None:
            rows[run.row] = _Row(with_teachers(cfg), steps + 1)
    for step in range(steps + 1):
        for row in rows.values():
            row.step(step)
    return {
        f"{name}: {row}": {
            "cpu_seconds_per_step": round(statistics.median(timed.seconds[1:]), 4),
            "threads": torch.get_num_threads(), "steps": steps,
        } for row, timed in rows.items()
    }  # fmt: skip


class _Row:
    """A run that takes single steps, in the middle of its schedule."""

    def __init__(self, cfg: RunConfig, least: int):
        steps = max(least, cfg.train.steps)  # batches are drawn for this many
        cfg = replace_fields(cfg, {"train.processes": 1, "data.workers": 0, "train.steps": steps})
        self.cfg, parts, self.accelerator = cfg, prepare(cfg), make_accelerator(cfg)
        if self.accelerator.device.type != "cpu":
            raise KitError(f"processor time does not measure training on {self.accelerator.device}; use a CPU")
        if cfg.train.channels_last:
            parts.method.to(memory_format=torch.channels_last)
        optimizer = make_optimizer(cfg.optim, parts.method, fused=True)  # as the loop's
        self.method, self.optimizer = self.accelerator.prepare(parts.method.train(), optimizer)
        self.batches, self.seconds = iter(train_loader(parts.batches, 0)), []

    def step(self, step: int) -> None:
        """One step, timed."""
        started, middle = time.process_time(), self.cfg.train.steps // 2
        progress = Progress(middle, self.cfg.train.steps, np.random.default_rng([self.cfg.seed, step]))
        for _ in range(self.cfg.train.accumulate):
            loss = self.method(send_to_device(next(self.batches), self.accelerator.device), progress).loss
            self.accelerator.backward(loss)
        if self.cfg.optim.clip:
            self.accelerator.clip_grad_norm_(self.method.parameters(), self.cfg.optim.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.method.after_step(progress)
        self.seconds.append(time.process_time() - started)
