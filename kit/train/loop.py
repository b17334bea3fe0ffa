"""fit(cfg): the only training loop."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch.utils.tensorboard import SummaryWriter

from kit.config import RunConfig
from kit.data.loaders import train_loader, val_loader
from kit.errors import KitError
from kit.evaluate.metrics import Scores
from kit.evaluate.run import PROTOCOL, evaluate
from kit.fields import to_dict
from kit.models.segmenter import Segmenter
from kit.models.wrappers import Averaged
from kit.results import SCHEMA, RunFolder, provenance
from kit.storage import write_bytes, write_json
from kit.train import watch
from kit.train.checkpoint import load_checkpoint, save_checkpoint
from kit.train.optim import make_optimizer, set_lr
from kit.train.prepare import Parts, prepare
from kit.train.progress import Reporter
from kit.types import Progress

WATCHED = ("cpu",)
"""Devices where every loss is looked at; on others the look would make each step wait for the one before."""


@dataclass
class Tally:
    """What a run has spent and seen so far; kept in its checkpoints."""

    seconds: float = 0.0
    """Spent in training steps."""
    best: dict | None = None
    """{"miou", "step"} of the best evaluation on the way."""
    losses: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    """Since the last line of the log, left on the device; empty whenever a checkpoint is written."""
    counts: dict[str, torch.Tensor] = field(default_factory=dict)
    """Likewise, sums of `StepOutput.stats`."""


def fit(cfg: RunConfig) -> dict:
    """Train, evaluate and write the run's folder; return the content of its result.json.

    A folder that holds a finished run of the same configuration is not trained again, one that was killed goes on
    from its last checkpoint and ends with the weights it would have had.

    Raises: KitError for data, split, networks or a folder that do not fit the configuration, before anything is
    written; and if the loss stops being finite: on a CPU before the optimiser touches the weights, on an accelerator,
    where looking at every loss would make every step wait, at the next line of the log. No checkpoint, score or
    result is written in between, so that what is on disk is always from before.
    """
    folder = RunFolder(Path(cfg.run_dir))
    folder.check_free(cfg)
    accelerator = Accelerator(mixed_precision=_precision(cfg.train.precision))
    label = f"{cfg.method.name} ({folder.path.name})"
    done = folder.result()
    if done is not None:
        Reporter(label, 0, 0, not accelerator.is_main_process).say(f"already finished in {folder.path}")
        return done
    parts = prepare(cfg, accelerator.process_index, accelerator.num_processes)
    if accelerator.is_main_process:
        folder.open(cfg)
    run = Run(cfg, folder, accelerator, parts)
    reporter = Reporter(label, run.start, cfg.train.steps, not accelerator.is_main_process)
    if parts.split.warning:
        reporter.say(parts.split.warning)
    try:
        run.train(reporter)
        return run.finish(reporter)
    except KitError:
        if accelerator.is_main_process and not folder.checkpoint_file.exists():
            folder.discard()  # nothing to go on from: leave no half of a run behind
        raise
    finally:
        reporter.close()
        run.close()


class Run:
    """One run in progress: the method, its optimiser, the average of its student, and where it stands."""

    def __init__(self, cfg: RunConfig, folder: RunFolder, accelerator: Accelerator, parts: Parts):
        self.cfg, self.folder, self.accelerator, self.parts = cfg, folder, accelerator, parts
        saved = load_checkpoint(folder.checkpoint_file)
        if cfg.train.channels_last:
            parts.method.to(memory_format=torch.channels_last)
        optimizer = make_optimizer(cfg.optim, parts.method)
        self.average = Averaged(parts.method.predictor(), cfg.train.ema_decay).to(accelerator.device)
        self.start, self.tally = 0, Tally()
        if saved:
            if saved["teachers"] != parts.teachers:
                raise KitError(f"the teachers of {folder.path} have changed since it broke off; delete the folder")
            parts.method.load_state_dict(saved["method"])
            self.average.load_state_dict(saved["average"])
            self.start, self.tally = saved["step"], Tally(saved["seconds"], saved["best"])
        self.method, self.optimizer = accelerator.prepare(parts.method, optimizer)
        if saved:  # after `prepare`, so that its state lands on the device of the weights
            self.optimizer.load_state_dict(saved["optimizer"])
        if cfg.train.compile:
            for net in parts.method.modules():
                if isinstance(net, Segmenter):  # a whole method would be compiled again as its progress changes
                    net.compile()
        self.provenance = provenance()  # now: the sources may change while it runs
        self.events, self.alarmed = None, False
        if accelerator.is_main_process:
            folder.cut_log(self.start, cfg.train.steps)
            self.events = SummaryWriter(folder.path / "tensorboard", purge_step=self.start or None)

    def close(self) -> None:
        """Let go of open files."""
        if self.events is not None:
            self.events.close()

    @property
    def student(self) -> Segmenter:
        """The network that is kept."""
        return self.accelerator.unwrap_model(self.method).predictor()

    def train(self, reporter: Reporter) -> None:
        """All steps that are left."""
        cfg, steps = self.cfg, self.cfg.train.steps
        if self.start:
            reporter.say(f"goes on at step {self.start} of {steps}")
        self.method.train()
        clock = time.monotonic()
        batches = iter(train_loader(self.parts.batches, self.start))
        for step in range(self.start, steps):
            self.one_step(step, next(batches))
            reporter.step()
            done = step + 1
            if done % cfg.train.log_every == 0 or done == steps:
                now = time.monotonic()
                self.tally.seconds, clock = self.tally.seconds + now - clock, now
                self.write_log(done, reporter)
            if cfg.train.eval_every and done % cfg.train.eval_every == 0 and done < steps:
                paused = time.monotonic()
                self.evaluate(done, reporter)
                self.method.train()
                clock += time.monotonic() - paused
            if done % cfg.train.checkpoint_every == 0 or done == steps:  # a line of the log was just written
                self.save(done)

    def one_step(self, step: int, batch) -> None:
        """Forward, backward, finite check, clip, optimiser, averages."""
        cfg = self.cfg
        state = np.random.SeedSequence([cfg.seed, step, self.accelerator.process_index]).generate_state(1)
        torch.manual_seed(int(state[0]))  # dropout, the same in a resumed run
        progress = Progress(step, cfg.train.steps, np.random.default_rng([cfg.seed, step, 3]))
        set_lr(self.optimizer, cfg.optim, step, cfg.train.steps)
        out = self.method(send_to_device(batch, self.accelerator.device), progress)
        for name, value in {"loss": out.loss.detach(), **out.parts}.items():
            self.tally.losses.setdefault(name, []).append(value)
        for name, value in out.stats.items():
            self.tally.counts[name] = self.tally.counts.get(name, 0) + value
        if self.accelerator.device.type in WATCHED:
            self.refuse_non_finite(step)
        self.accelerator.backward(out.loss)
        if cfg.optim.clip:
            self.accelerator.clip_grad_norm_(self.method.parameters(), cfg.optim.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.student, step)
        self.accelerator.unwrap_model(self.method).after_step(progress)

    def refuse_non_finite(self, step: int) -> None:
        """Raise KitError if a loss since the last line of the log is not finite; `step` is that of the latest."""
        losses = torch.stack(self.tally.losses["loss"]).isfinite()
        if not losses.all():
            first = int(losses.int().argmin())
            values = {name: of_steps[first].item() for name, of_steps in self.tally.losses.items()}
            parts = ", ".join(f"{name} {value:.3g}" for name, value in values.items() if name != "loss")
            at = step - len(losses) + 1 + first
            raise KitError(f"loss is {values['loss']} at step {at} ({parts}); lower optim.lr or set optim.clip")

    def write_log(self, done: int, reporter: Reporter) -> None:
        """One line with the means since the last one."""
        self.refuse_non_finite(done - 1)
        means = {name: torch.stack(values).mean().item() for name, values in self.tally.losses.items()}
        self.tally.losses = {}
        record = {
            "step": done,
            "loss": means.pop("loss"),
            "parts": means,
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": round(self.tally.seconds, 3),
        }
        scalars = {"loss": record["loss"], "lr": record["lr"], **means}
        pseudo = self.look_at_pseudo_labels(done, record, reporter)
        self.write(record, {f"train/{name}": value for name, value in scalars.items()} | pseudo)
        reporter.record(record)

    def look_at_pseudo_labels(self, done: int, record: dict, reporter: Reporter) -> dict[str, float]:
        """Add what the counts say to a line of the log, raise the alarm once if it is called for; return numbers."""
        if not self.tally.counts:
            return {}
        record["pseudo"] = watch.shares(self.tally.counts)
        self.tally.counts = {}
        line = watch.alarm(record["pseudo"], done, self.cfg.train.steps)
        if line:
            record["alarm"] = line
            if not self.alarmed:
                reporter.say(f"ALARM at step {done}: {line}")
        self.alarmed = bool(line)
        return watch.scalars(record["pseudo"], self.parts.spec.classes)

    def evaluate(self, done: int, reporter: Reporter) -> tuple[Scores, Scores]:
        """Scores of the student and of its average on the val part."""
        if self.tally.losses:
            self.refuse_non_finite(done - 1)
        items = val_loader(self.parts.val, self.cfg.data.workers)
        last, average = (
            evaluate(net, items, self.parts.spec, self.cfg.evaluate.batch) for net in (self.student, self.average.net)
        )
        if self.tally.best is None or last.miou > self.tally.best["miou"]:
            self.tally.best = {"miou": last.miou, "step": done}
        record = {"step": done, "miou": last.miou, "average_miou": average.miou}
        self.write(record, {"val/miou": last.miou, "val/average_miou": average.miou})
        reporter.record(record)
        return last, average

    def write(self, record: dict, scalars: dict[str, float]) -> None:
        """A line to log.jsonl and its numbers to TensorBoard, from the first process."""
        if self.events is not None:
            self.folder.append_log(record)
            for name, value in scalars.items():
                self.events.add_scalar(name, value, record["step"])

    def save(self, done: int) -> None:
        """A checkpoint from which the run can go on at step `done`."""
        if self.accelerator.is_main_process:
            state = {
                "step": done,
                "seconds": self.tally.seconds,
                "best": self.tally.best,
                "teachers": self.parts.teachers,
                "method": self.accelerator.unwrap_model(self.method).state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            }
            save_checkpoint(self.folder.checkpoint_file, state)

    def finish(self, reporter: Reporter) -> dict:
        """Final scores, weights and result.json."""
        started = time.monotonic()
        last, average = self.evaluate(self.cfg.train.steps, reporter)
        result = {
            "schema": SCHEMA,
            "method": self.cfg.method.name,
            "config": to_dict(self.cfg),
            "seed": self.cfg.seed,
            "dataset": self.parts.spec.record(),
            "split": self.parts.split.record(),
            "teachers": self.parts.teachers,
            "protocol": PROTOCOL,
            "steps": self.cfg.train.steps,
            "last": last.record(),
            "average": average.record(),
            "best": self.tally.best,
            "student_parameters": sum(p.numel() for p in self.student.parameters()),
            "seconds": {"train": round(self.tally.seconds, 2), "evaluate": round(time.monotonic() - started, 2)},
            "device": str(self.accelerator.device),
            "processes": self.accelerator.num_processes,
            "threads": torch.get_num_threads(),
            "weights": self.folder.weights().name,
            **self.provenance,
        }
        if self.accelerator.is_main_process:
            for which, net in (("last", self.student), ("average", self.average.net)):
                weights = {name: value.contiguous() for name, value in net.state_dict().items()}
                write_bytes(self.folder.weights(which), safetensors.torch.save(weights))
            write_json(self.folder.result_file, result)
            self.folder.checkpoint_file.unlink(missing_ok=True)
        return result


def _precision(wanted: str) -> str:
    """Accelerate's name of a precision."""
    if wanted == "auto":
        wanted = "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32"
    return {"fp32": "no", "bf16": "bf16"}[wanted]
