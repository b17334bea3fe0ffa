"""What every method is: a module that owns its networks and turns one batch into one loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.methods.cutmix import Paste
from kit.models.segmenter import Segmenter
from kit.settings.run import MethodConfig, ModelConfig
from kit.system.precision import no_gradient
from kit.types import Batch, Progress, SegOutput, StepOutput, Views

Build = Callable[[ModelConfig], Segmenter]
"""Makes a network from its settings; class count and pretraining are already filled in."""


class Method(nn.Module, ABC):
    """One way of training. Subclasses take (cfg, student: ModelConfig, build: Build), and the networks of `teachers` by
    name; they know nothing of data sets, devices, optimisers or logging.

    The step is `forward`, because autocast and distributed wrapping attach to `forward`.
    """

    views = Views()
    """What the unlabelled loader should prepare."""
    teachers: tuple[str, ...] = ()
    """Fields of the settings that name folders of finished runs; the networks in them are handed to the constructor
    under the same names."""

    @abstractmethod
    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        """One training step: the weighted loss and its parts."""

    @classmethod
    def views_of(cls, cfg: MethodConfig) -> Views:
        """What the unlabelled loader should prepare under these settings."""
        return cls.views

    @staticmethod
    def pastes(cfg: MethodConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        """The CutMix of a step: a `Paste` for each of the strong views, or of the weak one if there is none. The first
        numbers of a step that are drawn; none are without CutMix.

        Args:
            weak: the unlabelled images (U, 3, H, W); only size and device matter.
        """
        return []

    @abstractmethod
    def predictor(self) -> Segmenter:
        """The network that is evaluated, saved and shown."""

    def companions(self) -> dict[str, Segmenter]:
        """Networks that are trained beside the student, by name."""
        nets = {name: net for name, net in self.named_children() if isinstance(net, Segmenter)}
        return {name: net for name, net in nets.items() if net is not self.predictor()}

    def after_step(self, progress: Progress) -> None:
        """Called after the optimiser's step: averaged weights and the like."""


def trained(method: nn.Module) -> list[Segmenter]:
    """Networks of a method of which something is trained."""
    nets = [net for net in method.modules() if isinstance(net, Segmenter)]
    return [net for net in nets if any(p.requires_grad for p in net.parameters())]


def total(parts: dict[str, Tensor], weights: dict[str, float], stats: dict[str, Tensor] | None = None) -> StepOutput:
    """Weighted sum of the parts, which are logged as they are.

    Raises KitError if a part has no weight or a weight no part. A part of weight 0 stays in the graph, so that every
    parameter has a gradient at every step, which distributed training relies on.
    """
    if parts.keys() != weights.keys():
        raise KitError(f"losses {sorted(parts)} and weights {sorted(weights)} do not match")
    loss = sum(weights[name] * value for name, value in parts.items())
    return StepOutput(loss, {name: value.detach() for name, value in parts.items()}, stats or {})


def see(net: nn.Module, groups: list[Tensor], passes: str = "joint", last_first: bool = False) -> list[SegOutput]:
    """Logits and features that a network makes of several groups of images, without maps and scores.

    Args:
        groups: (Bi, 3, H, W) each.
        passes: "joint" shows them together, so that batch norm sees one batch; "separate" one after the other.
        last_first: separate passes begin with the last group. The group that is seen last weighs most in the running
            averages of batch norm.
    """
    if passes == "separate":
        seen = [net(images) for images in (reversed(groups) if last_first else groups)]
        return seen[::-1] if last_first else seen
    out, sizes = net(torch.cat(groups)), [len(images) for images in groups]
    pairs = zip(out.logits.split(sizes), out.features.split(sizes), strict=True)
    return [SegOutput(logits, [], None, features) for logits, features in pairs]


def in_eval_mode(net: nn.Module, images: Tensor) -> SegOutput:
    """What a network makes of images in eval mode and without gradient; its mode is what it was afterwards."""
    training = net.training
    with no_gradient():
        out = net.eval()(images)
    net.train(training)
    return out
