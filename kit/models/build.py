"""MODELS: name -> function returning a `Segmenter`. One function per published size; `*_demo` train on a laptop CPU."""

from dataclasses import replace

import timm
from timm.models.tiny_vit import TinyVit

from kit.errors import KitError, unknown
from kit.models.decoders.deeplab import DeepLabV3Plus, dilated_encoder
from kit.models.decoders.fast import FastFrequencyDecoder
from kit.models.decoders.uper import DualFrequencyUPer
from kit.models.encoders.hybrid import HybridEncoder
from kit.models.encoders.pretrained import HUB, PACKAGE, Origin
from kit.models.encoders.recompute import recompute_blocks
from kit.models.encoders.timm_encoder import Encoder, TimmEncoder, TinyViTEncoder
from kit.models.encoders.vit import ViTEncoder, is_vit
from kit.models.model_folder import ModelFolder, is_model_folder, located, read_model_folder
from kit.models.segmenter import Segmenter
from kit.settings.run import ModelConfig


def build_model(cfg: ModelConfig, num_classes: int, pretrained: bool) -> Segmenter:
    """The network that `cfg` names.

    Raises KitError for a name that is neither in MODELS nor timm's, settings that the network does not have, or
    pretrained weights that cannot be had.
    """
    if pretrained and cfg.weights not in (None, HUB, PACKAGE) and is_model_folder(place := located(cfg.weights)):
        return _from_model_folder(cfg, num_classes, read_model_folder(place))
    family, _, timm_name = cfg.name.rpartition("/")
    if family in FAMILIES:
        net = FAMILIES[family](cfg, num_classes, pretrained, timm_name)
    elif cfg.name in MODELS:
        net = MODELS[cfg.name](cfg, num_classes, pretrained)
    else:
        raise unknown("model", cfg.name, [*MODELS, *(f"{family}/NAME" for family in FAMILIES)])
    if cfg.recompute and not recompute_blocks(net.encoder):
        raise KitError(f"{cfg.name} has no blocks that could be recomputed; leave its setting 'recompute' at False")
    return net


def _from_model_folder(cfg: ModelConfig, num_classes: int, folder: ModelFolder) -> Segmenter:
    """The network with the weights of a packed student; its classifier is new where the number of classes differs."""
    net = build_model(replace(cfg, weights=None), num_classes, pretrained=False)
    state, own = folder.state(), net.state_dict()
    new = [name for name in state if name.startswith("classify.") and state[name].shape != own[name].shape]
    state |= {name: own[name] for name in new}
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise KitError(
            f"weights: the model in {folder.path}, a {folder.config.student.name}, does not fit {cfg.name}: {reason}"
        ) from error
    net.encoder.origin = Origin(net.encoder.origin.network, "model folder", str(folder.path), folder.sha256)
    return net


def _uper(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str,
          widths: tuple[int, int, int, int] = (48, 96, 192, 320), fused: int = 256,
          kind: type[Encoder] | None = None, **sizes) -> Segmenter:  # fmt: skip
    """timm encoder + dual-frequency UPer decoder."""
    _refuse(cfg, ("head", "encoder", "classifier"), "a DeepLabv3+")
    kind = kind or encoder_class(timm_name)
    encoder = kind(timm_name, pretrained=pretrained, weights=cfg.weights, **sizes | _special(cfg, kind))
    strides = [stride / (cfg.input_scale or 1) for stride in encoder.strides]
    decoder = DualFrequencyUPer(encoder.channels, cfg.widths or widths, fused=fused, selection=cfg.selection,
                                strides=strides, d0=cfg.d0, d0_relative=cfg.d0_relative,
                                centre=cfg.filter_centre, path=cfg.frequency_path)  # fmt: skip
    return Segmenter(encoder, decoder, num_classes, cfg.dropout, cfg.input_scale)


def _hybrid(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str, *decoder, **sizes) -> Segmenter:
    """timm encoder with transformer blocks on its coarsest map + dual-frequency UPer decoder."""
    return _uper(cfg, num_classes, pretrained, timm_name, *decoder, kind=HybridEncoder, **sizes)


def _deeplab(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str, decoder: dict | None = None,
             **sizes) -> Segmenter:  # fmt: skip
    """timm encoder at output stride 16 + DeepLabv3+ decoder."""
    _refuse(cfg, ("widths", "selection", "filter_centre", "frequency_path"), "a network with the UPer decoder")
    _special(cfg, TimmEncoder)
    encoder = dilated_encoder(timm_name, cfg.encoder, pretrained=pretrained, weights=cfg.weights, **sizes)
    decoder = DeepLabV3Plus(encoder.channels, head=cfg.head, **decoder or {})
    return Segmenter(encoder, decoder, num_classes, cfg.dropout, cfg.input_scale, cfg.classifier)


def _fast(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str) -> Segmenter:
    """timm encoder + narrow decoder for CPUs, which decides on the class of 2 x 2 pixels at once."""
    _refuse(cfg, ("head", "encoder", "classifier"), "a DeepLabv3+")
    _refuse(cfg, ("widths", "filter_centre", "frequency_path"), "a network with the UPer decoder")
    _special(cfg, TimmEncoder)
    encoder = TimmEncoder(timm_name, pretrained=pretrained, weights=cfg.weights)
    decoder = FastFrequencyDecoder(encoder.channels, selection=cfg.selection)
    return Segmenter(encoder, decoder, num_classes, cfg.dropout, cfg.input_scale, cell=2)


FAMILIES = {"timm": _uper, "hybrid": _hybrid, "deeplab": _deeplab}
"""What stands before the slash of "FAMILY/NAME" -> the network around timm's NAME."""


def encoder_class(name: str) -> type[Encoder]:
    """Which class carries the timm network `name`."""
    if is_vit(name):
        return ViTEncoder
    tiny = timm.is_model(name) and timm.model_entrypoint(name).__module__ == TinyVit.__module__
    return TinyViTEncoder if tiny else TimmEncoder


def _refuse(cfg: ModelConfig, names: tuple[str, ...], of: str) -> None:
    """Raise KitError if a setting that the network does not have was changed."""
    default = ModelConfig()
    for name in names:
        if getattr(cfg, name) != getattr(default, name):
            raise KitError(f"{cfg.name} has no setting {name!r} (got {getattr(cfg, name)!r}); only {of} has")


LIGHT = (16, 32, 64, 96), 128
"""Widths of a UPer decoder, and of its result, for encoders of 24 to 320 channels."""

_LIGHT_DEEPLAB = {"width": 128, "low": 24}
"""Of a DeepLabv3+ decoder, likewise."""

OWN = {
    TinyViTEncoder: ("last_block",),
    ViTEncoder: ("pyramid", "grid", "prefix_tokens"),
    HybridEncoder: ("stem_stride", "blocks", "block_width"),
}
"""Settings that only one kind of encoder has."""


def _special(cfg: ModelConfig, kind: type[Encoder]) -> dict[str, object]:
    """The settings of a kind of encoder that are set; on any other they may not be changed."""
    for other, names in OWN.items():
        if other is not kind:
            _refuse(cfg, names, f"a {other.__name__}")
    return {name: value for name in OWN.get(kind, ()) if (value := getattr(cfg, name)) is not None}


def tinyvit_5m(cfg, num_classes, pretrained):
    """TinyViT-5M; not in the paper."""
    return _uper(cfg, num_classes, pretrained, "tiny_vit_5m_224.dist_in22k_ft_in1k", (48, 96, 192, 320))


def tinyvit_11m(cfg, num_classes, pretrained):
    """TriKD's small student, run at the crop's size."""
    return _uper(cfg, num_classes, pretrained, "tiny_vit_11m_224.dist_in22k_ft_in1k", (48, 96, 192, 320))


def tinyvit_21m(cfg, num_classes, pretrained):
    """TriKD's student."""
    return _uper(cfg, num_classes, pretrained, "tiny_vit_21m_512.dist_in22k_ft_in1k", (48, 96, 192, 320))


def resnet101(cfg, num_classes, pretrained):
    """TriKD's convolutional view: ResNet-101 with the deep stem, stride 32."""
    return _uper(cfg, num_classes, pretrained, "resnet101s.gluon_in1k", (128, 256, 256, 512))


def deit_b(cfg, num_classes, pretrained):
    """TriKD's transformer view: DeiT-B, distilled, 384."""
    return _uper(cfg, num_classes, pretrained, "deit_base_distilled_patch16_384.fb_in1k", (48, 96, 192, 256))


def efficientnet_lite0(cfg, num_classes, pretrained):
    """A light student with ImageNet weights from an installed package: EfficientNet-Lite0 (Tan and Le 2019)."""
    return _uper(cfg, num_classes, pretrained, "tf_efficientnet_lite0", *LIGHT)


def efficientnet_lite1(cfg, num_classes, pretrained):
    """Likewise, of EfficientNet-Lite1."""
    return _uper(cfg, num_classes, pretrained, "tf_efficientnet_lite1", *LIGHT)


def efficientnet_lite2(cfg, num_classes, pretrained):
    """Likewise, of EfficientNet-Lite2."""
    return _uper(cfg, num_classes, pretrained, "tf_efficientnet_lite2", *LIGHT)


def lite_fast(cfg, num_classes, pretrained):
    """A student for 30 frames a second on two CPU cores in 8 bits: EfficientNet-Lite0 under the narrow decoder."""
    return _fast(cfg, num_classes, pretrained, "tf_efficientnet_lite0")


def mobilenetv2_fast(cfg, num_classes, pretrained):
    """Likewise, of MobileNetV2."""
    return _fast(cfg, num_classes, pretrained, "mobilenetv2_100.ra_in1k")


def hybrid_lite0(cfg, num_classes, pretrained):
    """A light student with attention: two narrow transformer blocks on EfficientNet-Lite0."""
    return _hybrid(cfg, num_classes, pretrained, "tf_efficientnet_lite0", *LIGHT, blocks=2, block_width=192)


def hybrid_lite1(cfg, num_classes, pretrained):
    """A transformer view for a light student: six blocks at 1/16 on EfficientNet-Lite1."""
    sizes = {"stem_stride": 16, "blocks": 6, "block_width": 256}
    return _hybrid(cfg, num_classes, pretrained, "tf_efficientnet_lite1", *LIGHT, **sizes)


def tinyvit_demo(cfg, num_classes, pretrained):
    """A TinyViT of one or two blocks a stage, windows fitting 96 x 96 crops without padding."""
    sizes = {"embed_dims": (24, 32, 64, 96), "depths": (1, 1, 2, 1), "num_heads": (2, 2, 4, 4),
             "window_sizes": (6, 6, 6, 3), "drop_path_rate": 0.0}  # fmt: skip
    return _uper(cfg, num_classes, pretrained, "tiny_vit_5m_224", (16, 24, 32, 48), fused=32, **sizes)


def resnet_demo(cfg, num_classes, pretrained):
    """A ResNet of one basic block a stage."""
    sizes = {"layers": (1, 1, 1, 1), "channels": (24, 48, 96, 128), "stem_width": 16}
    return _uper(cfg, num_classes, pretrained, "resnet18d", (16, 24, 32, 48), fused=32, **sizes)


def deit_demo(cfg, num_classes, pretrained):
    """A DeiT of four blocks."""
    sizes = {"depth": 4, "embed_dim": 96, "num_heads": 4, "neck": 32}
    name = "deit_tiny_distilled_patch16_224"
    return _uper(cfg, num_classes, pretrained, name, (16, 24, 32, 48), fused=32, **sizes)


def deeplab_resnet18(cfg, num_classes, pretrained):
    """MGD's student: DeepLabv3+ on ResNet-18 with the deep stem."""
    return _deeplab(cfg, num_classes, pretrained, "resnet18d.ra2_in1k")


def deeplab_mobilenetv2(cfg, num_classes, pretrained):
    """MGD's other student: DeepLabv3+ on MobileNetV2."""
    return _deeplab(cfg, num_classes, pretrained, "mobilenetv2_100.ra_in1k")


def deeplab_resnet101(cfg, num_classes, pretrained):
    """MGD's deep teacher: DeepLabv3+ on ResNet-101 with the deep stem."""
    return _deeplab(cfg, num_classes, pretrained, "resnet101s.gluon_in1k")


def deeplab_wide_resnet50(cfg, num_classes, pretrained):
    """MGD's wide teacher, "wide ResNet-34" to its authors: DeepLabv3+ on the 3, 4, 6, 3 bottlenecks of width 128."""
    return _deeplab(cfg, num_classes, pretrained, "wide_resnet50_2.racm_in1k")


def deeplab_efficientnet_lite0(cfg, num_classes, pretrained):
    """A light student with ImageNet weights from an installed package under DeepLabv3+."""
    return _deeplab(cfg, num_classes, pretrained, "tf_efficientnet_lite0", _LIGHT_DEEPLAB)


def deeplab_efficientnet_lite1(cfg, num_classes, pretrained):
    """Likewise, of EfficientNet-Lite1."""
    return _deeplab(cfg, num_classes, pretrained, "tf_efficientnet_lite1", _LIGHT_DEEPLAB)


def deeplab_efficientnet_lite2(cfg, num_classes, pretrained):
    """Likewise, of EfficientNet-Lite2."""
    return _deeplab(cfg, num_classes, pretrained, "tf_efficientnet_lite2", _LIGHT_DEEPLAB)


_SMALL = {"width": 48, "low": 16, "atrous": (1, 2, 3)}
"""Of a DeepLabv3+ decoder, for crops whose coarsest map is six pixels wide."""


def deeplab_demo(cfg, num_classes, pretrained):
    """A student of one basic block a stage."""
    sizes = {"layers": (1, 1, 1, 1), "channels": (16, 32, 64, 96), "stem_width": 12}
    return _deeplab(cfg, num_classes, pretrained, "resnet18d", _SMALL, **sizes)


def deeplab_deep_demo(cfg, num_classes, pretrained):
    """A deep and narrow teacher: ten bottlenecks."""
    sizes = {"layers": (2, 2, 4, 2), "channels": (16, 32, 48, 64), "stem_width": 16}
    return _deeplab(cfg, num_classes, pretrained, "resnet101s", _SMALL, **sizes)


def deeplab_wide_demo(cfg, num_classes, pretrained):
    """A shallow and wide teacher: five bottlenecks of double width."""
    sizes = {"layers": (1, 1, 2, 1), "channels": (16, 32, 64, 96)}
    return _deeplab(cfg, num_classes, pretrained, "wide_resnet50_2", _SMALL, **sizes)


MODELS = {
    f.__name__: f
    for f in (
        *(tinyvit_5m, tinyvit_11m, tinyvit_21m, resnet101, deit_b),
        *(efficientnet_lite0, efficientnet_lite1, efficientnet_lite2, hybrid_lite0, hybrid_lite1),
        *(lite_fast, mobilenetv2_fast),
        *(deeplab_resnet18, deeplab_mobilenetv2, deeplab_resnet101, deeplab_wide_resnet50),
        *(deeplab_efficientnet_lite0, deeplab_efficientnet_lite1, deeplab_efficientnet_lite2),
        *(tinyvit_demo, resnet_demo, deit_demo, deeplab_demo, deeplab_deep_demo, deeplab_wide_demo),
    )
}
