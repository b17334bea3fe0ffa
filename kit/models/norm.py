"""Batch norm where a batch may hold a single value per channel, and over several devices."""

import torch.nn.functional as F
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn


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


def synchronised(net: nn.Module) -> nn.Module:
    """`net` with every batch norm one over all processes; changed in place where it can be.

    torch's own conversion would leave out the activations that timm's networks keep inside their batch norm.
    """
    return convert_sync_batchnorm(net)
