"""Checkpoints of MGD's authors (JayQine/MGD-SSSS).

A student's file holds three networks: "branch1" the student, "branch2" the wide and "branch3" the deep teacher. A
teacher's file, from cross pseudo supervision, holds two networks of one kind; the method keeps the first. A network's
encoder follows from its keys.

Their ASPP normalises the maps of four convolutions with one batch norm and adds the outputs of two 1x1 convolutions.
This kit's has one batch norm per convolution and one 1x1 convolution over all maps; conversion splits the former and
concatenates the latter.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from kit.errors import KitError
from kit.models.convert.imported import Imported, Rules, State, bare, shape_of
from kit.settings.run import ModelConfig


def mgd(checkpoint: Mapping) -> Imported:
    """A student with its two teachers, or a teacher with the copy that was trained with it ("partner").

    The networks get the official head and encoder.
    """
    branches: dict[str, State] = {}
    for key, value in bare(checkpoint.get("model", checkpoint)).items():
        branch, _, rest = key.partition(".")
        if branch not in ("branch1", "branch2", "branch3") or not isinstance(value, Tensor):
            raise KitError(f"unknown key {key!r}; MGD's networks are branch1, branch2 and branch3")
        branches.setdefault(branch, {})[rest] = value
    if "branch1" not in branches:
        raise KitError("no branch1, which is the network that is kept; is this a checkpoint of MGD?")
    others = ("teacher_wide", "teacher_deep") if "branch3" in branches else ("partner",)
    names = dict(zip(("branch1", "branch2", "branch3"), ("student", *others), strict=False))
    classes = {branch: shape_of(branches[branch], "classifier.weight", f"{branch}.")[0] for branch in sorted(branches)}
    imported = Imported(classes["branch1"], apart=True)
    for branch in classes:
        cfg = ModelConfig(name=_network(branches[branch]), head="official", encoder="official", dropout=0.0)
        imported.add(names[branch], branches[branch], _RULES, cfg, _fitted, f"{branch}.")
    if "model" in checkpoint:
        rest = [name for name in checkpoint if name != "model"]
        imported.add_training_state(rest, r"optimizer(_[lr])?|epoch|iteration", "the model")
    return imported


def _network(weights: dict[str, Tensor]) -> str:
    """The key of MODELS for these weights."""
    if "backbone.features.0.0.weight" in weights:
        return "deeplab_mobilenetv2"
    if "backbone.conv1.weight" in weights:  # a 7x7 stem
        return "deeplab_wide_resnet50"
    return "deeplab_resnet101" if "backbone.layer1.0.conv3.weight" in weights else "deeplab_resnet18"


_DEPTHS = (1, 2, 3, 4, 3, 3, 1)
"""Blocks of MobileNetV2's stages; the authors number all blocks in one sequence, after the stem."""

_FIRST = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
_INVERTED = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "2": "conv_pwl", "3": "bn3"}
"""Parts of a block: torchvision's names, which the authors use -> timm's."""


def _mobilenet(found: re.Match) -> str:
    index, rest = int(found[1]), found[2]
    if index == 0:
        layer, _, name = rest.rpartition(".")
        parts, place = {"0": "conv_stem", "1": "bn1"}, ""
    else:
        layer, _, name = rest.removeprefix("conv.").rpartition(".")
        parts, block = (_FIRST if index == 1 else _INVERTED), index - 1
        stage = next((i for i in range(len(_DEPTHS)) if block < sum(_DEPTHS[: i + 1])), len(_DEPTHS))
        place = f"blocks.{stage}.{block - sum(_DEPTHS[:stage])}."
    if layer not in parts:
        raise KitError(f"unknown key {found[0]!r}; the checkpoint is of another MobileNet")
    return f"encoder.net.{place}{parts[layer]}.{name}"


_NORM = "decoder.aspp.convs.0.1."
"""Batch norm of the first of four maps; holds the weights for all four until `_fitted` splits them."""

_PROJECT = "decoder.aspp.project.0.weight"
_POOLED = f"{_PROJECT} of the pooled map"
"""Two 1x1 convolutions that `_fitted` concatenates, in this order."""

_RULES: Rules = (
    (r"backbone\.(?:fc|classifier\.1)\.(?:weight|bias)", "", "classifier of ImageNet, which no map passes"),
    (r"backbone\.features\.(\d+)\.(.+)", _mobilenet),
    (r"backbone\.((?:conv1|bn1|layer[1-4])\..+)", r"encoder.net.\1"),
    (r"head\.aspp\.map_convs\.([0-3])\.(weight)", r"decoder.aspp.convs.\1.0.\2"),
    (r"head\.aspp\.map_bn\.(.+)", rf"{_NORM}\1", "a fourth each to convs 0 to 3"),
    (r"head\.aspp\.global_pooling_conv\.(weight)", r"decoder.aspp.convs.4.1.\1"),
    (r"head\.aspp\.global_pooling_bn\.(.+)", r"decoder.aspp.convs.4.2.\1"),
    (r"head\.aspp\.red_conv\.weight", _PROJECT, "its channels of the four maps"),
    (r"head\.aspp\.pool_red_conv\.weight", _POOLED, "its channels of the pooled map"),
    (r"head\.aspp\.red_bn\.(.+)", r"decoder.aspp.project.1.\1"),
    (r"head\.reduce\.([01])\.(.+)", r"decoder.reduce.\1.\2"),
    (r"head\.last_conv\.([01])\.(.+)", r"decoder.fuse.\1.\2"),
    (r"head\.last_conv\.3\.(.+)", r"decoder.refine.0.\1"),
    (r"head\.last_conv\.4\.(.+)", r"decoder.refine.1.\1"),
    (r"classifier\.(weight|bias)", r"classify.\1"),
)


def _fitted(state: State) -> State:
    """Split the batch norm over four maps, and concatenate the two projections."""
    for name, theirs in ((_PROJECT, "red_conv"), (_POOLED, "pool_red_conv")):
        if name not in state:
            raise KitError(f"the checkpoint lacks 'head.aspp.{theirs}.weight'")
    fitted = state | {_PROJECT: torch.cat([state[_PROJECT], state[_POOLED]], 1)}
    del fitted[_POOLED]
    for name, value in state.items():
        if name.startswith(_NORM):
            for i, part in enumerate(value.chunk(4) if value.ndim else [value] * 4):
                fitted[f"decoder.aspp.convs.{i}.1.{name.removeprefix(_NORM)}"] = part.clone()
    return fitted
