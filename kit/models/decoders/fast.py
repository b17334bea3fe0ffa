"""A narrow decoder for CPUs: separable convolutions, and channels selected by one level of a Haar transform.

As in TriKD's decoder (section III-C), lateral connections weight channels by their content in the high or low band,
and a top-down path runs from coarse to fine. The design suits 8-bit arithmetic: every activation is a ReLU6, and no
tensor has many channels at the finest size.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from kit.models.decoders.uper import BANDS
from kit.models.layers.upsampling import resize
from kit.system.precision import at_least_float32


def haar_mean(x: Tensor, band: str) -> Tensor:
    """Mean magnitude of the low or high band of one Haar level in every channel, float32 (B, C, 1, 1).

    The low band is the mean of each 2 x 2 block, the high band the remainder of the map.

    Args:
        x: (B, C, H, W), H and W even.
        band: "low" or "high".
    """
    x = at_least_float32(x)
    low = F.avg_pool2d(x, 2)
    part = low if band == "low" else x - F.interpolate(low, scale_factor=2.0, mode="nearest")
    return part.abs().mean((2, 3), keepdim=True)


class HaarSelect(nn.Module):
    """`kit.models.decoders.frequency.FrequencySelect` with a Haar level in place of the Gaussian split.

    `f = |band(x)|`, `a = sigmoid(W1 GAP(f))`, result `W2 (x + a x)`. Known differences from TriKD: bands come from
    2 x 2 blocks, which costs one pooling, where the paper transforms the whole map; `W2` has a batch norm.

    Args:
        channels, width: C, and channels of the result.
        band: "low" or "high".
    """

    def __init__(self, channels: int, width: int, band: str):
        super().__init__()
        self.band = band
        self.attend = nn.Conv2d(channels, channels, 1, bias=False)
        self.project = _conv(channels, width, 1)

    def channel_attention(self, x: Tensor) -> Tensor:
        """(B, C, 1, 1) in 0..1."""
        return self.attend(haar_mean(x, self.band)).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, width, H, W)."""
        return self.project(x * (1 + self.channel_attention(x)))


class FastFrequencyDecoder(nn.Module):
    """Fuse four encoder maps into one map of the finest one's size.

    Args:
        channels: of the four maps.
        width: channels of the levels at 1/16 and 1/8.
        fine: channels at 1/4, and of the result.
        selection: "frequency", "swapped" (high and low exchanged) or "plain" (1x1 ConvBN laterals).
    """

    def __init__(self, channels: Sequence[int], width: int = 64, fine: int = 32, selection: str = "frequency"):
        super().__init__()
        widths, bands = (fine, width, width), BANDS.get(selection, (None,) * 3)
        self.laterals = nn.ModuleList(
            _conv(c, w, 1) if band is None else HaarSelect(c, w, band)
            for c, w, band in zip(channels[:3], widths, bands, strict=True)
        )
        self.top = _conv(channels[3], width, 1)
        self.context = nn.Conv2d(channels[3], width, 1)  # of the mean over the image; one position needs no batch norm
        self.smooth = nn.ModuleList(_separable(w, w) for w in widths)
        self.narrow = _conv(width, fine, 1)
        self.out_channels = fine

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps (B, Ci, Hi, Wi) -> (B, fine, H0, W0)."""
        fine, middle, coarse = (lateral(x) for lateral, x in zip(self.laterals, maps, strict=False))
        x = self.top(maps[3]) + self.context(maps[3].mean((2, 3), keepdim=True))
        x = self.smooth[2](coarse + resize(x, coarse.shape[-2:]))
        x = self.smooth[1](middle + resize(x, middle.shape[-2:]))
        return self.smooth[0](fine + resize(self.narrow(x), fine.shape[-2:]))


def _conv(channels: int, width: int, kernel: int, groups: int = 1) -> nn.Sequential:
    """Convolution that keeps the size, then batch norm."""
    conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width))


def _separable(channels: int, width: int) -> nn.Sequential:
    """3x3 depthwise and 1x1 convolution, batch norm and ReLU6 after each."""
    return nn.Sequential(*_conv(channels, channels, 3, groups=channels), nn.ReLU6(inplace=True),
                         *_conv(channels, width, 1), nn.ReLU6(inplace=True))  # fmt: skip
