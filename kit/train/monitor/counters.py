"""Counters of a run: seconds, losses, skipped steps, counts about pseudo labels."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from kit.train.processes import World
from kit.types import StepOutput


@dataclass
class Tally:
    """Counters, saved in checkpoints: `seconds` to `bad` once, the others by every process."""

    seconds: float = 0.0
    """Time of training steps."""
    best: dict | None = None
    """{"miou", "step"} of the best evaluation so far."""
    skipped: int = 0
    """Steps skipped because their loss was not finite."""
    alarmed: bool = False
    """Whether the last line of the log held an alarm."""
    bad: list[bool] = field(default_factory=list)
    """Which steps since the last line of the log had a loss that is not finite, as far as known."""
    losses: dict[str, list[Tensor]] = field(default_factory=dict)
    """Losses of this process since the last line of the log, left on the device."""
    counts: dict[str, Tensor] = field(default_factory=dict)
    """Sums, over the same steps, of `StepOutput.stats`."""

    def add(self, outs: list[StepOutput]) -> None:
        """Add a step, given by the outputs of its micro-steps, whose losses are averaged."""
        for name in ("loss", *outs[0].parts):
            values = [(out.loss if name == "loss" else out.parts[name]).detach() for out in outs]
            self.losses.setdefault(name, []).append(values[0] if len(values) == 1 else torch.stack(values).mean())
        for out in outs:
            for name, value in out.stats.items():
                self.counts[name] = self.counts.get(name, 0) + value

    def means(self, world: World) -> dict[str, float | None]:
        """Means of the losses over processes and steps that were not `bad`, None if all were; clears the losses."""
        good = ~torch.tensor(self.bad)
        names = list(self.losses)
        sums = torch.stack([torch.stack(self.losses[name]).float().cpu()[good].mean() for name in names])
        sums = world.sum(sums.double()) / world.size
        self.losses, self.bad = {}, []
        return {name: value if good.any() else None for name, value in zip(names, sums.tolist(), strict=True)}

    def sums(self, world: World) -> dict[str, Tensor]:
        """Sums of the counts over processes; clears the counts."""
        counts, self.counts = self.counts, {}
        return {name: world.sum(count) for name, count in counts.items()}

    def shared(self) -> dict:
        """The fields that are equal in every process, as plain values."""
        names = ("seconds", "best", "skipped", "alarmed", "bad")
        return {name: getattr(self, name) for name in names}

    def own(self) -> dict:
        """The fields of this process, as tensors on the CPU."""
        losses = {name: torch.stack(values).cpu() for name, values in self.losses.items()}
        return {"losses": losses, "counts": {name: count.cpu() for name, count in self.counts.items()}}

    @classmethod
    def restored(cls, shared: dict, own: dict, device: torch.device) -> "Tally":
        """From the results of `shared` and `own`."""
        losses = {name: list(values.to(device).unbind()) for name, values in own["losses"].items()}
        return cls(**shared, losses=losses, counts={name: count.to(device) for name, count in own["counts"].items()})
