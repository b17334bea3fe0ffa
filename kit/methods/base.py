"""Base class of methods: a module that owns its networks and turns one batch into one loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from kit.losses.supervised import ohem_cross_entropy
from kit.methods.terms import Terms
from kit.methods.unlabelled.class_paste import Mix, class_paste
from kit.methods.unlabelled.cutmix import Paste
from kit.models.segmenter import Segmenter
from kit.settings.run import MethodConfig, ModelConfig
from kit.types import Batch, Progress, SegOutput, StepOutput, Views

Build = Callable[[ModelConfig], Segmenter]
"""Makes a network from its settings; class count and pretraining are already filled in."""


class Method(nn.Module, ABC):
    """A training method, independent of data sets, devices, optimisers and logging. The constructor of a method with
    `teachers` also takes their networks, by name.

    A training step is `forward`, because autocast and distributed training wrap `forward`.
    """

    views = Views()
    """What the unlabelled loader should prepare."""
    teachers: tuple[str, ...] = ()
    """Fields of the settings that name folders of finished runs; the constructor gets the networks in these folders
    under the same names."""

    def __init__(self, cfg: MethodConfig, student: ModelConfig, build: Build):
        super().__init__()
        self.cfg, self.views = cfg, self.views_of(cfg)
        self.student = build(student)

    @abstractmethod
    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        """One training step: the weighted loss and its parts."""

    @classmethod
    def views_of(cls, cfg: MethodConfig) -> Views:
        """What the unlabelled loader should prepare under these settings."""
        return cls.views

    @classmethod
    def pastes(cls, cfg: MethodConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        """The CutMix of a step: a `Paste` for each strong view, or for the weak one if there is none; empty without
        CutMix. Its random numbers are the first of the step.

        Args:
            weak: the unlabelled images (U, 3, H, W); only size and device matter.
        """
        return []

    @classmethod
    def mixes(cls, cfg: MethodConfig, batch: Batch, num_classes: int, rng: np.random.Generator) -> list[Mix]:
        """What is pasted in a step: `pastes` and classes of labelled images over them (`class_paste`), for each strong
        view, or for the weak one if there is none."""
        which = getattr(cfg, "class_paste", "none")
        pastes = cls.pastes(cfg, batch.weak, rng) or [None] * max(1, batch.strong.shape[1])
        return [Mix(paste, class_paste(batch, num_classes, which, rng)) for paste in pastes]

    def predictor(self) -> Segmenter:
        """The network that is evaluated, saved and shown."""
        return self.student

    def networks(self) -> dict[str, Segmenter]:
        """The trained networks by name, the student first."""
        return {name: net for name, net in self.named_children() if isinstance(net, Segmenter)}

    def companions(self) -> dict[str, Segmenter]:
        """The trained networks other than the student."""
        return {name: net for name, net in self.networks().items() if net is not self.predictor()}

    def after_step(self, progress: Progress) -> None:
        """Called after the optimiser's step, for example to update averaged weights."""

    def terms(self, progress: Progress, steady: dict[str, float], rising: dict[str, float]) -> Terms:
        """A step's loss with weights for terms that are added later; `rising` weights ramp up over `cfg.ramp`."""
        ramp = progress.ramp(self.cfg.ramp)
        return Terms(steady | {name: ramp * weight for name, weight in rising.items()}, self)

    def supervised(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Cross entropy (OHEM, if the settings say so) of logits (B, C, H, W) against masks (B, H, W)."""
        return ohem_cross_entropy(logits, masks, self.cfg.ohem_threshold, self.cfg.ohem_min_kept)


def trained(method: nn.Module) -> list[Segmenter]:
    """Networks of a method that have trainable parameters."""
    nets = [net for net in method.modules() if isinstance(net, Segmenter)]
    return [net for net in nets if any(p.requires_grad for p in net.parameters())]


def see(net: nn.Module, groups: list[Tensor], passes: str = "joint", last_first: bool = False) -> list[SegOutput]:
    """Logits and features of a network for several groups of images, without maps and scores.

    Args:
        groups: (Bi, 3, H, W) each.
        passes: "joint" runs all groups in one pass, so that batch norm sees one batch; "separate" runs one pass per
            group.
        last_first: run separate passes in reverse order. The last pass weighs most in batch norm's running averages.
    """
    if passes == "separate":
        seen = [net(images) for images in (reversed(groups) if last_first else groups)]
        return seen[::-1] if last_first else seen
    out, sizes = net(torch.cat(groups)), [len(images) for images in groups]
    pairs = zip(out.logits.split(sizes), out.features.split(sizes), strict=True)
    return [SegOutput(logits, [], None, features) for logits, features in pairs]
