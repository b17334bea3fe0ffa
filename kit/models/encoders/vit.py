"""timm's plain vision transformers as encoders: ViT, DeiT, DINOv2; EVA-02 and DINOv3 with rotary positions."""

import torch
from timm.models.eva import Eva
from torch import Tensor, nn

from kit.errors import KitError
from kit.models.encoders.attention_scores import vit_scores
from kit.models.encoders.timm_encoder import Encoder, Features
from kit.models.layers.upsampling import conv_bn_relu, resize

VIT_MODULES = ("vision_transformer", "deit", "eva")
"""timm's modules with networks that `ViTEncoder` accepts."""


class ViTEncoder(Encoder):
    """A plain ViT with a pyramid of four maps.

    The position embedding is resized to the image. The outputs of four blocks, the ends of the four quarters (2, 5, 8,
    11 of twelve, as published), pass through a neck: 1x1 ConvBNReLU to `neck` channels, resize by 4, 2, 1, 1/2, 3x3
    ConvBNReLU; all its weights are initialised by Xavier's uniform rule. With patches of 14 pixels the maps are at
    strides 3.5, 7, 14 and 28, and sides of images are multiples of 28.

    Args:
        neck: channels of the neck; published: 448.
        pyramid: as in `ModelConfig`; "official" inverts the pyramid, so that the decoder works at 1/32.
        grid: as in `ModelConfig`.
        prefix_tokens: as in `ModelConfig`; maps and scores hold only patches in either case.
    """

    fresh = ("reduce", "smooth")

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, neck: int = 448,
                 pyramid: str = "deepest_coarse", grid: tuple[int, int] | None = None,
                 prefix_tokens: str | None = None, **sizes):  # fmt: skip
        super().__init__()
        net = self.created(name, pretrained, weights, num_classes=0, dynamic_img_size=True, **sizes)
        self.patch_embed, self.norm_pre = net.patch_embed, net.norm_pre
        self.rope, self._rope_by_block = getattr(net, "rope", None), getattr(net, "rope_mixed", False)
        self.grid = tuple(grid or net.patch_embed.grid_size)
        prefix, self.pos_embed = _positions(net, self.grid)
        kept = prefix_tokens == "kept" or (prefix_tokens is None and getattr(net, "reg_token", None) is not None)
        self.prefix = nn.Parameter(prefix) if kept and prefix.shape[1] else None
        self.blocks = net.blocks
        self._taken = [len(net.blocks) * i // 4 - 1 for i in (1, 2, 3, 4)]
        if isinstance(net, Eva):
            _patches_turn(self.blocks, self._prefixed)
        self.reduce = nn.ModuleList(conv_bn_relu(net.embed_dim, neck, 1) for _ in self._taken)
        self.smooth = nn.ModuleList(conv_bn_relu(neck, neck, 3, of_maps=True) for _ in self._taken)
        for conv, _, _ in (*self.reduce, *self.smooth):
            nn.init.xavier_uniform_(conv.weight)
        patch = net.patch_embed.patch_size[0]
        self.channels = [neck] * 4
        self.strides = [patch / 4, patch / 2, patch, patch * 2]
        if pyramid == "official":
            self.strides.reverse()
        self.multiple, self.heads = patch * 2, net.blocks[0].attn.num_heads

    @property
    def _prefixed(self) -> int:
        """Number of tokens before the patches."""
        return 0 if self.prefix is None else self.prefix.shape[1]

    def forward(self, images: Tensor, scores: bool = False) -> Features:
        """(B, 3, H, W) -> four maps at `strides`, and the scores of the last block between patches."""
        x = self.patch_embed(images)  # (B, h, w, C), as the size is dynamic
        grid = tuple(x.shape[1:3])
        x = x.flatten(1, 2)
        if self.pos_embed is not None:
            x = x + regrid(self.pos_embed, self.grid, grid)
        if self.prefix is not None:
            x = torch.cat([self.prefix.expand(len(x), -1, -1), x], 1)
        x = self.norm_pre(x)  # (B, prefix + h*w, C)
        turns = None if self.rope is None else self.rope.get_embed(shape=grid)
        taken, table = [], None
        for i, block in enumerate(self.blocks):
            turn = turns[i] if self._rope_by_block else turns
            if scores and i == len(self.blocks) - 1:
                table = vit_scores(block, x, grid, turn)
            x = block(x) if turn is None else block(x, rope=turn)
            if i in self._taken:
                taken.append(x[:, self._prefixed :].transpose(1, 2).unflatten(2, grid))
        maps = []
        for x, stride, reduce, smooth in zip(taken, self.strides, self.reduce, self.smooth, strict=True):
            maps.append(smooth([reduce(x)], tuple(round(side / stride) for side in images.shape[-2:])))
        return Features(maps, table)


def _positions(net: nn.Module, grid: tuple[int, int]) -> tuple[Tensor, nn.Parameter | None]:
    """Prefix tokens (1, P, C) of a timm ViT, with positions added, and the position embedding (1, h*w, C) of patches
    for `grid`, which is None for a network with only rotary positions."""
    tokens = [getattr(net, name, None) for name in ("cls_token", "dist_token", "reg_token")]
    tokens = [token.detach() for token in tokens if token is not None]
    prefix = torch.cat(tokens, 1) if tokens else torch.zeros(1, 0, net.embed_dim)
    if net.pos_embed is None:
        return prefix.clone(), None
    positions = net.pos_embed.detach()
    with_position = 0 if net.no_embed_class else net.num_prefix_tokens
    prefix = prefix + positions[:, :with_position] if with_position else prefix.clone()
    patches = regrid(positions[:, with_position:], net.patch_embed.grid_size, grid)
    return prefix, nn.Parameter(patches.contiguous().clone())


def _patches_turn(blocks: nn.Module, prefixed: int) -> None:
    """Set the number of prefix tokens that rotary attention leaves unrotated. Raises KitError if it cannot."""
    for block in blocks:
        if not hasattr(block.attn, "num_prefix_tokens"):
            raise KitError(f"{type(block.attn).__name__} is not an attention that this kit knows; take another ViT")
        block.attn.num_prefix_tokens = prefixed


def regrid(positions: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Resize a position embedding (1, h*w, C) from one token grid to another."""
    if tuple(source) == tuple(target):
        return positions
    as_map = positions.transpose(1, 2).unflatten(2, tuple(source))
    return resize(as_map, tuple(target)).flatten(2).transpose(1, 2)
