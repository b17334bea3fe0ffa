"""A step's loss, added up term by term; the first terms can be differentiated before the others are computed."""

import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.types import StepOutput


class Terms:
    """The weighted terms of one step's loss; logs show them unweighted. A term of weight 0 stays in the graph, because
    distributed training needs a gradient for every parameter at every step.

    Args:
        weights: multiplier of each term.
        module: the module that learns from the loss.
    """

    def __init__(self, weights: dict[str, float], module: nn.Module):
        self.weights, self.parts, self.stats = weights, {}, {}
        self._module, self._rest = module, torch.zeros(())  # `_rest`: the sum of terms not yet differentiated
        self._settled: Tensor | None = None
        self._gradients: list[Tensor | None] = []

    def __contains__(self, name: str) -> bool:
        return name in self.weights

    def add(self, name: str, value: Tensor) -> None:
        """Add a term, or one more part of it. Raises KitError if it has no weight."""
        if name not in self.weights:
            raise KitError(f"term {name!r} and weights {sorted(self.weights)} do not match")
        self.parts[name] = self.parts.get(name, 0) + value.detach()
        self._rest = self._rest + self.weights[name] * value

    def count(self, stats: dict[str, Tensor]) -> None:
        """Add counts about pseudo labels."""
        self.stats |= {name: self.stats.get(name, 0) + value for name, value in stats.items()}

    def settle(self) -> None:
        """Differentiate the terms added since the last call, so that their activations are freed.

        The parameters get this gradient when the step's loss is differentiated, as without this call. Under float16
        this does nothing: there a loss must be scaled first, or its gradient underflows.
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
        """The result of a method's step. Raises KitError if a weight has no term."""
        if self.parts.keys() != self.weights.keys():
            raise KitError(f"terms {sorted(self.parts)} and weights {sorted(self.weights)} do not match")
        loss = self._rest
        if self._settled is not None:
            loss = loss + _Settled.apply(self._settled, self._gradients, *_learning(self._module))
        return StepOutput(loss, {name: self.parts[name] for name in self.weights}, self.stats)


class _Settled(torch.autograd.Function):
    """A loss whose gradients were computed before; backward passes them to the parameters, once."""

    @staticmethod
    def forward(ctx, loss: Tensor, gradients: list[Tensor | None], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients  # not saved tensors: no activations are kept here for the backward pass
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
    """Whether `factor` is known to be 1: it is read only where that is free, on a CPU, and not in a traced step."""
    return factor.device.type == "cpu" and type(factor) is Tensor and factor.item() == 1


def _learning(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def _added(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    """Sum of two tensors, either of which may be None; `total` is overwritten."""
    return more if total is None else total if more is None else total.add_(more)
