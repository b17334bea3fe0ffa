"""Progress of a run: a bar on a terminal, plain lines elsewhere.

A bar would freeze at 0 % in saved notebooks and fill log files.
"""

import sys
import time

from tqdm import tqdm

from kit.system.console import bar

LINES = 20
"""Approximate number of plain lines per run."""


class Reporter:
    """Shows the steps of a run.

    Args:
        label: shown in front.
        silent: show nothing (processes other than the first).
    """

    def __init__(self, label: str, total: int, silent: bool = False):
        self.label, self.total, self.silent = label, total, silent
        self.start, self.shown, self.began = 0, 0, time.monotonic()
        self.every = max(1, total // LINES)
        self.bar = bar(total, label, "step") if not silent and sys.stderr.isatty() else None

    def start_at(self, step: int) -> None:
        """The run resumes from a step of an earlier process."""
        self.start, self.shown, self.began = step, step, time.monotonic()
        if self.bar is not None:
            self.bar.initial = self.bar.n = self.bar.last_print_n = step
            self.bar.start_t = self.bar.last_print_t = time.time()
            self.bar.refresh()

    def step(self) -> None:
        """One more step is done."""
        if self.bar is not None:
            self.bar.update()

    def record(self, record: dict) -> None:
        """A line of log.jsonl was written."""
        if self.silent:
            return
        loss = record.get("loss")
        terms = "  ".join(f"{name} {value:.3f}" for name, value in record.get("parts", {}).items())
        if loss is not None and self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.3f}  {terms}")
        elif loss is not None and record["step"] - self.shown >= self.every:
            self.shown = record["step"]
            place = f"step {record['step']}/{self.total}  {record['seconds']:.0f} s"
            self.say(f"{place}{self.speed(record['step'])}  loss {loss:.3f}  {terms}")
        elif "miou" in record:
            scores = f"val mIoU {record['miou']:.1%}, with average weights {record['average_miou']:.1%}"
            self.say(f"step {record['step']}/{self.total}  {scores}")

    def speed(self, step: int) -> str:
        """Steps per second since the start of this process, and an estimate of the remaining time."""
        seconds = time.monotonic() - self.began
        if step <= self.start or not seconds:
            return ""
        rate = (step - self.start) / seconds
        return f"  {rate:.2f} steps/s, {tqdm.format_interval((self.total - step) / rate)} left"

    def say(self, line: str) -> None:
        """A line of text, above the bar if there is one."""
        if not self.silent:
            tqdm.write(f"{self.label}: {line}", file=sys.stdout)
            sys.stdout.flush()

    def close(self) -> None:
        """Close the bar and leave it on the screen."""
        if self.bar is not None:
            self.bar.close()
