"""timm backbones behind one contract: images in, four maps (fine to coarse) and, if asked, attention scores out.

Every encoder states `.channels` and `.strides` of its maps, `.multiple`, of which both sides of an image must be
multiples, `.normalisation`, the mean and standard deviation that its images are to have, and `.origin`, where its
weights come from. Scores wanted as "detached" carry no gradient. Networks go by timm's names; `sizes` overrides timm's
own arguments (widths, depths) for small ones.
"""

from typing import NamedTuple

import timm
import torch
from timm.models.tiny_vit import TinyVit
from torch import Tensor, nn

from kit.errors import KitError
from kit.models.attention import tinyvit_global, tinyvit_scores, vit_scores
from kit.models.upsampled import conv_bn_relu, resize
from kit.models.weights import create
from kit.models.windowed import attend_fused


class Features(NamedTuple):
    """What an encoder returns."""

    maps: list[Tensor]  # (B, Ci, H/stride, W/stride), fine to coarse
    scores: Tensor | None  # (B, heads, h, w, h, w) of the last block, or None unless asked for


class TimmEncoder(nn.Module):
    """Any timm network that offers maps at strides 4, 8, 16 and 32 (ResNets, MobileNets, ConvNeXts, Swins ...).

    It has no attention scores: asking for them raises KitError.

    Args:
        output_stride: of the last map; 16 dilates the last stage, in networks of timm that can.
    """

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, output_stride: int = 32, **sizes):
        super().__init__()
        dilated = {} if output_stride == 32 else {"output_stride": output_stride}
        if name.startswith("swin"):
            sizes = {"strict_img_size": False, **sizes}  # else it takes images of its pretrained size alone
        self.net, self.origin = create(name, pretrained, weights, features_only=True, **dilated, **sizes)
        self.normalisation = normalisation_of(self.net)
        offered, wanted = self.net.feature_info.reduction(), [4, 8, 16, output_stride]
        keep = [i for i, stride in enumerate(offered) if stride in wanted]
        if [offered[i] for i in keep] != wanted:
            raise KitError(f"{name} offers maps at strides {offered}; {', '.join(map(str, wanted))} are needed")
        self.name, self._keep = name, keep
        self.channels = [self.net.feature_info.channels()[i] for i in keep]
        self.strides, self.multiple, self.heads = wanted, output_stride, 0
        self._channels_last = getattr(self.net, "output_fmt", "NCHW") == "NHWC"  # Swin's maps

    def forward(self, images: Tensor, scores: bool | str = False) -> Features:
        """(B, 3, H, W) -> four maps."""
        if scores:
            raise KitError(f"{self.name} has no attention scores; take a TinyViT or ViT where they are needed")
        maps = self.net(images)
        maps = [maps[i].permute(0, 3, 1, 2) if self._channels_last else maps[i] for i in self._keep]
        return Features(maps, None)


class TinyViTEncoder(nn.Module):
    """TinyViT (Wu et al. 2022) at any size; windows may overhang a map, at no cost (`kit.models.windowed`).

    Args:
        last_block: "kept", or "global": the last block attends over the whole map, without windows and without its
            position bias, whose parameter stays and is not trained (TriKD's authors).
    """

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, last_block: str = "kept", **sizes):
        super().__init__()
        net, self.origin = create(name, pretrained, weights, num_classes=0, **sizes)
        self.normalisation = normalisation_of(net)
        attend_fused(net)
        self.patch_embed, self.stages = net.patch_embed, net.stages
        self.channels = [info["num_chs"] for info in net.feature_info]
        self.strides = [info["reduction"] for info in net.feature_info]
        last = self.stages[-1].blocks[-1]
        self.multiple, self.heads = 32, last.num_heads
        self._global = last_block == "global"
        last.attn.attention_biases.requires_grad_(not self._global)

    def forward(self, images: Tensor, scores: bool | str = False) -> Features:
        """(B, 3, H, W) -> four maps, and the scores of the last block at stride 32."""
        x, maps = self.patch_embed(images), []
        for stage in self.stages[:-1]:
            x = stage(x)
            maps.append(x)
        last = self.stages[-1]
        x = last.downsample(x).permute(0, 2, 3, 1)  # (B, h, w, C), as TinyViT's blocks want it
        x = last.blocks[:-1](x)
        block = last.blocks[-1]
        with torch.set_grad_enabled(torch.is_grad_enabled() and scores != "detached"):
            table = tinyvit_scores(block, x) if scores else None
        x = tinyvit_global(block, x) if self._global else block(x)
        maps.append(x.permute(0, 3, 1, 2))
        return Features(maps, table)


class ViTEncoder(nn.Module):
    """A plain ViT or DeiT, made into a pyramid.

    Class and distillation tokens are dropped before the first block and the position embedding is resized to the
    image. The outputs of four blocks pass a neck: 1x1 ConvBNReLU to `neck` channels, resize by 4, 2, 1, 1/2, 3x3
    ConvBNReLU; all its filters are drawn by Xavier's uniform rule.

    Args:
        blocks: which four, counted from 0; None takes the ends of the four quarters, 2, 5, 8, 11 of twelve (published).
        neck: published: 448.
        pyramid: "deepest_coarse" makes maps at 1/4 to 1/32 of the blocks in their order, as other encoders have it;
            "official" makes maps at 1/32 to 1/4, so that the decoder works upside down, at 1/32 (TriKD's authors).
        grid: token grid (height, width) at which the position embedding is kept; None is the pretrained one's.
    """

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, neck: int = 448,
                 blocks: tuple[int, ...] | None = None, pyramid: str = "deepest_coarse",
                 grid: tuple[int, int] | None = None, **sizes):  # fmt: skip
        super().__init__()
        net, self.origin = create(name, pretrained, weights, num_classes=0, dynamic_img_size=True, **sizes)
        self.normalisation = normalisation_of(net)
        prefix = 0 if net.no_embed_class else net.num_prefix_tokens
        self.patch_embed, self.norm_pre = net.patch_embed, net.norm_pre
        self.grid = grid or net.patch_embed.grid_size
        positions = net.pos_embed.detach()[:, prefix:]
        self.pos_embed = nn.Parameter(_regrid(positions, net.patch_embed.grid_size, self.grid).contiguous().clone())
        blocks = blocks or tuple(len(net.blocks) * i // 4 - 1 for i in (1, 2, 3, 4))
        self.blocks = net.blocks[: blocks[-1] + 1]
        self._taken = tuple(blocks)
        self.reduce = nn.ModuleList(conv_bn_relu(net.embed_dim, neck, 1) for _ in blocks)
        self.smooth = nn.ModuleList(conv_bn_relu(neck, neck, 3, of_maps=True) for _ in blocks)
        for conv, _, _ in (*self.reduce, *self.smooth):
            nn.init.xavier_uniform_(conv.weight)
        patch = net.patch_embed.patch_size[0]
        self.channels = [neck] * 4
        self.strides = [patch // 4, patch // 2, patch, patch * 2]
        if pyramid == "official":
            self.strides.reverse()
        self.multiple, self.heads = patch * 2, net.blocks[0].attn.num_heads

    def forward(self, images: Tensor, scores: bool | str = False) -> Features:
        """(B, 3, H, W) -> four maps at `strides`, and the scores of the last block at 1/16 (patch 16)."""
        x = self.patch_embed(images)  # (B, h, w, C), for the size is dynamic
        grid = tuple(x.shape[1:3])
        x = self.norm_pre(x.flatten(1, 2) + _regrid(self.pos_embed, self.grid, grid))  # (B, h*w, C)
        taken, table = [], None
        for i, block in enumerate(self.blocks):
            if scores and i == len(self.blocks) - 1:
                with torch.set_grad_enabled(torch.is_grad_enabled() and scores != "detached"):
                    table = vit_scores(block, x, grid)
            x = block(x)
            if i in self._taken:
                taken.append(x.transpose(1, 2).unflatten(2, grid))
        maps = []
        for x, stride, reduce, smooth in zip(taken, self.strides, self.reduce, self.smooth, strict=True):
            maps.append(smooth([reduce(x)], tuple(side // stride for side in images.shape[-2:])))
        return Features(maps, table)


def _regrid(positions: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Position embedding (1, h*w, C) of one token grid for another."""
    if tuple(source) == tuple(target):
        return positions
    as_map = positions.transpose(1, 2).unflatten(2, tuple(source))
    return resize(as_map, tuple(target)).flatten(2).transpose(1, 2)


def normalisation_of(net: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, red, green, blue, that a timm network's pretrained configuration states."""
    cfg = net.pretrained_cfg
    return tuple(cfg["mean"]), tuple(cfg["std"])


def encoder_class(name: str) -> type[nn.Module]:
    """Which of the classes above carries the timm network `name`."""
    module = timm.model_entrypoint(name).__module__ if timm.is_model(name) else ""
    if module == TinyVit.__module__:
        return TinyViTEncoder
    return ViTEncoder if module.rsplit(".", 1)[-1] in ("vision_transformer", "deit") else TimmEncoder
