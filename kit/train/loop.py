"""fit(cfg): the only training loop."""

import contextlib
import time

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from timm.layers import convert_sync_batchnorm

from kit.data.loaders import train_loader, val_loader
from kit.evaluate.scores.metrics import Scores
from kit.models.followers import Averaged
from kit.models.segmenter import Segmenter
from kit.runs.folder import RunFolder, identity, provenance
from kit.settings.run import RunConfig
from kit.system.lock import locked
from kit.system.storage import write_json
from kit.train.monitor.counters import Tally
from kit.train.monitor.failure import problem_of
from kit.train.monitor.logbook import Logbook
from kit.train.monitor.nonfinite import Guard, non_finite
from kit.train.monitor.progress import Reporter
from kit.train.monitor.val_pictures import val_pictures
from kit.train.optim import base_lr, make_optimizer, set_lr, share_of_a_step
from kit.train.prepare import Parts, prepare
from kit.train.processes import World, continued, make_accelerator, precision_of, training_on
from kit.train.result_record import result_of
from kit.train.resume import state
from kit.train.resume.checkpoint import Checkpoints
from kit.train.resume.data_binding import check_bound
from kit.train.resume.deterministic import deterministic
from kit.train.resume.signals import Interrupted, Stop, leave
from kit.train.validation import score
from kit.types import Batch, Progress


def fit(cfg: RunConfig) -> dict:
    """Train, evaluate and write the run's folder; return the content of its result.json.

    Called by each of `train.processes` processes, which torchrun starts (see `kit.train.launch`). A folder with a
    finished run of the same configuration on the same data is not trained again. A killed run resumes from its last
    checkpoint and ends with the same weights, scores and log (bit by bit on a CPU; for GPUs see
    `kit.train.resume.deterministic`).

    Raises: KitError before anything is written for data, split, networks or a folder that do not fit the
    configuration, and for the folder of a run on other data; later for a folder in use, a full disk, too little memory,
    and a loss that is not finite, which never reaches the weights (`kit.train.monitor.nonfinite`). KeyboardInterrupt or
    SystemExit after SIGINT, SIGTERM or SIGUSR1, once the step is done and a checkpoint is written.
    """
    folder = RunFolder(cfg.run_dir)
    check_bound(folder, cfg)
    label = f"{cfg.method.name} ({folder.path.name})"
    accelerator = make_accelerator(cfg)
    if (done := folder.result()) is not None:
        Reporter(label, 0, not accelerator.is_main_process).say(f"already finished in {folder.path}")
        if accelerator.is_main_process:
            folder.remove_checkpoints()  # left by a process that was killed at its end
        return done
    world = World(accelerator, cfg)
    parts = prepare(cfg, world.rank, world.size)
    with contextlib.ExitStack() as held:
        world.on_first(lambda: held.enter_context(locked(folder.lock_file, f"the run folder {folder.path}")))
        world.on_first(lambda: check_bound(folder, cfg, parts.data))  # again: another process may have used it
        if (done := folder.result()) is not None:
            return done
        world.on_first(lambda: folder.open(cfg, parts.data))
        reporter = Reporter(label, cfg.train.steps, not world.first)
        held.callback(reporter.close)
        try:
            with deterministic(cfg.train.deterministic), training_on(accelerator.device), Stop() as stop:
                run = Run(cfg, folder, accelerator, world, parts, stop, reporter)
                held.callback(run.log.close)
                return run.go()
        except (OSError, RuntimeError, ValueError) as error:  # a KitError is a ValueError
            problem = problem_of(error, cfg, folder, accelerator.device)
            if problem is None:
                raise
            if world.first and not folder.has_checkpoint():
                folder.discard()  # without a checkpoint nothing is worth keeping
            raise problem from (error.__cause__ if problem is error else error)


class Run:
    """One run in progress: the method, its optimiser, the average of its student, and the present step."""

    def __init__(self, cfg: RunConfig, folder: RunFolder, accelerator: Accelerator, world: World, parts: Parts,
                 stop: Stop, reporter: Reporter):  # fmt: skip
        self.cfg, self.folder, self.world, self.parts = cfg, folder, world, parts
        self.stop, self.reporter, self.clock, self.origins = stop, reporter, time.monotonic(), parts.origins
        self.checkpoints = Checkpoints(folder.checkpoint_file, folder.previous_checkpoint_file, identity(cfg))
        saved, problems = self.checkpoints.load()
        self.accelerator = accelerator = continued(accelerator, cfg, saved)
        device, method = accelerator.device, parts.method
        if cfg.train.channels_last:
            method.to(memory_format=torch.channels_last)
        self.average = Averaged(method.predictor(), cfg.train.ema_decay).to(device)
        if world.size > 1 and device.type == "cuda":
            method = convert_sync_batchnorm(method)  # torch's would drop the activations inside timm's batch norm
        optimizer = make_optimizer(cfg.optim, method.to(device), fused=device.type != "mps")
        self.start, self.evaluated, self.tally, self.best_weights = 0, True, Tally(), None
        if saved:
            state.restore_networks(self, saved)
        state.broadcast_statistics_alone(method)
        self.method, self.optimizer = accelerator.prepare(method, optimizer)
        if saved:
            state.restore_rest(self, saved)
        if cfg.train.compile:
            for net in method.modules():
                if isinstance(net, Segmenter):  # a whole method would be recompiled whenever its progress changes
                    net.compile()
        self.guard = Guard(cfg.train.skip_nonfinite, self.tally.skipped, method, device, world)
        self.provenance = provenance()  # read now, because the sources may change during the run
        self.log = Logbook(folder, self.start, self.evaluated, silent=not world.first)
        for problem in problems:
            reporter.say(f"{problem}; the previous one is used, from step {self.start}")
            self.log.write({"step": self.start, "note": problem}, {})

    @property
    def student(self) -> Segmenter:
        """The network that is evaluated and saved."""
        return self.accelerator.unwrap_model(self.method).predictor()

    def go(self) -> dict:
        """Train and evaluate; return the result."""
        for line in (self.parts.split.warning, self.parts.val.warning, share_of_a_step(self.cfg)):
            if line:
                self.reporter.say(line)
        try:
            self.train()
            return self.finish()
        except Interrupted:
            raise leave(self.stop.signal) from None

    def train(self) -> None:
        """All remaining steps."""
        cfg, steps = self.cfg, self.cfg.train.steps
        if self.start:
            self.reporter.say(f"resumes at step {self.start} of {steps} in {precision_of(self.accelerator)}")
            self.reporter.start_at(self.start)
        batches = iter(train_loader(self.parts.batches, self.start))
        if not self.evaluated and self.start < steps:
            self.evaluate(self.start)
        self.method.train()
        self.clock = time.monotonic()
        for step in range(self.start, steps):
            self.one_step(step, [next(batches) for _ in range(cfg.train.accumulate)])
            self.reporter.step()
            done = step + 1
            if done % cfg.train.log_every == 0 or done == steps:
                self.write_log(done)
            if cfg.train.eval_every and done % cfg.train.eval_every == 0 and done < steps:
                self.evaluate_between(done)
            stop = self.world.most(self.stop.signal)
            if done % cfg.train.checkpoint_every == 0 or done == steps or stop:
                self.save(done, evaluated=done < steps)
            if stop:
                self.reporter.say(f"stopped by signal {stop} after step {done}; the same command resumes from there")
                raise leave(stop)

    def one_step(self, step: int, batches: list[Batch]) -> None:
        """Forward and backward of every micro-step, finite check, clip, optimiser, averages."""
        cfg, count, outs, stopped = self.cfg, len(batches), [], False
        set_lr(self.optimizer, cfg.optim, step, cfg.train.steps)
        self.guard.begin()
        for micro, batch in enumerate(batches):
            place = self.parts.batches.place(micro)
            torch.manual_seed(int(np.random.SeedSequence([cfg.seed, step, place]).generate_state(1)[0]))  # dropout
            progress = Progress(step, cfg.train.steps, np.random.default_rng([cfg.seed, step, 3, place]))
            alone = self.accelerator.no_sync(self.method) if micro + 1 < count else contextlib.nullcontext()
            with alone:
                batch = send_to_device(batch, self.accelerator.device, non_blocking=True)  # from pinned memory
                outs.append(self.method(batch, progress))
                stopped = self.guard.watch(outs[-1].loss)
                if stopped:
                    break
                self.accelerator.backward(outs[-1].loss / count if count > 1 else outs[-1].loss)
        self.tally.add(outs)
        if not stopped:
            stopped = self.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.guard.end(stopped)
        if stopped:
            self.check_losses(step + 1)  # raises, unless a few may be skipped
            return
        self.average.update(self.student, step)
        self.accelerator.unwrap_model(self.method).after_step(progress)

    def update(self) -> bool:
        """Clip and step, unless loss or gradient is not finite; True if the step is known to be skipped."""
        guard, scaler, norm = self.guard, self.accelerator.scaler, None
        if scaler is not None and not guard.watched:
            guard.poison()
        if self.cfg.optim.clip:
            norm = self.accelerator.clip_grad_norm_(self.method.parameters(), self.cfg.optim.clip)
        if guard.watched and norm is not None and not norm.isfinite():
            return True
        if scaler is None and not guard.watched:
            self.optimizer.optimizer.found_inf = guard.gate(norm)
        self.optimizer.step()
        return False

    def check_losses(self, done: int) -> None:
        """Raise KitError, and save the batch, if more losses were not finite than allowed. Waits for the device; called
        before anything is written."""
        flags, total = self.guard.read()
        self.tally.bad += flags
        self.tally.skipped = total
        bad = [done - len(self.tally.bad) + i for i, flag in enumerate(self.tally.bad) if flag]
        allowed = self.cfg.train.skip_nonfinite
        if total > allowed:
            at = bad[allowed - total]
            raise non_finite(self, at, at - done)
        if any(flags):
            where = ", ".join(map(str, bad))
            self.reporter.say(f"skipped, as the loss is not finite: step {where} ({total} of at most {allowed})")

    def write_log(self, done: int) -> None:
        """One line with the means since the last one."""
        self.check_losses(done)
        self.tick()
        rate = base_lr(self.cfg.optim, done - 1, self.cfg.train.steps)
        self.log.train_line(done, self.cfg.train.steps, self.tally, self.world, rate, self.parts.spec, self.reporter)

    def tick(self) -> None:
        """Bring the time spent in steps up to date."""
        now = time.monotonic()
        self.tally.seconds, self.clock = self.tally.seconds + now - self.clock, now

    def evaluate_between(self, done: int) -> None:
        """An evaluation during training; a signal interrupts it, and it is repeated when the run resumes."""
        self.tick()
        try:
            self.evaluate(done)
        except Interrupted:
            self.clock = time.monotonic()
            self.save(done, evaluated=False)
            raise
        self.method.train()
        self.clock = time.monotonic()

    def evaluate(self, done: int) -> tuple[Scores, Scores]:
        """Scores of the student and of its average on the val part."""
        self.check_losses(done)
        self.world.same_buffers(self.method, self.average)
        nets = {"last": self.student, "average": self.average.net}
        last, average = (score(self, which, net, done == self.cfg.train.steps) for which, net in nets.items())
        if self.tally.best is None or last.miou > self.tally.best["miou"]:
            self.tally.best = {"miou": last.miou, "step": done}
            if self.cfg.train.eval_every:
                self.best_weights = state.weights(self.student)
                self.world.on_first(lambda: state.write_weights(self.folder.weights("best"), self.best_weights))
        record = {"step": done, "miou": last.miou, "average_miou": average.miou}
        pictures = val_pictures(self.student, self.parts.val, self.parts.spec) if self.world.first else []
        self.log.write(record, {"val/miou": last.miou, "val/average_miou": average.miou}, pictures)
        self.reporter.record(record)
        return last, average

    def val_items(self):
        """The val images until a signal arrives (several processes finish the evaluation first, to stay in step)."""
        for item in val_loader(self.parts.val, self.cfg.data.workers, self.world.rank, self.world.size):
            if self.stop.signal and self.world.size == 1:
                raise Interrupted
            yield item

    def save(self, done: int, evaluated: bool) -> None:
        """Write a checkpoint to resume from at step `done`, before or after the evaluation at that step."""
        self.check_losses(done)
        self.tick()
        saved = state.capture(self, done, evaluated)
        self.folder.flush_log()
        self.world.on_first(lambda: self.checkpoints.save(saved))

    def finish(self) -> dict:
        """Final scores, weights and result.json."""
        started = time.monotonic()
        last, average = self.evaluate(self.cfg.train.steps)
        result = result_of(self, last, average, time.monotonic() - started)
        self.world.on_first(lambda: self.write_result(result))
        return result

    def write_result(self, result: dict) -> None:
        """Write the weights first, the result last."""
        for which, net in (("last", self.student), ("average", self.average.net)):
            state.write_weights(self.folder.weights(which), state.weights(net))
        if self.cfg.train.keep_views:
            for name, net in self.accelerator.unwrap_model(self.method).companions().items():
                state.write_weights(self.folder.view(name), state.weights(net))
        if self.best_weights is not None:  # the file may come from a later step of a killed process
            state.write_weights(self.folder.weights("best"), self.best_weights)
        write_json(self.folder.result_file, result)
        self.folder.remove_checkpoints()
