"""Guard that keeps steps with a non-finite loss from changing the weights, without waiting for the device.

Where reading a loss is free (`WATCHED`), each is read before the backward pass. On an accelerator a read would make
every step wait for the one before, so the decision stays on the device: fused optimisers skip weights and momentum if
their `found_inf` is 1, and a gradient scaler skips a step if a gradient is not finite. After more bad steps than
allowed, every later one counts as bad too, so that the weights have not changed when the loop reads the count, which it
does at every line of the log, evaluation and checkpoint.
"""

import math

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kit.errors import KitError
from kit.settings.fields import to_dict
from kit.system.storage import content_of, write_bytes
from kit.train.processes import World

WATCHED = ("cpu", "mps")
"""Devices where every loss is read."""


class Guard:
    """Count of bad steps, the same in every process.

    Args:
        allowed: bad steps that may be skipped in the whole run.
        seen: those skipped so far.
        net: the trained networks; a skipped step restores their running statistics.
        device: where losses are.
    """

    def __init__(self, allowed: int, seen: int, net: nn.Module, device: torch.device, world: World):
        self.allowed, self.net, self.world, self.device = allowed, net, world, device
        self.watched = device.type in WATCHED
        self.bad = torch.tensor(float(seen), device=device)  # steps of the run so far
        self.flags: list[Tensor] = []  # of steps since the last `read`: 1 if bad
        self._flag = torch.zeros((), device=device)
        self._statistics: list[tuple[Tensor, Tensor]] = []

    def begin(self) -> None:
        """Start a step."""
        self._flag = torch.zeros((), device=self.device)
        if self.allowed:
            self._statistics = [(buffer, buffer.clone()) for buffer in self.net.buffers()]

    def watch(self, loss: Tensor) -> bool:
        """Record a loss; True if it is known to be bad in any process, so that the step must stop."""
        self._flag = torch.maximum(self._flag, (~loss.detach().isfinite()).float())
        return self.watched and bool(self.world.most(int(self._flag)))

    def gate(self, norm: Tensor | None = None) -> Tensor:
        """After the last loss of a step: 1 (float32, on the device) if the weights must not change, else 0.

        Args:
            norm: of the gradient, if known: the step is also bad if it is not finite.
        """
        if norm is not None:
            self._flag = torch.maximum(self._flag, (~norm.detach().isfinite()).float())
        if self.world.size > 1 and not self.watched:
            dist.all_reduce(self._flag, dist.ReduceOp.MAX)
        return torch.maximum(self._flag, (self.bad > self.allowed).float())

    def poison(self) -> None:
        """Set the gradient of a bad step to nan, so that a gradient scaler skips it."""
        gradient = next(p.grad for p in self.net.parameters() if p.grad is not None)
        gradient.mul_(torch.where(self.gate() > 0, math.nan, 1.0))

    def end(self, stopped: bool = False) -> None:
        """Finish a step that was `stopped` by `watch` or decided by `gate`."""
        if stopped:
            self._flag = torch.ones_like(self._flag)
        self.flags.append(self._flag)
        self.bad = self.bad + self._flag
        if self.allowed and (stopped or not self.watched):
            for buffer, before in self._statistics:
                buffer.copy_(torch.where(self._flag > 0, before, buffer))

    def read(self) -> tuple[list[bool], int]:
        """Which of the steps since the last call were bad, and the number in the whole run. Waits for the device."""
        flags = torch.stack(self.flags).tolist() if self.flags else []
        self.flags = []
        return [flag > 0 for flag in flags], int(self.bad)


def non_finite(run, step: int, index: int) -> KitError:
    """The error for a step that stops a run; its batch and the weights are written to nonfinite.pt first.

    The batch is made again from the seed, because it is no longer in memory by then. Running statistics include it
    where losses are watched; weights do not.

    Args:
        run: a `kit.train.loop.Run`; called in every process.
        index: of the step's losses in the run's tally.
    """
    losses = {name: float(run.world.sum(values[index])) / run.world.size for name, values in run.tally.losses.items()}

    def write() -> None:
        batches = run.parts.batches
        scene = {
            "step": step,
            "losses": losses,
            "config": to_dict(run.cfg),
            "batches": [batches.part(step, number)._asdict() for number in range(batches.parts)],
            "weights": run.accelerator.unwrap_model(run.method).state_dict(),
        }
        write_bytes(run.folder.nonfinite_file, content_of(lambda file: torch.save(scene, file)))

    run.world.on_first(write)
    loss = losses["loss"]
    what = f"loss is {loss}" if not math.isfinite(loss) else f"the gradient of loss {loss:.3g} is not finite"
    terms = ", ".join(f"{name} {value:.3g}" for name, value in losses.items() if name != "loss")
    return KitError(
        f"{what} at step {step} ({terms}); lower optim.lr or set optim.clip, or let train.skip_nonfinite skip a few "
        f"such steps. The batch and the weights are in {run.folder.nonfinite_file}"
    )
