"""MODELS: name -> function returning a `Segmenter`. One function per published size; `*_demo` train on a laptop CPU."""

from kit.config import ModelConfig
from kit.errors import unknown
from kit.models.encoders import encoder_class
from kit.models.segmenter import Segmenter
from kit.models.uper import DualFrequencyUPer


def build_model(cfg: ModelConfig, num_classes: int, pretrained: bool) -> Segmenter:
    """The network that `cfg` names.

    Raises KitError for a name that is not in MODELS, or pretrained weights that cannot be had.
    """
    if cfg.name not in MODELS:
        raise unknown("model", cfg.name, MODELS)
    return MODELS[cfg.name](cfg, num_classes, pretrained)


def _uper(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str,
          widths: tuple[int, int, int, int], fused: int = 256, **sizes) -> Segmenter:  # fmt: skip
    """timm encoder + dual-frequency UPer decoder."""
    encoder = encoder_class(timm_name)(timm_name, pretrained=pretrained, weights=cfg.weights, **sizes)
    decoder = DualFrequencyUPer(encoder.channels, widths, fused=fused, selection=cfg.selection,
                                d0=cfg.d0, d0_relative=cfg.d0_relative)  # fmt: skip
    return Segmenter(encoder, decoder, num_classes, cfg.dropout)


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
    sizes = {"depth": 4, "embed_dim": 96, "num_heads": 4, "blocks": (0, 1, 2, 3), "neck": 32}
    name = "deit_tiny_distilled_patch16_224"
    return _uper(cfg, num_classes, pretrained, name, (16, 24, 32, 48), fused=32, **sizes)


MODELS = {
    f.__name__: f
    for f in (tinyvit_5m, tinyvit_11m, tinyvit_21m, resnet101, deit_b, tinyvit_demo, resnet_demo, deit_demo)
}
