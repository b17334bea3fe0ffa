"""UPer decoder whose lateral connections select channels in the frequency domain (TriKD, section III-C)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.models.frequency import FrequencySelect

BANDS = ("high", "high", "low")
"""What levels 0, 1 and 2 (fine to coarse) look at; level 3 is pyramid pooling."""

PUBLISHED_SIDES = (128, 64, 32)
"""Sides of the maps of these levels at the published crop of 512."""


def conv_bn_relu(channels: int, width: int, kernel: int) -> nn.Sequential:
    """Convolution without bias that keeps the size, batch norm, ReLU."""
    conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, corners aligned: the one way in which maps and logits change size in this kit."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


class PyramidPooling(nn.Module):
    """Context at 1, 2, 3 and 6 bins beside the input. (B, C, h, w) -> (B, width, h, w)."""

    def __init__(self, channels: int, width: int, bins: tuple[int, ...] = (1, 2, 3, 6)):
        super().__init__()
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(n), conv_bn_relu(channels, width, 1)) for n in bins
        )
        self.fuse = conv_bn_relu(channels + len(bins) * width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fuse(torch.cat([x, *(resize(pool(x), x.shape[-2:]) for pool in self.pools)], 1))


class DualFrequencyUPer(nn.Module):
    """Four encoder maps, fine to coarse, to one map at the finest size.

    Args:
        channels: of the four maps.
        widths: of the four levels; published: 48, 96, 192, 320 (TinyViT).
        fused: channels of the result; published: 256.
        selection: "frequency" or "plain" (1x1 ConvBNReLU laterals, for ablation).
        d0: radius of the Gaussian split in frequency bins; published: 10.
        d0_relative: count `d0` at the published crop and scale it with the maps.
    """

    def __init__(self, channels: list[int], widths: tuple[int, int, int, int], *, fused: int = 256,
                 selection: str = "frequency", d0: float = 10.0, d0_relative: bool = False):  # fmt: skip
        super().__init__()
        if selection == "frequency":
            laterals = [
                FrequencySelect(c, w, band, d0, side if d0_relative else None)
                for c, w, band, side in zip(channels[:3], widths[:3], BANDS, PUBLISHED_SIDES, strict=True)
            ]
        else:
            laterals = [conv_bn_relu(c, w, 1) for c, w in zip(channels[:3], widths[:3], strict=True)]
        self.laterals = nn.ModuleList([*laterals, PyramidPooling(channels[3], widths[3])])
        self.down = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(3))
        self.smooth = nn.ModuleList(conv_bn_relu(w, w, 3) for w in widths[:3])
        self.fuse = conv_bn_relu(sum(widths), fused, 3)
        self.out_channels = fused

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps (B, Ci, Hi, Wi) at 1/4 to 1/32 -> (B, fused, H/4, W/4)."""
        levels = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        for i in (2, 1, 0):
            levels[i] = levels[i] + resize(self.down[i](levels[i + 1]), levels[i].shape[-2:])
        levels = [*(conv(x) for conv, x in zip(self.smooth, levels[:3], strict=True)), levels[3]]
        return self.fuse(torch.cat([resize(x, levels[0].shape[-2:]) for x in levels], 1))
