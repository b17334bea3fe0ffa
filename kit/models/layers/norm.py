"""Batch norm where a batch may hold a single value per channel, and in two passes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm for maps pooled to one pixel, as ASPP and pyramid pooling have them.

    With one image per device such a map holds one value per channel, which has no variance: plain batch norm refuses
    it in train mode. Here that one case is normalised by the running statistics, which stay as they are; every other
    case, and all of eval mode, is plain batch norm. Synchronised batch norm, which replaces this class over several
    devices, counts the values of all of them and needs no such rule.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


@contextmanager
def norms_with(net: nn.Module, change: Callable[[_BatchNorm], dict[str, object]]) -> Iterator[None]:
    """Within, every batch norm of `net` has the attributes that `change` names; afterwards its own again."""
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
    """Batch norm's momenta for one of two passes, so that running averages come out as if the other order were taken.

    With a momentum p, `r <- (1 - p) r + p x`, the later of two batches weighs p and the earlier p (1 - p). To end up
    with these weights exchanged, the "first" pass takes p / (1 - p (1 - p)) and the other one p (1 - p).
    """

    def momentum(norm: _BatchNorm) -> dict[str, object]:
        p = norm.momentum
        return {"momentum": p / (1 - p * (1 - p)) if first else p * (1 - p)} if p else {}

    return norms_with(net, momentum)
