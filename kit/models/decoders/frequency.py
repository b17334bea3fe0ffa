"""Gaussian low/high split of feature maps, and the channel selection built on it (TriKD, section III-C).

The filter `G(u, v) = exp(-(u^2 + v^2) / (2 D0^2))` is separable and circular, so filtering a map X needs no Fourier
transform: with the real symmetric circulant matrices `C` of the two one-dimensional filters, `low = C_h X C_w` and
`high = X - low`. These plain matrix products are exact to rounding, safe in mixed precision, fast
for small maps, and exportable. Large maps use the FFT of real signals, with the same result.
"""

import math

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kit.errors import KitError
from kit.models.layers.upsampling import constant
from kit.system.precision import at_least_float32

PATHS = ("auto", "matmul", "fft")
"""How maps are filtered. "auto" is "matmul" up to `LARGEST_PRODUCT` and in a captured graph, else "fft"."""

LARGEST_PRODUCT = 256
"""Longest side for which matrix products are faster than the FFT on a CPU."""

CHUNK = {"cpu": 2**17, "cuda": 2**25}
"""Pixels, over all channels, that are processed at a time. On a CPU their intermediate tensors should fit the cache; on
a GPU they should fill the device, with several images at once where one image has few."""


def gaussian_response(size: int, d0: float) -> Tensor:
    """exp(-u^2 / (2 d0^2)) at the signed frequencies u of a signal, in the order of `fftfreq`; float64 (size,). All
    filters are computed on the CPU before rounding, because not every device has float64."""
    bins = (torch.arange(size, dtype=torch.float64) + size // 2) % size - size // 2
    return torch.exp(-(bins**2) / (2 * d0**2))


@constant
def gaussian_circulant(size: int, d0: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Circulant matrix (size, size) whose product with a signal applies the low-pass exp(-u^2 / (2 d0^2)).

    `u` is the signed frequency in bins (0 at the constant). Rows sum to 1: the mean of a signal passes unchanged.
    """
    at = torch.arange(size)
    waves = torch.cos((at[:, None] * at % size).double() * (2 * math.pi / size))
    kernel = waves @ gaussian_response(size, d0) / size
    return kernel[(at[:, None] - at) % size].to(dtype).to(device)


@constant
def half_plane_response(h: int, w: int, radius: tuple[float, float], device: torch.device, dtype: torch.dtype):
    """The Gaussian at the frequencies of `rfft2`, (h, w // 2 + 1)."""
    rows, columns = gaussian_response(h, radius[0]), gaussian_response(w, radius[1])
    return (rows[:, None] * columns[: w // 2 + 1]).to(dtype).to(device)


@constant
def off_centre_turn(h: int, w: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(2, 1, 1, h, w): cosine and sine of the wave that shifts a map's spectrum up by one bin along even sides."""
    rows, columns = (torch.arange(n, dtype=torch.float64) / n * (n % 2 == 0) for n in (h, w))
    angle = 2 * math.pi * (rows[:, None] + columns)
    return torch.stack([angle.cos(), angle.sin()])[:, None, None].to(dtype).to(device)


def low_pass(x: Tensor, radius: tuple[float, float], path: str = "auto") -> Tensor:
    """Low part of real maps (..., H, W), float32 or wider; arguments as in `gaussian_split`."""
    h, w = x.shape[-2:]
    if path not in PATHS:
        raise KitError(f"a filter's path is one of {', '.join(PATHS)}, got {path!r}")
    if radius == (math.inf, math.inf):
        return x
    if path == "auto":
        path = "matmul" if max(h, w) <= LARGEST_PRODUCT or torch.compiler.is_compiling() else "fft"
    if path == "fft":
        return torch.fft.irfft2(torch.fft.rfft2(x) * half_plane_response(h, w, radius, x.device, x.dtype), s=(h, w))
    rows, columns = (
        gaussian_circulant(n, d0, x.device, x.dtype) for n, d0 in zip((h, w), radius, strict=True)
    )  # both symmetric
    return rows @ x.contiguous() @ columns


def gaussian_split(x: Tensor, radius: tuple[float, float], path: str = "auto") -> tuple[Tensor, Tensor]:
    """Low and high part of every channel; they add up to `x`.

    Args:
        x: maps (B, C, H, W).
        radius: D0 along height and width, in frequency bins, > 0; inf passes everything as low.
        path: one of PATHS; the numbers are the same up to rounding.
    Returns: two float32 (or wider) tensors like `x`. The split is computed with autocast off: in bfloat16 the high
        part, a difference of close numbers, would be noise.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = at_least_float32(x)
        low = low_pass(x, radius, path)
        return low, x - low


def official_split(x: Tensor, radius: tuple[float, float], path: str = "auto") -> tuple[Tensor, Tensor]:
    """`gaussian_split` with the filter centre of TriKD's authors; both parts are complex and add up to `x`.

    The authors shift the zero frequency to `H // 2` but centre the Gaussian at `(H - 1) // 2`: at frequency -1 for even
    sizes (exact for odd ones). The filtered map is therefore complex. It equals the map with its spectrum shifted up by
    one bin, filtered exactly, and shifted back; real and imaginary part of the shifted map are filtered separately.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = at_least_float32(x)
        turn = off_centre_turn(*x.shape[-2:], x.device, x.dtype)
        low = torch.complex(*low_pass(turn * x, radius, path)) * torch.complex(turn[0], -turn[1])
        return low, x - low


def band_magnitude(x: Tensor, band: str, radius: tuple[float, float], official: bool, path: str = "auto") -> Tensor:
    """|low| or |high| of `gaussian_split` or `official_split`, real, like `x`.

    The official filter skips the shift back, which does not change magnitudes.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = at_least_float32(x)
        turn = off_centre_turn(*x.shape[-2:], x.device, x.dtype) if official else None
        return _magnitude(_band(_turned(x, turn), band, radius, path))


def band_mean(x: Tensor, band: str, radius: tuple[float, float], official: bool, path: str = "auto") -> Tensor:
    """Mean of `band_magnitude` over every map, (B, C, 1, 1).

    A few channels are processed at a time, so that they fit the cache, and the forward pass also computes the
    gradient: one map like `x` is kept for the backward pass, and nothing where no gradient is wanted. A captured graph
    holds the plain form.
    """
    with torch.autocast(x.device.type, enabled=False):
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return band_magnitude(x, band, radius, official, path).mean((2, 3), keepdim=True)
        if x.requires_grad and torch.is_grad_enabled():
            mean = _BandMean.apply(x, band, radius, official, path)
        else:
            mean, _ = _mean_and_slope(x, band, radius, official, path, learns=False)
        return mean[..., None, None]


class _BandMean(torch.autograd.Function):
    """`band_mean` (B, C); can be differentiated once."""

    @staticmethod
    def forward(ctx, x: Tensor, *settings) -> Tensor:
        mean, slope = _mean_and_slope(x, *settings, learns=True)
        ctx.save_for_backward(slope)
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        (slope,) = ctx.saved_tensors
        return slope * (outer / slope[0, 0].numel()).to(slope.dtype)[..., None, None], None, None, None, None


def _mean_and_slope(x: Tensor, band: str, radius: tuple[float, float], official: bool, path: str, learns: bool):
    """`band_mean` (B, C) and, if `learns`, the gradient of each map's sum, like `x`. Computed on contiguous channels in
    float32 at least, whatever layout and dtype `x` has.

    Filters are symmetric. So the gradient of the sum of |F x| is F (F x / |F x|), and for the official
    filter, F = G T with the turn T, it is T^T G (F x / |F x|).
    """
    h, w = x.shape[-2:]
    dtype = torch.promote_types(x.dtype, torch.float32)
    turn = off_centre_turn(h, w, x.device, dtype) if official else None
    room = CHUNK.get(x.device.type, 2**25)
    images, channels = (max(1, room // size) for size in (x[0].numel(), h * w))
    mean = x.new_empty(x.shape[:2], dtype=dtype)
    slope = torch.empty_like(x) if learns else x  # without a gradient it is a placeholder
    for some in zip(*(maps.split(images) for maps in (x, mean, slope)), strict=True):
        for part, of_part, gradient in zip(*(maps.split(channels, 1) for maps in some), strict=True):
            part = part.to(dtype, memory_format=torch.contiguous_format)
            moved = _band(_turned(part, turn), band, radius, path)
            magnitude = _magnitude(moved)
            of_part.copy_(magnitude.mean((2, 3)))
            if learns:
                back = _band(moved.div_(magnitude) if official else moved.sign(), band, radius, path)
                gradient.copy_((turn[0] * back[0]).addcmul_(turn[1], back[1]) if official else back[0])
    return mean, slope


def _turned(x: Tensor, turn: Tensor | None) -> Tensor:
    """Real and imaginary part of maps after the spectral shift, (2, ...); without a turn, the maps as (1, ...)."""
    return x[None] if turn is None else turn * x


def _band(x: Tensor, band: str, radius: tuple[float, float], path: str) -> Tensor:
    low = low_pass(x, radius, path)
    return x - low if band == "high" else low


def _magnitude(parts: Tensor) -> Tensor:
    """Magnitude of real (1, ...) or complex (2, ...) maps -> (...)."""
    if len(parts) == 1:
        return parts[0].abs()
    square = torch.addcmul(parts[0].square(), parts[1], parts[1])
    return (square + torch.finfo(parts.dtype).tiny).sqrt()  # the square root has no gradient at 0


class FrequencySelect(nn.Module):
    """Lateral connection that weights channels by their content in one frequency band.

    `f = |band(x)|`, `a = sigmoid(W1 GAP(f))`, result `W2 (x + a x)`; W1 (C -> C) and W2 (C -> width) are 1x1
    convolutions without bias, norm or activation, both initialised by Kaiming's normal rule with a = 1.

    Figures call `split`, `descriptor` and `channel_attention` on any map.

    Args:
        channels, width: C, and channels of the result.
        band: "low" or "high".
        d0: radius of the filter in frequency bins; may be infinite.
        side: side of this map at the published crop. `d0` applies at that size and scales with the map, so that the
            same share of the spectrum passes at every size. None keeps `d0` bins at every size (published).
        centre: "exact", or "official" (`official_split`).
        path: one of PATHS.

    The low-pass of a non-negative map is non-negative and keeps the mean, so there the low branch equals global average
    pooling; it differs only for maps with negative values.
    """

    def __init__(self, channels: int, width: int, band: str, d0: float, side: int | None = None,
                 centre: str = "exact", path: str = "auto"):  # fmt: skip
        super().__init__()
        self.band, self.d0, self.side, self.path = band, d0, side, path
        self.official = centre == "official"
        self.attend = nn.Conv2d(channels, channels, 1, bias=False)
        self.project = nn.Conv2d(channels, width, 1, bias=False)
        for conv in (self.attend, self.project):
            nn.init.kaiming_normal_(conv.weight, a=1)

    def radius(self, height: int, width: int) -> tuple[float, float]:
        """D0 in bins along the height and width of a map."""
        return (self.d0, self.d0) if self.side is None else (self.d0 * height / self.side, self.d0 * width / self.side)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Low and high part of `x` (B, C, H, W); complex ones for the official filter."""
        split = official_split if self.official else gaussian_split
        return split(x, self.radius(*x.shape[-2:]), self.path)

    def descriptor(self, x: Tensor) -> Tensor:
        """Mean magnitude of the band in every channel, (B, C, 1, 1)."""
        radius = self.radius(*x.shape[-2:])
        return band_mean(x, self.band, radius, self.official, self.path)

    def channel_attention(self, x: Tensor) -> Tensor:
        """(B, C, 1, 1) in 0..1."""
        return self.attend(self.descriptor(x)).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, width, H, W)."""
        return self.project(x * (1 + self.channel_attention(x)))
