"""Gaussian low/high split of feature maps, and the channel selection built on it (TriKD, section III-C).

The filter `G(u, v) = exp(-(u^2 + v^2) / (2 D0^2))` is separable and circular, so filtering a map X needs no Fourier
transform: with the real symmetric circulant matrices `C` of the two one-dimensional filters, `low = C_h X C_w` and
`high = X - low`. Plain matrix products: exact to rounding, safe in mixed precision, fast for small maps, exportable.
"""

from functools import lru_cache

import torch
from torch import Tensor, nn


@lru_cache(maxsize=64)
def gaussian_circulant(size: int, d0: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Circulant matrix (size, size) whose product with a signal applies the low-pass exp(-u^2 / (2 d0^2)).

    `u` is the signed frequency in bins (0 at the constant). Rows sum to 1: the mean of a signal passes unchanged.
    """
    with torch.inference_mode(False):  # a tensor made in inference mode could not be used in training later
        bins = torch.fft.fftfreq(size, d=1 / size, dtype=torch.float64)
        kernel = torch.fft.ifft(torch.exp(-(bins**2) / (2 * d0**2))).real
        index = torch.arange(size)
        return kernel[(index[:, None] - index[None, :]) % size].to(device, dtype)


def gaussian_split(x: Tensor, radius: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Low and high part of every channel; they add up to `x`.

    Args:
        x: maps (B, C, H, W).
        radius: D0 along height and width, in frequency bins, > 0.
    Returns: two float32 (or wider) tensors like `x`. The split is computed with autocast off: in bfloat16 the high
        part, a difference of close numbers, would be noise.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        rows = gaussian_circulant(x.shape[-2], radius[0], x.device, x.dtype)
        columns = gaussian_circulant(x.shape[-1], radius[1], x.device, x.dtype)
        low = rows @ x @ columns  # both matrices are symmetric
        return low, x - low


class FrequencySelect(nn.Module):
    """Lateral connection that weighs channels by what they hold in one frequency band.

    `f = |band(x)|`, `a = sigmoid(W1 GAP(f))`, result `W2 (x + a x)`; W1 (C -> C) and W2 (C -> width) are 1x1
    convolutions without bias, norm or activation, both drawn by Kaiming's normal rule with a = 1.

    Args:
        channels, width: C, and channels of the result.
        band: "low" or "high".
        d0: radius of the filter in frequency bins.
        side: side of this map at the published crop; `d0` is counted there and grows and shrinks with the map, so
            that the same share of the spectrum passes at every size. None keeps `d0` bins at every size (published).

    Of a non-negative map the low-pass is non-negative and keeps the mean, so there the low branch is global average
    pooling; it differs only for maps with negative values.
    """

    def __init__(self, channels: int, width: int, band: str, d0: float, side: int | None = None):
        super().__init__()
        self.band, self.d0, self.side = band, d0, side
        self.attend = nn.Conv2d(channels, channels, 1, bias=False)
        self.project = nn.Conv2d(channels, width, 1, bias=False)
        for conv in (self.attend, self.project):
            nn.init.kaiming_normal_(conv.weight, a=1)

    def radius(self, height: int, width: int) -> tuple[float, float]:
        """D0 in bins along the height and width of a map."""
        return (self.d0, self.d0) if self.side is None else (self.d0 * height / self.side, self.d0 * width / self.side)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Low and high part of `x` (B, C, H, W)."""
        return gaussian_split(x, self.radius(*x.shape[-2:]))

    def channel_attention(self, x: Tensor) -> Tensor:
        """(B, C, 1, 1) in 0..1."""
        low, high = self.split(x)
        pooled = (low if self.band == "low" else high).abs().mean((2, 3), keepdim=True)
        return self.attend(pooled).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, width, H, W)."""
        return self.project(x + self.channel_attention(x) * x)
