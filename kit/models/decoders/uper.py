"""UPer decoder whose lateral connections select channels in the frequency domain (TriKD, section III-C)."""

from collections.abc import Sequence

from torch import Tensor, nn

from kit.models.decoders.frequency import FrequencySelect
from kit.models.layers.norm import PooledBatchNorm2d
from kit.models.layers.upsampling import conv_bn_relu, resize

BANDS = {"frequency": ("high", "high", "low"), "swapped": ("low", "low", "high")}
"""Selection -> bands of levels 0, 1 and 2; level 3 is pyramid pooling."""

PUBLISHED_CROP = 512
"""Side of the images at which a relative D0 is in bins."""


class PyramidPooling(nn.Module):
    """Pooled context at 1, 2, 3 and 6 bins, concatenated with the input and fused. (B, C, h, w) -> (B, width, h, w)."""

    def __init__(self, channels: int, width: int, bins: tuple[int, ...] = (1, 2, 3, 6)):
        super().__init__()
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(n), conv_bn_relu(channels, width, 1)) for n in bins
        )
        self.pools[bins.index(1)][1][1] = PooledBatchNorm2d(width)
        self.fuse = conv_bn_relu(channels + len(bins) * width, width, 3, of_maps=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.fuse([x, *(pool(x) for pool in self.pools)], x.shape[-2:])


class DualFrequencyUPer(nn.Module):
    """Fuse four encoder maps into one map of the first one's size.

    Args:
        channels: of the four maps.
        widths: of the four levels; published: 48, 96, 192, 320 (TinyViT).
        fused: channels of the result; published: 256.
        strides: of the four maps, pixels of the image per pixel of the map.
        selection, d0, d0_relative, centre, path: as in `ModelConfig`; published: D0 is 10.
    """

    def __init__(self, channels: list[int], widths: tuple[int, int, int, int], *, fused: int = 256,
                 selection: str = "frequency", strides: Sequence[int] = (4, 8, 16, 32), d0: float = 10.0,
                 d0_relative: bool = False, centre: str = "exact", path: str = "auto"):  # fmt: skip
        super().__init__()
        if selection in BANDS:
            laterals = [
                FrequencySelect(c, w, band, d0, PUBLISHED_CROP // stride if d0_relative else None, centre, path)
                for c, w, band, stride in zip(channels[:3], widths[:3], BANDS[selection], strides[:3], strict=True)
            ]
        else:
            laterals = [conv_bn_relu(c, w, 1) for c, w in zip(channels[:3], widths[:3], strict=True)]
        self.laterals = nn.ModuleList([*laterals, PyramidPooling(channels[3], widths[3])])
        self.down = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(3))
        self.smooth = nn.ModuleList(conv_bn_relu(w, w, 3) for w in widths[:3])
        self.fuse = conv_bn_relu(sum(widths), fused, 3, of_maps=True)
        self.out_channels = fused

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps (B, Ci, Hi, Wi) -> (B, fused, H0, W0), the size of the first (usually the finest, at 1/4)."""
        levels = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        for i in (2, 1, 0):
            levels[i] = levels[i] + resize(self.down[i](levels[i + 1]), levels[i].shape[-2:])
        levels = [*(conv(x) for conv, x in zip(self.smooth, levels[:3], strict=True)), levels[3]]
        return self.fuse(levels, levels[0].shape[-2:])
