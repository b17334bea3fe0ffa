"""Checkpoints of TriKD's authors (mlvccn/TriKD_SemiSeg)."""

import re
from collections.abc import Callable, Mapping

from torch import Tensor

from kit.errors import KitError
from kit.models.convert.imported import Imported, Rules, State, bare, shape_of
from kit.settings.run import ModelConfig

_CONV_BN = (("conv", "0"), ("bn", "1"))

_DECODER: Rules = (
    (r"decoder\.lateral_convs\.([012])\.conv_atten\.(.+)", r"decoder.laterals.\1.attend.\2"),
    (r"decoder\.lateral_convs\.([012])\.conv\.(.+)", r"decoder.laterals.\1.project.\2"),
    (r"decoder\.psp_module\.features\.([0-3])\.1\.(.+)", r"decoder.laterals.3.pools.\1.1.0.\2"),
    (r"decoder\.psp_module\.features\.([0-3])\.2\.(.+)", r"decoder.laterals.3.pools.\1.1.1.\2"),
    (r"decoder\.down_convs\.([012])\.(.+)", r"decoder.down.\1.\2"),
    (r"decoder\.cls_seg\.1\.(.+)", r"classify.\1"),
    *((rf"decoder\.psp_bottleneck\.{a}\.(.+)", rf"decoder.laterals.3.fuse.{b}.\1") for a, b in _CONV_BN),
    *((rf"decoder\.fpn_convs\.([012])\.{a}\.(.+)", rf"decoder.smooth.\1.{b}.\2") for a, b in _CONV_BN),
    *((rf"decoder\.fpn_bottleneck\.{a}\.(.+)", rf"decoder.fuse.{b}.\1") for a, b in _CONV_BN),
)


def _tinyvit(target: str) -> Callable[[re.Match], str]:
    """A name in TinyViT; the convolutions of its ConvNorm layers are "c" in the authors' code and "conv" in timm."""
    return lambda found: re.sub(r"(.+)\.c\.(.+)", r"\1.conv.\2", found.expand(target))


_TINYVIT: Rules = (
    (r"encoder\.patch_embed\.seq\.0\.(.+)", _tinyvit(r"encoder.patch_embed.conv1.\1")),
    (r"encoder\.patch_embed\.seq\.2\.(.+)", _tinyvit(r"encoder.patch_embed.conv2.\1")),
    *((rf"encoder\.layers\.{i}\.downsample\.(.+)", _tinyvit(rf"encoder.stages.{i + 1}.downsample.\1"))
      for i in range(3)),
    (r"encoder\.layers\.([0-3])\.blocks\.(.+)", _tinyvit(r"encoder.stages.\1.blocks.\2")),
    (r"(low|high)_head\.(weight|bias)", r"\1.\2", "projection, used in training alone"),
    *_DECODER,
)  # fmt: skip

_RESNET: Rules = ((r"encoder\.((?:conv1|bn1|layer[1-4])\..+)", r"encoder.net.\1"), *_DECODER)

_DEIT: Rules = (
    (r"encoder\.(patch_embed\..+|blocks\..+)", r"encoder.\1"),
    (r"encoder\.(pos_embed)", r"encoder.\1", "without the class token's position"),
    (r"encoder\.cls_token", "", "the class token, which no block sees"),
    *((rf"neck\.lateral_convs\.([0-3])\.{a}\.(.+)", rf"encoder.reduce.\1.{b}.\2") for a, b in _CONV_BN),
    *((rf"neck\.convs\.([0-3])\.{a}\.(.+)", rf"encoder.smooth.\1.{b}.\2") for a, b in _CONV_BN),
    *_DECODER,
)

_STUDENTS = {256: "tinyvit_11m", 384: "tinyvit_21m"}
"""Channels of the third map -> network."""


def trikd(checkpoint: Mapping) -> Imported:
    """The student ("model_tiny", or the whole file) and, if present, the views "model_cnn" and "model_vit".

    The networks get the official switches that change their outputs: filter centre, last block, pyramid.
    """
    if any(isinstance(value, Tensor) for value in checkpoint.values()):
        checkpoint = {"model_tiny": checkpoint}
    if "model_tiny" not in checkpoint:
        raise KitError(f"no model_tiny among {', '.join(map(str, checkpoint))}; is this a checkpoint of TriKD?")
    weights = {name: bare(checkpoint[name]) for name in ("model_tiny", "model_cnn", "model_vit") if name in checkpoint}
    third = shape_of(weights["model_tiny"], "decoder.lateral_convs.2.conv_atten.weight")[0]
    if third not in _STUDENTS:
        raise KitError(f"no known student has {third} channels at 1/16; known are {_STUDENTS}")
    imported = Imported(shape_of(weights["model_tiny"], "decoder.cls_seg.1.weight")[0])

    def fitted(state: State) -> State:
        """Weights without the projections, which are not part of a network, and without the class token's position."""
        imported.projections |= {name: value for name, value in state.items() if name.startswith(("low.", "high."))}
        positions = "encoder.pos_embed"
        cut = {positions: state[positions][:, 1:]} if positions in state else {}
        return {name: value for name, value in state.items() if name not in imported.projections} | cut

    def add(net: str, part: str, rules: Rules, **settings: object) -> None:
        imported.add(net, weights[part], rules, ModelConfig(filter_centre="official", **settings), fitted)

    add("student", "model_tiny", _TINYVIT, name=_STUDENTS[third], last_block="global")
    if "model_cnn" in weights:
        add("teacher_cnn", "model_cnn", _RESNET, name="resnet101")
    if "model_vit" in weights:
        side = round((shape_of(weights["model_vit"], "encoder.pos_embed")[1] - 1) ** 0.5)
        add("teacher_vit", "model_vit", _DEIT, name="deit_b", pyramid="official", grid=(side, side))
    others = [name for name in checkpoint if name not in weights]
    imported.add_training_state(others, r"optimizer_(tiny|cnn|vit)|epoch|previous_best", ", ".join(weights))
    return imported
