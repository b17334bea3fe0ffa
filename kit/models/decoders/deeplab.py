"""DeepLabv3+ (Chen et al. 2018) as in MGD: an encoder at output stride 16, ASPP, and a decoder at 1/4."""

from collections.abc import Iterable
from functools import partial

from torch import Tensor, nn

from kit.errors import KitError
from kit.models.decoders.aspp import ATROUS, OfficialASPP, smp_aspp
from kit.models.encoders.pretrained import create
from kit.models.encoders.timm_encoder import TimmEncoder
from kit.models.layers.upsampling import conv_bn_relu

HEADS = {"smp": smp_aspp, "official": OfficialASPP}
"""`ModelConfig.head` -> ASPP of the coarsest map."""


class DeepLabV3Plus(nn.Module):
    """ASPP on the coarsest encoder map, concatenation with the finest map, and two 3x3 ConvBNReLU.

    Only the first and the last map are used. Weights are initialised by Kaiming's normal rule, as in MGD's code. Known
    differences: segmentation_models_pytorch's own decoder has separable convolutions, one of its two 3x3 before the
    concatenation; here both come after it as in MGD, whose size (16.63 M with ResNet-18) this matches.

    Args:
        channels: of the encoder's maps, fine to coarse.
        head: "smp" or "official" (see `HEADS`).
        width: channels of ASPP's result and of the decoder's; published: 256.
        low: channels to which the finest map is reduced; published: 48, and the authors' MobileNetV2 keeps its 24.
        atrous: dilations of ASPP.
    """

    def __init__(self, channels: list[int], *, head: str = "smp", width: int = 256, low: int = 48,
                 atrous: tuple[int, int, int] = ATROUS):  # fmt: skip
        super().__init__()
        low = min(low, channels[0]) if head == "official" else low
        self.aspp = HEADS[head](channels[-1], width, atrous)
        self.reduce = conv_bn_relu(channels[0], low, 1)
        self.fuse = conv_bn_relu(width + low, width, 3, of_maps=True)
        self.refine = conv_bn_relu(width, width, 3)
        self.out_channels = width
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps (B, Ci, Hi, Wi) -> (B, width, H0, W0), the size of the first."""
        low = self.reduce(maps[0])
        return self.refine(self.fuse([self.aspp(maps[-1]), low], low.shape[-2:]))


def dilated_encoder(name: str, layout: str, *, pretrained: bool, weights: str | None = None, **sizes) -> TimmEncoder:
    """A timm network with a dilated last stage instead of a strided one, so that its coarsest map is at 1/16.

    Args:
        name: of timm.
        layout: "timm", dilation 2 in the last stage from its second 3x3 convolution on; or "official", as in MGD's
            code: dilations 2, 4, 8 in the blocks of a ResNet's last stage; "resnet18d" with plain shortcuts (no
            pooling) and torchvision's weights, which leave its deep stem random; MobileNetV2's last three blocks
            dilated by 2, 4, 8 but with stride kept, so that its coarsest map is at 1/32. The other networks take
            timm's pretrained weights; the authors' MobileNetV2 has torchvision's and their wide network its own.
        weights, sizes: as for `TimmEncoder`; `weights` are torchvision's ResNet-18 for an official "resnet18d".
    Raises: KitError for a network that cannot be dilated this way.
    """
    made = partial(TimmEncoder, name, pretrained=pretrained, weights=weights, **sizes)
    if layout == "timm":
        try:
            return made(output_stride=16)
        except (TypeError, AssertionError, NotImplementedError) as error:
            raise KitError(f"{name} has no form at output stride 16 ({error}); take a ResNet or MobileNet") from error
    if name.startswith("mobilenetv2"):
        encoder = made()
        _dilate([block for stage in encoder.net.blocks for block in stage][-3:])
        return encoder
    if "resnet" not in name:
        raise KitError(f"encoder 'official' is known for ResNets and MobileNetV2, not for {name}; set it to 'timm'")
    plain = name.split(".")[0] == "resnet18d"
    encoder = _plain_resnet18(pretrained, weights, sizes) if plain else made(output_stride=16)
    _dilate(encoder.net.layer4)
    return encoder


def _plain_resnet18(pretrained: bool, weights: str | None, sizes: dict[str, object]) -> TimmEncoder:
    """Torchvision's ResNet-18 with a deep stem, for which it has no weights."""
    encoder = TimmEncoder("resnet18", pretrained=False, output_stride=16,
                          **{"stem_type": "deep", "stem_width": 32} | sizes)  # fmt: skip
    if pretrained:
        theirs, encoder.origin = create("resnet18.tv_in1k", True, weights)
        body = {key: value for key, value in theirs.state_dict().items() if not key.startswith(("conv1.", "fc."))}
        encoder.net.load_state_dict(encoder.net.state_dict() | body)
    return encoder


def _dilate(blocks: Iterable[nn.Module]) -> None:
    """Dilate the 3x3 convolutions of the i-th block (from 0) by 2 ** (i + 1)."""
    for i, block in enumerate(blocks):
        for part in block.modules():
            if isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3):
                part.dilation = part.padding = (2 ** (i + 1),) * 2
