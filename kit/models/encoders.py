"""timm backbones behind one contract: images in, four maps (fine to coarse) and, if asked, attention scores out.

Every encoder states `.channels` and `.strides` of its maps and `.multiple`, of which both sides of an image must be
multiples. Networks go by timm's names; `sizes` overrides timm's own arguments (widths, depths) for small ones.
"""

import os
from pathlib import Path
from typing import NamedTuple

import timm
from timm.layers import resample_abs_pos_embed
from timm.models.tiny_vit import TinyVit
from torch import Tensor, nn

from kit.errors import KitError, unknown
from kit.models.attention import tinyvit_scores, vit_scores
from kit.models.uper import conv_bn_relu, resize


class Features(NamedTuple):
    """What an encoder returns."""

    maps: list[Tensor]  # (B, Ci, H/stride, W/stride), fine to coarse
    scores: Tensor | None  # (B, heads, h, w, h, w) of the last block, or None unless asked for


class TimmEncoder(nn.Module):
    """Any timm network that offers maps at strides 4, 8, 16 and 32 (ResNets, MobileNets, ConvNeXts ...).

    It has no attention scores: asking for them raises KitError.
    """

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, **sizes):
        super().__init__()
        self.net = create(name, pretrained, weights, features_only=True, **sizes)
        offered = self.net.feature_info.reduction()
        keep = [i for i, stride in enumerate(offered) if stride in (4, 8, 16, 32)]
        if len(keep) != 4:
            raise KitError(f"{name} offers maps at strides {offered}; 4, 8, 16 and 32 are needed")
        self.name, self._keep = name, keep
        self.channels = [self.net.feature_info.channels()[i] for i in keep]
        self.strides, self.multiple, self.heads = [4, 8, 16, 32], 32, 0

    def forward(self, images: Tensor, scores: bool = False) -> Features:
        """(B, 3, H, W) -> four maps."""
        if scores:
            raise KitError(f"{self.name} has no attention scores; take a TinyViT or ViT where they are needed")
        maps = self.net(images)
        return Features([maps[i] for i in self._keep], None)


class TinyViTEncoder(nn.Module):
    """TinyViT (Wu et al. 2022) at any size; windows that overhang the map are padded by timm."""

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, **sizes):
        super().__init__()
        net = create(name, pretrained, weights, num_classes=0, **sizes)
        self.patch_embed, self.stages = net.patch_embed, net.stages
        self.channels = [info["num_chs"] for info in net.feature_info]
        self.strides = [info["reduction"] for info in net.feature_info]
        self.multiple, self.heads = 32, self.stages[-1].blocks[-1].num_heads

    def forward(self, images: Tensor, scores: bool = False) -> Features:
        """(B, 3, H, W) -> four maps, and the scores of the last block at stride 32."""
        x, maps = self.patch_embed(images), []
        for stage in self.stages[:-1]:
            x = stage(x)
            maps.append(x)
        last = self.stages[-1]
        x = last.downsample(x).permute(0, 2, 3, 1)  # (B, h, w, C), as TinyViT's blocks want it
        x = last.blocks[:-1](x)
        table = tinyvit_scores(last.blocks[-1], x) if scores else None
        maps.append(last.blocks[-1](x).permute(0, 3, 1, 2))
        return Features(maps, table)


class ViTEncoder(nn.Module):
    """A plain ViT or DeiT, made into a pyramid.

    Class and distillation tokens are dropped before the first block and the position embedding is resized to the
    image. The outputs of four blocks pass a neck: 1x1 ConvBNReLU to `neck` channels, resize by 4, 2, 1, 1/2, 3x3
    ConvBNReLU. The shallowest block becomes the finest map; the authors' code has it the other way round.

    Args:
        blocks: which four, counted from 0; published: 2, 5, 8, 11.
        neck: published: 448.
    """

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, neck: int = 448,
                 blocks: tuple[int, int, int, int] = (2, 5, 8, 11), **sizes):  # fmt: skip
        super().__init__()
        net = create(name, pretrained, weights, num_classes=0, dynamic_img_size=True, **sizes)
        prefix = 0 if net.no_embed_class else net.num_prefix_tokens
        self.patch_embed, self.norm_pre = net.patch_embed, net.norm_pre
        self.pos_embed = nn.Parameter(net.pos_embed.detach()[:, prefix:].clone())
        self.blocks = net.blocks[: blocks[-1] + 1]
        self._taken = tuple(blocks)
        self.reduce = nn.ModuleList(conv_bn_relu(net.embed_dim, neck, 1) for _ in blocks)
        self.smooth = nn.ModuleList(conv_bn_relu(neck, neck, 3) for _ in blocks)
        patch = net.patch_embed.patch_size[0]
        self.channels = [neck] * 4
        self.strides = [patch // 4, patch // 2, patch, patch * 2]
        self.multiple, self.heads = patch * 2, net.blocks[0].attn.num_heads

    def forward(self, images: Tensor, scores: bool = False) -> Features:
        """(B, 3, H, W) -> four maps at 1/4 to 1/32 (patch 16), and the scores of the last block at 1/16."""
        x = self.patch_embed(images)  # (B, h, w, C), for the size is dynamic
        grid = x.shape[1:3]
        pos = resample_abs_pos_embed(
            self.pos_embed, new_size=grid, old_size=self.patch_embed.grid_size, num_prefix_tokens=0
        )
        x = self.norm_pre(x.flatten(1, 2) + pos)  # (B, h*w, C)
        taken, table = [], None
        for i, block in enumerate(self.blocks):
            if scores and i == len(self.blocks) - 1:
                table = vit_scores(block, x, grid)
            x = block(x)
            if i in self._taken:
                taken.append(x.transpose(1, 2).unflatten(2, grid))
        maps = []
        for level, x in enumerate(taken):
            size = [side * 4 // 2**level for side in grid]
            maps.append(self.smooth[level](resize(self.reduce[level](x), size)))
        return Features(maps, table)


def create(name: str, pretrained: bool, weights: str | None, **options) -> nn.Module:
    """`timm.create_model`, with errors that help.

    Args:
        pretrained: load timm's published weights, from its cache or the hub.
        weights: a local file with these weights; only read if `pretrained`.
    Raises:
        KitError: unknown name, a size the network does not have, or weights that cannot be had. Random weights are
            never used in place of pretrained ones.
    """
    if not timm.is_model(name):
        raise unknown("timm network", name, timm.list_models(f"*{name.split('_')[0]}*")[:20] or timm.list_models()[:20])
    if weights and not Path(weights).is_file():
        raise KitError(f"weights of {name}: no file {weights}")
    if weights and pretrained:
        options["pretrained_cfg_overlay"] = {"file": weights}
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except Exception as error:
        if not pretrained:
            raise
        cache = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", "~/.cache/huggingface")) / "hub"
        raise KitError(
            f"pretrained weights of {name} could not be loaded ({type(error).__name__}: {str(error).splitlines()[0]}); "
            f"looked in {weights or Path(cache).expanduser()}. Either name a local file with the weights "
            f"(`weights` of the network), or start from random ones (`pretrained=False`)"
        ) from error


def encoder_class(name: str) -> type[nn.Module]:
    """Which of the classes above carries the timm network `name`."""
    module = timm.model_entrypoint(name).__module__ if timm.is_model(name) else ""
    if module == TinyVit.__module__:
        return TinyViTEncoder
    return ViTEncoder if module.rsplit(".", 1)[-1] in ("vision_transformer", "deit") else TimmEncoder
