"""timm backbones behind one contract: images in, four maps (fine to coarse) and, on request, attention scores out.

Networks have timm's names; `sizes` overrides timm's own arguments (widths, depths) for small ones. ViTs are in
`kit.models.encoders.vit`, convolutional networks with transformer blocks in `kit.models.encoders.hybrid`.
"""

import re
from typing import NamedTuple

from torch import Tensor, nn

from kit.errors import KitError
from kit.models.encoders.attention_scores import tinyvit_global, tinyvit_scores
from kit.models.encoders.pretrained import Origin, create
from kit.models.encoders.window_attention import attend_fused


class Features(NamedTuple):
    """Output of an encoder."""

    maps: list[Tensor]  # (B, Ci, H/stride, W/stride), fine to coarse
    scores: Tensor | None  # (B, heads, h, w, h, w) of the last block, or None unless requested


_STAGE = re.compile(r"(?:^|\.)((?:layers?|blocks|stages|features|s)[._]?\d+)")
"""A stage of a network (of a ViT: a block) in the name of a parameter."""


class Encoder(nn.Module):
    """Base class of encoders: a network that may start from pretrained weights and may have new layers.

    Maps images (B, 3, H, W), normalised by `.normalisation`, to `Features`, with scores on request.
    """

    fresh: tuple[str, ...] = ()
    """Names of children without pretrained weights. They learn at the decoder's rate and are never frozen."""
    channels: list[int]
    """Channels of the maps, fine to coarse."""
    strides: list[float]
    """Strides of the maps: pixels of the image per pixel of the map."""
    multiple: int
    """Both sides of an image must be multiples of this."""
    one_more: bool = False
    """Whether sides of a multiple plus one pixel also fit, such as crops of 321 and 801."""
    heads: int
    """Attention heads in the returned scores; 0 for an encoder without attention."""
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]
    """Mean and standard deviation (red, green, blue) by which its input is normalised."""
    origin: Origin
    """Where its pretrained weights come from."""
    frozen = False

    def created(self, name: str, pretrained: bool, weights: str | None, **options) -> nn.Module:
        """The timm network behind this encoder (`create`); the encoder takes over its normalisation and origin."""
        net, self.origin = create(name, pretrained, weights, **options)
        self.normalisation = tuple(net.pretrained_cfg["mean"]), tuple(net.pretrained_cfg["std"])
        return net

    def layers(self) -> list[list[nn.Parameter]]:
        """Pretrained parameters by layer, starting at the image: the stem, then stages, or blocks of a ViT."""
        found: dict[str, list[nn.Parameter]] = {}
        key = "stem"
        for name, parameter in self.named_parameters():
            if name.split(".")[0] in self.fresh:
                continue
            stage = _STAGE.search(name)
            key = stage[1] if stage else key  # parameters between stages belong to the stage before
            found.setdefault(key, []).append(parameter)
        return list(found.values())

    def freeze(self) -> None:
        """Freeze pretrained weights and their running statistics of batch norm.

        Autograd then keeps none of their activations and makes no backward pass through them.
        """
        self.frozen = True
        for parameters in self.layers():
            for parameter in parameters:
                parameter.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True):
        """Train or eval mode; pretrained layers that are frozen stay in eval mode."""
        super().train(mode)
        if self.frozen:
            for name, child in self.named_children():
                if name not in self.fresh:
                    child.eval()
        return self


class TimmEncoder(Encoder):
    """Any timm network that offers maps at strides 4, 8, 16 and 32 (ResNets, MobileNets, ConvNeXts, Swins ...).

    It has no attention scores and raises KitError if they are requested.

    Args:
        output_stride: of the last map; 16 dilates the last stage, in networks of timm that can.
        strides: of the maps that are returned, instead of 4, 8, 16 and `output_stride`; stages after the last of them
            are not built.
    """

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, output_stride: int = 32,
                 strides: tuple[int, ...] | None = None, **sizes):  # fmt: skip
        super().__init__()
        if output_stride != 32:
            sizes = {"output_stride": output_stride, **sizes}
        if name.startswith("swin"):
            sizes = {"strict_img_size": False, **sizes}  # else it takes only images of its pretrained size
        wanted = list(strides or (4, 8, 16, output_stride))
        if strides:
            offered = create(name, False, None, features_only=True, **sizes)[0].feature_info.reduction()
            sizes = {"out_indices": [i for i, stride in enumerate(offered) if stride in wanted], **sizes}
        self.net = self.created(name, pretrained, weights, features_only=True, **sizes)
        if strides and hasattr(self.net, "blocks"):  # timm builds and runs EfficientNets and MobileNets to their end
            last = int(self.net.feature_info.module_name()[-1].split(".")[1])
            self.net.blocks = self.net.blocks[: last + 1]
        offered = self.net.feature_info.reduction()
        keep = [i for i, stride in enumerate(offered) if stride in wanted]
        if [offered[i] for i in keep] != wanted:
            raise KitError(f"{name} offers maps at strides {offered}; {', '.join(map(str, wanted))} are needed")
        self.name, self._keep = name, keep
        self.channels = [self.net.feature_info.channels()[i] for i in keep]
        self.strides, self.multiple, self.heads = wanted, wanted[-1], 0
        self.one_more = output_stride == 16  # convolutions take any size, and so does DeepLabv3+'s decoder
        self._channels_last = getattr(self.net, "output_fmt", "NCHW") == "NHWC"  # Swin's maps

    def forward(self, images: Tensor, scores: bool = False) -> Features:
        """(B, 3, H, W) -> a map at each of `strides`."""
        if scores:
            raise KitError(f"{self.name} has no attention scores; take a TinyViT, a ViT or a hybrid for them")
        maps = self.net(images)
        maps = [maps[i].permute(0, 3, 1, 2) if self._channels_last else maps[i] for i in self._keep]
        return Features(maps, None)


class TinyViTEncoder(Encoder):
    """TinyViT (Wu et al. 2022) for images of any size; windows that overhang a map cost nothing extra
    (`kit.models.encoders.window_attention`).

    Args:
        last_block: as in `ModelConfig`; "global" keeps the parameter of the position bias, untrained.
    """

    def __init__(self, name: str, *, pretrained: bool, weights: str | None = None, last_block: str = "kept", **sizes):
        super().__init__()
        net = self.created(name, pretrained, weights, num_classes=0, **sizes)
        attend_fused(net)
        self.patch_embed, self.stages = net.patch_embed, net.stages
        self.channels = [info["num_chs"] for info in net.feature_info]
        self.strides = [info["reduction"] for info in net.feature_info]
        last = self.stages[-1].blocks[-1]
        self.multiple, self.heads = 32, last.num_heads
        self._global = last_block == "global"
        last.attn.attention_biases.requires_grad_(not self._global)

    def forward(self, images: Tensor, scores: bool = False) -> Features:
        """(B, 3, H, W) -> four maps, and the scores of the last block at stride 32."""
        x, maps = self.patch_embed(images), []
        for stage in self.stages[:-1]:
            x = stage(x)
            maps.append(x)
        last = self.stages[-1]
        x = last.downsample(x).permute(0, 2, 3, 1)  # (B, h, w, C), the layout of TinyViT's blocks
        x = last.blocks[:-1](x)
        block = last.blocks[-1]
        table = tinyvit_scores(block, x) if scores else None
        x = tinyvit_global(block, x) if self._global else block(x)
        maps.append(x.permute(0, 3, 1, 2))
        return Features(maps, table)
