"""log.jsonl and TensorBoard events of a run, written by the first process."""

import contextlib

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from kit.data.catalog import DatasetSpec
from kit.runs.folder import RunFolder
from kit.train.monitor import pseudo_labels
from kit.train.monitor.counters import Tally
from kit.train.monitor.progress import Reporter
from kit.train.processes import World


class Logbook:
    """Lines and events from step `start` on; later ones of a killed process are dropped.

    Args:
        start: the step from which the run resumes.
        evaluated: whether the evaluation at that step, if there is one, is done.
        silent: write nothing (processes other than the first).
    """

    def __init__(self, folder: RunFolder, start: int, evaluated: bool, silent: bool):
        self.folder, self.events = folder, None
        if not silent:
            folder.cut_log(start, evaluated)
            self.events = SummaryWriter(folder.path / "tensorboard", purge_step=start + 1)

    def train_line(self, done: int, steps: int, tally: Tally, world: World, rate: float, spec: DatasetSpec,
                   reporter: Reporter) -> None:  # fmt: skip
        """Write means of the losses and shares of the counts since the last such line, over all processes, and clear
        them in the tally."""
        skipped = sum(tally.bad)
        means, counts = tally.means(world), tally.sums(world)
        record = {"step": done, "loss": means.pop("loss"), "parts": means, "lr": rate,
                  "seconds": round(tally.seconds, 3)}  # fmt: skip
        scalars = {f"train/{name}": value for name, value in {"loss": record["loss"], "lr": rate, **means}.items()}
        if skipped:
            record["skipped"] = skipped
        if counts:
            record["pseudo"] = pseudo_labels.shares(counts)
            scalars |= pseudo_labels.scalars(record["pseudo"], spec.classes)
            alarm = pseudo_labels.alarm(record["pseudo"], done, steps)
            if alarm:
                record["alarm"] = alarm
                if not tally.alarmed:
                    reporter.say(f"ALARM at step {done}: {alarm}")
            tally.alarmed = bool(alarm)
        self.write(record, scalars)
        reporter.record(record)

    def write(self, record: dict, scalars: dict[str, float], pictures: list[Tensor] = ()) -> None:
        """A line to log.jsonl; its numbers, and uint8 pictures (3, H, W), to TensorBoard."""
        if self.events is None:
            return
        self.folder.append_log(record)
        for name, value in scalars.items():
            if value is not None:
                self.events.add_scalar(name, value, record["step"])
        for number, picture in enumerate(pictures):
            self.events.add_image(f"val/{number}", picture, record["step"])
        if pictures:
            self.events.flush()  # for programs that read along

    def close(self) -> None:
        """Close files, even if the disk is full."""
        if self.events is not None:
            with contextlib.suppress(OSError):
                self.events.close()
