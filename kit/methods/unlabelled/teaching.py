"""Pseudo labels from averaged networks: predicted on weak crops, learnt on strong views by the trained networks."""

import torch
from torch import Tensor, nn

from kit.losses.confidence import Belief, believe, mean_belief
from kit.methods.unlabelled.class_paste import Mix
from kit.methods.unlabelled.thresholds import ClassThresholds
from kit.models.followers import Averaged
from kit.settings.run import TriKDConfig
from kit.types import IGNORE, Batch


class Teaching(nn.Module):
    """Running averages of several networks, which predict their pseudo labels (TriKD with `unlabelled_view` "strong").

    Args:
        nets: name -> trained network.
        num_classes: C.
    """

    def __init__(self, cfg: TriKDConfig, nets: dict[str, nn.Module], num_classes: int):
        super().__init__()
        self.cfg = cfg
        self.averages = nn.ModuleDict({name: Averaged(net, cfg.label_decay) for name, net in nets.items()})
        givers = nets if cfg.cps_labels == "pairs" else ["mean"]
        self.thresholds = nn.ModuleDict(
            {name: ClassThresholds(num_classes, cfg.class_share, cfg.cps_threshold) for name in givers}
        )

    @torch.no_grad()
    def forward(self, batch: Batch, mix: Mix) -> dict[str, list[Tensor]]:
        """Label the weak crops of a batch: network -> several int64 (U, H, W), mixed, IGNORE where a pixel must not be
        learnt.

        Args:
            mix: CutMix and pasted classes of the step.
        """
        cfg, logits = self.cfg, {name: net(batch.weak).logits for name, net in self.averages.items()}
        beliefs = {name: believe(x) for name, x in logits.items()}
        givers = beliefs if cfg.cps_labels == "pairs" else {"mean": mean_belief(list(logits.values()))}
        learnt = {name: self.learnt(name, giver, batch.valid) for name, giver in givers.items()}

        labels = {}
        for name in beliefs:
            others = {other: belief for other, belief in beliefs.items() if other != name}
            agreed = self.agreed(list((others if cfg.cps_labels == "pairs" else beliefs).values()))
            own = [learnt[other] for other in others] if cfg.cps_labels == "pairs" else [learnt["mean"]] * len(others)
            labels[name] = [mix.labels(x if agreed is None else x.masked_fill(~agreed, IGNORE)) for x in own]
        return labels

    def learnt(self, name: str, giver: Belief, valid: Tensor) -> Tensor:
        """Confident labels; IGNORE elsewhere and in padding. Updates the thresholds first."""
        thresholds = self.thresholds[name]
        thresholds.update(giver, valid)
        return giver.labels.masked_fill(~(thresholds.sure(giver) & valid), IGNORE)

    def agreed(self, beliefs: list[Belief]) -> Tensor | None:
        """bool (U, H, W): where all predict the same class; None if agreement is not required."""
        if not self.cfg.cps_agreement:
            return None
        return torch.stack([belief.labels == beliefs[0].labels for belief in beliefs]).all(0)

    def update(self, nets: dict[str, nn.Module], updates: int) -> None:
        """Update the averages after update number `updates` (from 0) of the networks."""
        for name, average in self.averages.items():
            average.update(nets[name], updates)
