"""Checkpoints of MGD's authors (JayQine/MGD-SSSS), read network by network under this kit's names.

A student's file holds three networks: "branch1" the student, "branch2" the wide and "branch3" the deep teacher. A
teacher's file, from cross pseudo supervision, holds two of one kind, of which the first is kept. Which encoder a
network has is read off its keys.

Their ASPP normalises the maps of four convolutions with one batch norm and adds the outputs of two 1x1 convolutions,
where this kit's has a batch norm each and one 1x1 convolution over all: the same numbers, cut apart and put together.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from kit.errors import KitError
from kit.settings.run import ModelConfig


class Part(NamedTuple):
    """One network of a file."""

    name: str  # "student", "teacher_wide", "teacher_deep", or "partner" for the second copy of a teacher
    config: ModelConfig  # the settings under which it computes what the authors' does
    classes: int
    state: dict[str, Tensor]  # under this kit's names
    keys: list[tuple[str, str | None, Tensor, str]]  # source, target, value, note


def networks(checkpoint: Mapping) -> list[Part]:
    """The networks of a checkpoint, student first. Raises KitError naming a key that has no place."""
    weights = checkpoint.get("model", checkpoint)
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    branches: dict[str, dict[str, Tensor]] = {}
    for key, value in weights.items():
        branch, _, rest = key.partition(".")
        if branch not in ("branch1", "branch2", "branch3") or not isinstance(value, Tensor):
            raise KitError(f"unknown key {key!r}; MGD's networks are branch1, branch2 and branch3")
        branches.setdefault(branch, {})[rest] = value
    if "branch1" not in branches:
        raise KitError("no branch1, which is the network that is kept; is this a checkpoint of MGD?")
    others = ("teacher_wide", "teacher_deep") if "branch3" in branches else ("partner",)
    names = dict(zip(("branch1", "branch2", "branch3"), ("student", *others), strict=False))
    return [_part(names[branch], branch, branches[branch]) for branch in sorted(branches)]


def training_state(checkpoint: Mapping) -> list[str]:
    """What a file holds besides the weights, which are under "model" then. Raises KitError for an unknown key."""
    if "model" not in checkpoint:
        return []
    names = [name for name in checkpoint if name != "model"]
    for name in names:
        if not re.fullmatch(r"optimizer(_[lr])?|epoch|iteration", name):
            raise KitError(f"unknown key {name!r} beside the model; is this a checkpoint of MGD?")
    return names


def _part(name: str, branch: str, weights: dict[str, Tensor]) -> Part:
    config = ModelConfig(name=_network(weights), head="official", encoder="official", dropout=0.0)
    if "classifier.weight" not in weights:
        raise KitError(f"the checkpoint lacks '{branch}.classifier.weight'; is it one of MGD?")
    state, keys = {}, []
    for source, value in weights.items():
        places = list(_places(source, value))
        state.update({target: part for target, part, _ in places if target})
        target, _, note = places[0]
        keys.append((f"{branch}.{source}", _PROJECT if target in _JOINED else target, value, note))
    state[_PROJECT] = _joined(state)
    return Part(name, config, len(weights["classifier.weight"]), state, keys)


def _network(weights: dict[str, Tensor]) -> str:
    """The key of MODELS that fits."""
    if "backbone.features.0.0.weight" in weights:
        return "deeplab_mobilenetv2"
    if "backbone.conv1.weight" in weights:  # a 7x7 stem
        return "deeplab_wide_resnet50"
    return "deeplab_resnet101" if "backbone.layer1.0.conv3.weight" in weights else "deeplab_resnet18"


_JOINED = {"red_conv": "its channels of the four maps", "pool_red_conv": "its channels of the pooled map"}
"""Two 1x1 convolutions that become one, in this order."""

_PROJECT = "decoder.aspp.project.0.weight"

_RULES = (
    (r"backbone\.((?:conv1|bn1|layer[1-4])\..+)", r"encoder.net.\1"),
    (r"head\.aspp\.map_convs\.([0-3])\.(weight)", r"decoder.aspp.convs.\1.0.\2"),
    (r"head\.aspp\.global_pooling_conv\.(weight)", r"decoder.aspp.convs.4.1.\1"),
    (r"head\.aspp\.global_pooling_bn\.(.+)", r"decoder.aspp.convs.4.2.\1"),
    (r"head\.aspp\.(red_conv|pool_red_conv)\.weight", r"\1"),
    (r"head\.aspp\.red_bn\.(.+)", r"decoder.aspp.project.1.\1"),
    (r"head\.reduce\.([01])\.(.+)", r"decoder.reduce.\1.\2"),
    (r"head\.last_conv\.([01])\.(.+)", r"decoder.fuse.\1.\2"),
    (r"head\.last_conv\.3\.(.+)", r"decoder.refine.0.\1"),
    (r"head\.last_conv\.4\.(.+)", r"decoder.refine.1.\1"),
    (r"classifier\.(weight|bias)", r"classify.\1"),
)


def _places(source: str, value: Tensor) -> Iterator[tuple[str | None, Tensor, str]]:
    """Where a key's values go: (target, values, note) once, or four times for what is cut apart."""
    if re.fullmatch(r"backbone\.(fc|classifier\.1)\.(weight|bias)", source):
        yield None, value, "classifier of ImageNet, which no map passes"
    elif found := re.fullmatch(r"head\.aspp\.map_bn\.(.+)", source):
        parts = value.chunk(4) if value.ndim else [value] * 4
        for i, part in enumerate(parts):
            yield f"decoder.aspp.convs.{i}.1.{found[1]}", part.clone(), "a fourth each to convs 0 to 3"
    elif found := re.fullmatch(r"backbone\.features\.(\d+)\.(.+)", source):
        yield _mobilenet(int(found[1]), found[2], source), value, ""
    else:
        target = next((re.sub(p, to, source) for p, to in _RULES if re.fullmatch(p, source)), None)
        if target is None:
            raise KitError(f"unknown key {source!r}; the checkpoint is of another network, or of a changed one")
        yield target, value, _JOINED.get(target, "")


def _joined(state: dict[str, Tensor]) -> Tensor:
    """The 1x1 convolution over four maps and the one over the pooled map, taken out of `state`, as one over all."""
    for name in _JOINED:
        if name not in state:
            raise KitError(f"the checkpoint lacks 'head.aspp.{name}.weight'")
    return torch.cat([state.pop(name) for name in _JOINED], 1)


_DEPTHS = (1, 2, 3, 4, 3, 3, 1)
"""Blocks of MobileNetV2's stages; the authors count them through, after the stem."""

_FIRST = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
_INVERTED = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "2": "conv_pwl", "3": "bn3"}
"""Parts of a block, here and in torchvision's layout, which the authors keep."""


def _mobilenet(index: int, rest: str, source: str) -> str:
    if index == 0:
        layer, _, name = rest.rpartition(".")
        parts, place = {"0": "conv_stem", "1": "bn1"}, ""
    else:
        layer, _, name = rest.removeprefix("conv.").rpartition(".")
        parts, block = (_FIRST if index == 1 else _INVERTED), index - 1
        stage = next((i for i in range(len(_DEPTHS)) if block < sum(_DEPTHS[: i + 1])), len(_DEPTHS))
        place = f"blocks.{stage}.{block - sum(_DEPTHS[:stage])}."
    if layer not in parts:
        raise KitError(f"unknown key {source!r}; the checkpoint is of another MobileNet")
    return f"encoder.net.{place}{parts[layer]}.{name}"
