"""MODELS: name -> function returning a `Segmenter`. One function per published size; `*_demo` train on a laptop CPU."""

from kit.config import ModelConfig
from kit.errors import KitError, unknown
from kit.models.deeplab import DeepLabV3Plus, dilated_encoder
from kit.models.encoders import TimmEncoder, TinyViTEncoder, ViTEncoder, encoder_class
from kit.models.recompute import recompute_blocks
from kit.models.segmenter import Segmenter
from kit.models.uper import DualFrequencyUPer


def build_model(cfg: ModelConfig, num_classes: int, pretrained: bool) -> Segmenter:
    """The network that `cfg` names.

    Raises KitError for a name that is neither in MODELS nor timm's, settings that the network does not have, or
    pretrained weights that cannot be had.
    """
    family, _, timm_name = cfg.name.rpartition("/")
    if family == "timm":
        net = _uper(cfg, num_classes, pretrained, timm_name, (48, 96, 192, 320))
    elif family == "deeplab":
        net = _deeplab(cfg, num_classes, pretrained, timm_name)
    elif cfg.name in MODELS:
        net = MODELS[cfg.name](cfg, num_classes, pretrained)
    else:
        raise unknown("model", cfg.name, [*MODELS, "timm/NAME", "deeplab/NAME"])
    if cfg.recompute and not recompute_blocks(net.encoder):
        raise KitError(f"{cfg.name} has no blocks that could be recomputed; leave its setting 'recompute' at False")
    return net


def _uper(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str,
          widths: tuple[int, int, int, int], fused: int = 256, **sizes) -> Segmenter:  # fmt: skip
    """timm encoder + dual-frequency UPer decoder."""
    _refuse(cfg, ("head", "encoder"), "a DeepLabv3+")
    kind = encoder_class(timm_name)
    encoder = kind(timm_name, pretrained=pretrained, weights=cfg.weights, **_special(cfg, kind), **sizes)
    decoder = DualFrequencyUPer(encoder.channels, cfg.widths or widths, fused=fused, selection=cfg.selection,
                                strides=encoder.strides, d0=cfg.d0, d0_relative=cfg.d0_relative,
                                centre=cfg.filter_centre, path=cfg.frequency_path)  # fmt: skip
    return Segmenter(encoder, decoder, num_classes, cfg.dropout)


def _deeplab(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str, decoder: dict | None = None,
             **sizes) -> Segmenter:  # fmt: skip
    """timm encoder at output stride 16 + DeepLabv3+ decoder."""
    _refuse(cfg, ("widths", "selection", "filter_centre", "frequency_path"), "a network with the UPer decoder")
    _special(cfg, TimmEncoder)
    encoder = dilated_encoder(timm_name, cfg.encoder, pretrained=pretrained, weights=cfg.weights, **sizes)
    return Segmenter(encoder, DeepLabV3Plus(encoder.channels, head=cfg.head, **decoder or {}), num_classes, cfg.dropout)


def _refuse(cfg: ModelConfig, names: tuple[str, ...], of: str) -> None:
    """Raise KitError if a setting that the network does not have was changed."""
    default = ModelConfig()
    for name in names:
        if getattr(cfg, name) != getattr(default, name):
            raise KitError(f"{cfg.name} has no setting {name!r} (got {getattr(cfg, name)!r}); only {of} has")


def _special(cfg: ModelConfig, kind: type) -> dict[str, object]:
    """Settings that only one kind of encoder has; on any other they may not be changed."""
    default, chosen = ModelConfig(), {}
    for name, of in (("last_block", TinyViTEncoder), ("pyramid", ViTEncoder), ("grid", ViTEncoder)):
        value = getattr(cfg, name)
        if kind is of:
            chosen[name] = value
        elif value != getattr(default, name):
            raise KitError(f"{cfg.name} has no setting {name!r} (got {value!r}); only a {of.__name__} has")
    return chosen


def tinyvit_5m(cfg, num_classes, pretrained):
    """TinyViT-5M; not in the paper."""
    return _uper(cfg, num_classes, pretrained, "tiny_vit_5m_224", (48, 96, 192, 320))


def tinyvit_11m(cfg, num_classes, pretrained):
    """TriKD's small student, run at the crop's size."""
    return _uper(cfg, num_classes, pretrained, "tiny_vit_11m_224", (48, 96, 192, 320))


def tinyvit_21m(cfg, num_classes, pretrained):
    """TriKD's student."""
    return _uper(cfg, num_classes, pretrained, "tiny_vit_21m_512", (48, 96, 192, 320))


def resnet101(cfg, num_classes, pretrained):
    """TriKD's convolutional view: ResNet-101 with the deep stem, stride 32."""
    return _uper(cfg, num_classes, pretrained, "resnet101s", (128, 256, 256, 512))


def deit_b(cfg, num_classes, pretrained):
    """TriKD's transformer view: DeiT-B, distilled, 384."""
    return _uper(cfg, num_classes, pretrained, "deit_base_distilled_patch16_384", (48, 96, 192, 256))


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
    return _deeplab(cfg, num_classes, pretrained, "resnet18d")


def deeplab_mobilenetv2(cfg, num_classes, pretrained):
    """MGD's other student: DeepLabv3+ on MobileNetV2."""
    return _deeplab(cfg, num_classes, pretrained, "mobilenetv2_100")


def deeplab_resnet101(cfg, num_classes, pretrained):
    """MGD's deep teacher: DeepLabv3+ on ResNet-101 with the deep stem."""
    return _deeplab(cfg, num_classes, pretrained, "resnet101s")


def deeplab_wide_resnet50(cfg, num_classes, pretrained):
    """MGD's wide teacher, "wide ResNet-34" to its authors: DeepLabv3+ on the 3, 4, 6, 3 bottlenecks of width 128."""
    return _deeplab(cfg, num_classes, pretrained, "wide_resnet50_2")


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
        *(deeplab_resnet18, deeplab_mobilenetv2, deeplab_resnet101, deeplab_wide_resnet50),
        *(tinyvit_demo, resnet_demo, deit_demo, deeplab_demo, deeplab_deep_demo, deeplab_wide_demo),
    )
}
