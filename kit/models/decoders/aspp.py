"""Atrous spatial pyramid pooling: context at several distances around every pixel (Chen et al. 2018, DeepLabv3+)."""

import importlib

import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.models.layers.norm import PooledBatchNorm2d

ATROUS = (6, 12, 18)
"""Dilations at output stride 16, as published."""


class OfficialASPP(nn.Module):
    """The ASPP of MGD's authors: a 1x1 and three dilated 3x3 convolutions and the mean over the image, then a 1x1.

    (B, C, h, w) -> (B, width, h, w). It differs from segmentation_models_pytorch's in leaky ReLUs (slope 0.01) and no
    dropout; names are equal, so the weights of one fit the other. The authors' code computes the same with one batch
    norm over the four convolutions' channels and two 1x1 convolutions whose sum is normalised.
    """

    def __init__(self, channels: int, width: int, atrous: tuple[int, int, int] = ATROUS):
        super().__init__()

        def block(inputs: int, kernel: int = 1, dilation: int = 1, norm: type = nn.BatchNorm2d) -> nn.Sequential:
            padding = dilation * (kernel // 2)
            conv = nn.Conv2d(inputs, width, kernel, padding=padding, dilation=dilation, bias=False)
            return nn.Sequential(conv, norm(width), nn.LeakyReLU(inplace=True))

        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), *block(channels, norm=PooledBatchNorm2d))
        self.convs = nn.ModuleList([block(channels), *(block(channels, 3, rate) for rate in atrous), pooled])
        self.project = block(5 * width)

    def forward(self, x: Tensor) -> Tensor:
        *maps, pooled = [conv(x) for conv in self.convs]
        return self.project(torch.cat([*maps, pooled.expand_as(maps[0])], 1))


def smp_aspp(channels: int, width: int, atrous: tuple[int, int, int] = ATROUS) -> nn.Module:
    """The ASPP of segmentation_models_pytorch, with plain convolutions and without dropout (a `Segmenter` has its own).

    (B, C, h, w) -> (B, width, h, w). Its pooled branch takes a batch of one in train mode too (`PooledBatchNorm2d`).

    Raises: KitError if the package cannot be imported; only networks with this part need it.
    """
    try:
        parts = importlib.import_module("segmentation_models_pytorch.decoders.deeplabv3.decoder")
    except ImportError as error:
        raise KitError(
            f"head 'smp' needs segmentation_models_pytorch, which cannot be imported ({error}); "
            "install it, or set the network's head to 'official'"
        ) from error
    aspp = parts.ASPP(channels, width, atrous, separable=False, dropout=0.0)
    pooled = aspp.convs[-1]
    pooled[[type(part) for part in pooled].index(nn.BatchNorm2d)] = PooledBatchNorm2d(width)
    return aspp
