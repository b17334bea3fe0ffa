"""Resizing maps of several sizes to one size, and a 3x3 convolution over them that works at their own sizes.

Bilinear resizing with corners aligned is `y = R x C^T` for every channel, with fixed matrices `R` and `C`. A 3x3
convolution of `y` uses nine shifted copies of them. Resizing commutes with the mixing of channels, which is nearly all
the work of a convolution. So the channels of a coarse map are mixed first, for all nine taps, at its own size; then
products with the shifted matrices resize the result and sum the taps:

    conv(up(x)) = sum over dy of R_dy (sum over dx of (W_dy,dx x) C_dx^T)

The zero padding of the convolution is exact: rows of the shifted matrices that fall outside are zero. For a UPer
decoder (maps at 1/4 to 1/32, 3x3 convolution of all at 1/4) this takes a fourth of the multiplications, and
neither the enlarged maps nor their concatenation are formed.
"""

from functools import lru_cache, wraps

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import unset_fake_temporarily


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resizing with corners aligned, which the kit uses for all maps and logits."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def constant(make):
    """Decorator that caches the tensor `make(*arguments)`, which must depend only on its arguments.

    The cached tensor is real and made outside inference mode, so that training can use it later, even if it is first
    needed where tensors are fake (`kit.train.memory.estimate`). While a graph is captured it is made anew, so that the
    cache holds no tensor of a trace.
    """

    def plain(*arguments):
        with torch.inference_mode(False):
            return make(*arguments)

    @lru_cache(maxsize=128)
    def remembered(*arguments):
        with unset_fake_temporarily():
            return plain(*arguments)

    @wraps(make)
    def get(*arguments):
        return (plain if torch.compiler.is_compiling() else remembered)(*arguments)

    return get


@constant
def shifted_resize(source: int, target: int, kernel: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Resizing along one axis under each tap of a convolution: (target, source, kernel).

    `[:, :, t]` maps a signal of `source` samples to `target` samples; sample i is the resized signal at
    i + t - kernel // 2, or zero outside of it.
    """
    unit = torch.eye(source, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    whole = F.interpolate(unit[None], size=target, mode="linear", align_corners=True)[0].T  # (target, source)
    padded = F.pad(whole, (0, 0, kernel // 2, kernel // 2))
    return torch.stack([padded[t : t + target] for t in range(kernel)], -1).to(dtype).to(device)


def conv_resized(weight: Tensor, maps: list[Tensor], size: tuple[int, int], bias: Tensor | None = None) -> Tensor:
    """`conv2d(cat([resize(x, size) for x in maps], 1), weight, bias)`, padded to keep the size.

    Args:
        weight: (channels of the result, sum of the maps' channels, k, k), k odd.
        maps: (B, Ci, Hi, Wi) each.
        size: (H, W) of the result.
        bias: (channels of the result,), or none.
    Returns: (B, channels of the result, H, W), equal up to rounding; channels last in memory, the layout of the
        matrix products, if any map was mixed at its own size.
    """
    size, whole, mixed = tuple(size), [], []
    for part in zip(weight.split([x.shape[1] for x in maps], 1), maps, strict=True):
        (mixed if _mixing_first_is_cheaper(*part, size) else whole).append(part)
    result = None
    if whole:
        at_size = [x if x.shape[-2:] == size else resize(x, size) for _, x in whole]
        weight_of_whole = torch.cat([w for w, _ in whole], 1) if mixed else weight
        result = F.conv2d(torch.cat(at_size, 1), weight_of_whole, bias, padding=weight.shape[-1] // 2)
    for part in mixed:
        result = _add_mixed_first(result, *part, size)
    return result if whole or bias is None else result + bias[:, None, None]


def _mixing_first_is_cheaper(weight: Tensor, x: Tensor, size: tuple[int, int]) -> bool:
    """Compare multiplications. Those of a plain convolution count half, as it runs closer to peak speed. Reordering the
    weights costs as much as 128 more pixels, once for all images. A captured graph assumes one image."""
    _, channels, kernel, _ = weight.shape
    (h, w), (height, width) = x.shape[-2:], size
    images = 1 if torch.compiler.is_compiling() else len(x)
    mixing = (h * w + 128 / images) * channels * kernel**2
    resizing = h * w * width * kernel**2 + h * width * height * kernel
    return (h, w) != size and mixing + resizing < height * width * channels * kernel**2 / 2


def _add_mixed_first(total: Tensor | None, weight: Tensor, x: Tensor, size: tuple[int, int]) -> Tensor:
    """`total` (B, out, *size), or nothing, plus the convolution of one resized map."""
    out, channels, kernel, _ = weight.shape
    b, _, h, w = x.shape
    rows, columns = (
        shifted_resize(n, to, kernel, x.device, x.dtype) for n, to in zip((h, w), size, strict=True)
    )  # (H, h, k), (W, w, k)
    rows = rows.transpose(1, 2).flatten(1).expand(b, -1, -1)  # (B, H, k * h)
    taps = weight.permute(2, 1, 3, 0).flatten(2)  # (k, C, k * out)
    mixed = x.permute(0, 2, 3, 1).reshape(b, 1, h * w, channels) @ taps  # (B, k, h * w, k * out)
    wide = (columns.flatten(1) @ mixed.reshape(b, kernel * h, w * kernel, out)).flatten(2)  # (B, k * h, W * out)
    if total is None:
        total = rows @ wide
    else:
        flat = total.permute(0, 2, 3, 1).flatten(2)  # (B, H, W * out)
        add = flat.baddbmm if flat.requires_grad else flat.baddbmm_  # through a view, autograd would copy it twice
        total = add(rows, wide)
    return total.unflatten(2, (size[1], out)).permute(0, 3, 1, 2)


class ConvOfMaps(nn.Conv2d):
    """A convolution that keeps the size, over the concatenation of maps resized to one size, by `conv_resized`."""

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Maps (B, Ci, Hi, Wi) -> (B, out_channels, *size)."""
        return conv_resized(self.weight, maps, size, self.bias)


class BlockOfMaps(nn.Sequential):
    """`ConvOfMaps`, batch norm, activation."""

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Maps (B, Ci, Hi, Wi) -> (B, width, *size)."""
        conv, norm, activation = self
        return activation(norm(conv(maps, size)))


def conv_bn_relu(channels: int, width: int, kernel: int, of_maps: bool = False) -> nn.Sequential:
    """Convolution without bias that keeps the size, batch norm, ReLU; `of_maps` makes it a `BlockOfMaps`, whose weights
    have the same names."""
    conv = (ConvOfMaps if of_maps else nn.Conv2d)(channels, width, kernel, padding=kernel // 2, bias=False)
    return (BlockOfMaps if of_maps else nn.Sequential)(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
