"""Batch norm for batches with a single value per channel, and for steps of two passes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm for maps pooled to one pixel, as in ASPP and pyramid pooling.

    With one image per device, such a map holds one value per channel, which has no variance; plain batch norm raises an
    error in train mode. This class normalises that case by the running statistics, without updating them. Every other
    case, and all of eval mode, is plain batch norm. Synchronised batch norm, which replaces this class on several
    devices, uses the values of all devices and does not have this problem.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


@contextmanager
def norms_with(net: nn.Module, change: Callable[[_BatchNorm], dict[str, object]]) -> Iterator[None]:
    """Context in which every batch norm of `net` has the attributes from `change`; its own are restored at the end."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    changes = [change(norm) for norm in norms]
    own = [{name: getattr(norm, name) for name in new} for norm, new in zip(norms, changes, strict=True)]
    _set(norms, changes)
    try:
        yield
    finally:
        _set(norms, own)


def _set(norms: list[_BatchNorm], attributes: list[dict[str, object]]) -> None:
    for norm, values in zip(norms, attributes, strict=True):
        for name, value in values.items():
            setattr(norm, name, value)


def exchanged_pass(net: nn.Module, first: bool) -> AbstractContextManager[None]:
    """Context with batch norm momenta for one of two passes, so that running averages equal those of the reverse order.

    With a momentum p, `r <- (1 - p) r + p x`, the later of two batches has weight p and the earlier one p (1 - p). To
    exchange these weights, the "first" pass uses p / (1 - p (1 - p)) and the other one p (1 - p).
    """

    def momentum(norm: _BatchNorm) -> dict[str, object]:
        p = norm.momentum
        return {"momentum": p / (1 - p * (1 - p)) if first else p * (1 - p)} if p else {}

    return norms_with(net, momentum)
