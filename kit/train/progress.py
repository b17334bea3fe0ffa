"""What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere.

A bar that redraws itself freezes at 0 % in saved notebooks and fills log files, hence the lines there.
"""

import sys

from tqdm import tqdm

from kit.console import bar

LINES = 20
"""Plain lines per run, about."""


class Reporter:
    """Shows steps `start` to `total`.

    Args:
        label: shown in front.
        silent: show nothing (processes other than the first).
    """

    def __init__(self, label: str, start: int, total: int, silent: bool = False):
        self.label, self.total, self.silent = label, total, silent
        self.every = max(1, total // LINES)
        self.shown = start
        terminal = not silent and sys.stderr.isatty()
        self.bar = bar(total, label, "step", start=start) if terminal else None

    def step(self) -> None:
        """One more step is done."""
        if self.bar is not None:
            self.bar.update()

    def record(self, record: dict) -> None:
        """A line of log.jsonl was written."""
        if self.silent:
            return
        if self.bar is not None and "loss" in record:
            self.bar.set_postfix_str(f"loss {record['loss']:.3f}")
        elif self.bar is None and "loss" in record and record["step"] - self.shown >= self.every:
            self.shown = record["step"]
            parts = "  ".join(f"{name} {value:.3f}" for name, value in record["parts"].items())
            place = f"step {record['step']}/{self.total}  {record['seconds']:.0f} s"
            self.say(f"{place}  loss {record['loss']:.3f}  {parts}")
        elif "miou" in record:
            scores = f"val mIoU {record['miou']:.1%}, of average weights {record['average_miou']:.1%}"
            self.say(f"step {record['step']}/{self.total}  {scores}")

    def say(self, line: str) -> None:
        """A line of text, above the bar if there is one."""
        if not self.silent:
            tqdm.write(f"{self.label}: {line}", file=sys.stdout)
            sys.stdout.flush()

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()
