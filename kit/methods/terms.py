"""A step's loss, gathered term by term, of which a part may be differentiated before the rest is computed."""

import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.types import StepOutput


class Terms:
    """The weighted terms of one step's loss, which are logged as they are. One of weight 0 stays in the graph, so that
    every parameter has a gradient at every step, which distributed training relies on.

    Args:
        weights: of all terms.
        module: what learns from them.
    """

    def __init__(self, weights: dict[str, float], module: nn.Module):
        self.weights, self.parts, self.stats = weights, {}, {}
        self._module, self._rest = module, torch.zeros(())  # of what is added up, what still has its graph
        self._settled: Tensor | None = None
        self._gradients: list[Tensor | None] = []

    def __contains__(self, name: str) -> bool:
        return name in self.weights

    def add(self, name: str, value: Tensor) -> None:
        """A term, or one more share of it. Raises KitError if it has no weight."""
        if name not in self.weights:
            raise KitError(f"term {name!r} and weights {sorted(self.weights)} do not match")
        self.parts[name] = self.parts.get(name, 0) + value.detach()
        self._rest = self._rest + self.weights[name] * value

    def count(self, stats: dict[str, Tensor]) -> None:
        """Counts about pseudo labels, which add up."""
        self.stats |= {name: self.stats.get(name, 0) + value for name, value in stats.items()}

    def settle(self) -> None:
        """Take the gradient of all that has been added since the last time, so that the activations behind it can go.

        It arrives at the parameters when the step's loss is differentiated, once, as ever. Under float16 nothing is
        done: there a loss must be scaled first, or its gradient underflows.
        """
        loss, kind = self._rest, self._rest.device.type
        half = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16
        if half or not loss.requires_grad:
            return
        with torch.autocast(kind, enabled=False):
            new = torch.autograd.grad(loss, _learning(self._module), allow_unused=True)
        old = self._gradients or [None] * len(new)
        self._gradients = [_added(a, b) for a, b in zip(old, new, strict=True)]
        self._settled = _added(self._settled, loss.detach())
        self._rest = torch.zeros(())

    def output(self) -> StepOutput:
        """What a method returns. Raises KitError if a weight has no term."""
        if self.parts.keys() != self.weights.keys():
            raise KitError(f"terms {sorted(self.parts)} and weights {sorted(self.weights)} do not match")
        loss = self._rest
        if self._settled is not None:
            loss = loss + _Settled.apply(self._settled, self._gradients, *_learning(self._module))
        return StepOutput(loss, {name: self.parts[name] for name in self.weights}, self.stats)


class _Settled(torch.autograd.Function):
    """A loss with the gradients of parameters, which it gives away once."""

    @staticmethod
    def forward(ctx, loss: Tensor, gradients: list[Tensor | None], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients  # not as saved tensors: no activations wait for the backward pass here
        return loss.clone()

    @staticmethod
    def backward(ctx, outer: Tensor):
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            raise RuntimeError("a loss of which a part was differentiated early can be differentiated once")
        if _is_one(outer):
            return None, None, *gradients
        return None, None, *(None if g is None else g.mul_(outer) for g in gradients)


def _is_one(factor: Tensor) -> bool:
    """Whether multiplying by `factor` can be left out: seen where a look costs nothing, and not in a traced step."""
    return factor.device.type == "cpu" and type(factor) is Tensor and factor.item() == 1


def _learning(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def _added(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    """Either may be lacking; `total` is used up."""
    return more if total is None else total if more is None else total.add_(more)
