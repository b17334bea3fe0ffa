"""What every method is: a module that owns its networks and turns one batch into one loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from kit.config import ModelConfig
from kit.errors import KitError
from kit.models.segmenter import Segmenter
from kit.types import Batch, Progress, StepOutput, Views

Build = Callable[[ModelConfig], Segmenter]
"""Makes a network from its settings; class count and pretraining are already filled in."""


class Method(nn.Module, ABC):
    """One way of training. Subclasses take (cfg, student: ModelConfig, build: Build) and know nothing of data sets,
    devices, optimisers or logging.

    The step is `forward`, because autocast and distributed wrapping attach to `forward`.
    """

    views = Views()
    """What the unlabelled loader should prepare."""

    @abstractmethod
    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        """One training step: the weighted loss and its parts."""

    @abstractmethod
    def predictor(self) -> Segmenter:
        """The network that is evaluated, saved and shown."""

    def after_step(self, progress: Progress) -> None:
        """Called after the optimiser's step: averaged weights and the like."""


def total(parts: dict[str, Tensor], weights: dict[str, float]) -> StepOutput:
    """Weighted sum of the parts, which are logged as they are.

    Raises KitError if a part has no weight or a weight no part. A part of weight 0 stays in the graph, so that every
    parameter has a gradient at every step, which distributed training relies on.
    """
    if parts.keys() != weights.keys():
        raise KitError(f"losses {sorted(parts)} and weights {sorted(weights)} do not match")
    loss = sum(weights[name] * value for name, value in parts.items())
    return StepOutput(loss, {name: value.detach() for name, value in parts.items()})
