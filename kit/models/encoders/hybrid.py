"""Attention on a pretrained convolutional network, like R50+ViT of Dosovitskiy et al. 2021 (arXiv 2010.11929)."""

from timm.models.vision_transformer import Block
from torch import Tensor, nn

from kit.errors import KitError
from kit.models.encoders.attention_scores import vit_scores
from kit.models.encoders.timm_encoder import Encoder, Features, TimmEncoder
from kit.models.layers.upsampling import conv_bn_relu

HEAD = 32
"""Channels of an attention head, as in TinyViT."""


class HybridEncoder(Encoder):
    """A timm network down to 1/16 or 1/32, and transformer blocks on its last map.

    Every block is residual with a small initial factor (`LayerScale`), so that training starts close to the pretrained
    map. Positions come from a 3x3 depthwise convolution before the first block (conditional
    positions, Chu et al. 2021, arXiv 2102.10882): there is no position embedding to resize for other image sizes.

    Known differences from R50+ViT: positions are not a table of parameters; tokens are the whole network's last map,
    not that of a ResNet with rearranged stages; the finer maps go to the decoder unchanged.

    Args:
        name: a timm network with maps at 1/4 to 1/32.
        stem_stride: 32 keeps all of `name`, with blocks at 1/32; 16 drops its last stage, with blocks at 1/16 and a 3x3
            convolution that makes the map at 1/32 from theirs.
        blocks, block_width: as in `ModelConfig`; heads have 32 channels each.
        qk_norm: layer norm of every head's queries and keys (Dehghani et al. 2023, arXiv 2302.05442), which bounds the
            scores. New blocks learn at a high rate; without this norm their attention narrows to single tokens, which a
            student cannot learn from.
    Raises: KitError for a width or stride that does not fit.
    """

    fresh = ("project", "position", "blocks", "norm", "down")

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, stem_stride: int = 32,
                 blocks: int = 2, block_width: int = 192, qk_norm: bool = False, **sizes):  # fmt: skip
        super().__init__()
        if stem_stride not in (16, 32):
            raise KitError(f"stem_stride must be 16 or 32, got {stem_stride}")
        if block_width % HEAD:
            raise KitError(f"block_width must be a multiple of {HEAD}, got {block_width}")
        strides = (4, 8, 16) if stem_stride == 16 else None
        self.stem = TimmEncoder(name, pretrained=pretrained, weights=weights, strides=strides, **sizes)
        self.normalisation, self.origin = self.stem.normalisation, self.stem.origin
        self.heads = block_width // HEAD
        self.project = nn.Conv2d(self.stem.channels[-1], block_width, 1)
        self.position = nn.Conv2d(block_width, block_width, 3, padding=1, groups=block_width)
        self.blocks = nn.ModuleList(
            Block(block_width, self.heads, qkv_bias=True, qk_norm=qk_norm, init_values=0.1) for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(block_width)
        self.down = conv_bn_relu(block_width, block_width, 3) if stem_stride == 16 else None
        if self.down is not None:
            self.down[0].stride = (2, 2)
        finer = self.stem.channels[: 2 if stem_stride == 16 else 3]
        self.channels = [*finer, *[block_width] * (4 - len(finer))]
        self.strides, self.multiple = [4, 8, 16, 32], 32

    def forward(self, images: Tensor, scores: bool = False) -> Features:
        """(B, 3, H, W) -> four maps, and the scores of the last block at `stem_stride`."""
        maps = self.stem(images).maps
        x = self.project(maps.pop())
        x = x + self.position(x)
        grid, table = tuple(x.shape[-2:]), None
        x = x.flatten(2).transpose(1, 2)  # (B, h*w, C)
        for i, block in enumerate(self.blocks):
            if scores and i == len(self.blocks) - 1:
                table = vit_scores(block, x, grid)
            x = block(x)
        maps.append(self.norm(x).transpose(1, 2).unflatten(2, grid))
        if self.down is not None:
            maps.append(self.down(maps[-1]))
        return Features(maps, table)
