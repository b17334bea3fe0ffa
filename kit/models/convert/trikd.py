"""Weights of the authors' checkpoints under this kit's names. FAMILIES: name -> function (checkpoint) -> `Imported`.

Nothing is guessed: every key of a file is either given a name here or left out for a stated reason, and the result
is loaded strictly, so that a missing, unknown or misshapen weight is an error that names it.
"""

import _codecs
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy
import torch
from torch import Tensor

from kit.errors import KitError, unknown
from kit.models.build import build_model
from kit.models.convert import mgd as mgd_checkpoints
from kit.models.segmenter import Segmenter
from kit.settings.run import ModelConfig

_scalar = numpy.float64(0).__reduce__()[0]  # numpy's own function that makes a scalar

Rules = tuple[tuple[str, str], ...]
"""Pairs (regular expression over the authors' key, replacement); the first that fits the whole key counts."""


@dataclass
class Imported:
    """Networks with their weights loaded, and what became of every key."""

    num_classes: int
    configs: dict[str, ModelConfig] = field(default_factory=dict)
    """Network -> the settings under which it computes what the authors' does."""
    nets: dict[str, Segmenter] = field(default_factory=dict)
    """Network ("student", "teacher_cnn", "teacher_wide" ...) -> itself, in eval mode."""
    projections: dict[str, Tensor] = field(default_factory=dict)
    """What maps the student to its teachers in training, under the method's names."""
    apart: bool = False
    """Every network is of use by itself: a teacher that a student's run can name."""
    keys: list[dict] = field(default_factory=list)
    """One {"network", "source", "target", "shape", "note"} per key; "target" is None for what is left out."""

    def note(self, network: str | None, source: str, target: str | None, shape: Sequence[int], note: str) -> None:
        """Add to `keys`."""
        self.keys.append({"network": network, "source": source, "target": target, "shape": list(shape), "note": note})


_SCORE = [numpy.dtype, numpy.dtypes.Float64DType, _codecs.encode, (_scalar, "numpy.core.multiarray.scalar"),
          (_scalar, "numpy._core.multiarray.scalar")]  # fmt: skip
"""What a number of numpy's consists of in a file; the authors keep the best score as one."""


def read_checkpoint(path: Path) -> dict:
    """Content of a .pth file: tensors and plain values, no code of its own is run. Raises KitError if it holds more."""
    try:
        with torch.serialization.safe_globals(_SCORE):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise KitError(f"no file {path}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise KitError(f"{path} is no checkpoint of tensors: {str(error).splitlines()[0]}") from error
    if not isinstance(content, Mapping):
        raise KitError(f"{path} holds a {type(content).__name__}, not a dict of weights")
    return dict(content)


def convert(family: str, checkpoint: Mapping) -> Imported:
    """The networks in a checkpoint of the authors of `family`. Raises KitError naming the key that does not fit."""
    if family not in FAMILIES:
        raise unknown("family of weights", family, FAMILIES)
    return FAMILIES[family](checkpoint)


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

_CONV_NORM = r"(.+)\.c\.(.+)", r"\1.conv.\2"  # TinyViT's convolutions with norm, once their place is renamed

_TINYVIT: Rules = (
    (r"encoder\.patch_embed\.seq\.0\.(.+)", r"encoder.patch_embed.conv1.\1"),
    (r"encoder\.patch_embed\.seq\.2\.(.+)", r"encoder.patch_embed.conv2.\1"),
    *((rf"encoder\.layers\.{i}\.downsample\.(.+)", rf"encoder.stages.{i + 1}.downsample.\1") for i in range(3)),
    (r"encoder\.layers\.([0-3])\.blocks\.(.+)", r"encoder.stages.\1.blocks.\2"),
    (r"low_head\.(weight|bias)", r"low.\1"),
    (r"high_head\.(weight|bias)", r"high.\1"),
    *_DECODER,
)

_RESNET: Rules = ((r"encoder\.((?:conv1|bn1|layer[1-4])\..+)", r"encoder.net.\1"), *_DECODER)

_DEIT: Rules = (
    (r"encoder\.(pos_embed|patch_embed\..+|blocks\..+)", r"encoder.\1"),
    (r"encoder\.cls_token", ""),
    *((rf"neck\.lateral_convs\.([0-3])\.{a}\.(.+)", rf"encoder.reduce.\1.{b}.\2") for a, b in _CONV_BN),
    *((rf"neck\.convs\.([0-3])\.{a}\.(.+)", rf"encoder.smooth.\1.{b}.\2") for a, b in _CONV_BN),
    *_DECODER,
)

_STUDENTS = {256: "tinyvit_11m", 384: "tinyvit_21m"}
"""Channels of the third map -> network."""


def trikd(checkpoint: Mapping) -> Imported:
    """TriKD (mlvccn/TriKD_SemiSeg): "model_tiny", and if present "model_cnn" and "model_vit"; or a bare student.

    The networks are given the official switches that change what they compute: filter centre, last block, pyramid.
    """
    if any(isinstance(value, Tensor) for value in checkpoint.values()):
        checkpoint = {"model_tiny": checkpoint}
    if "model_tiny" not in checkpoint:
        raise KitError(f"no model_tiny among {', '.join(map(str, checkpoint))}; is this a checkpoint of TriKD?")
    parts = {name: checkpoint[name] for name in ("model_tiny", "model_cnn", "model_vit") if name in checkpoint}
    weights = {name: {key.removeprefix("module."): v for key, v in part.items()} for name, part in parts.items()}
    third = _shape(weights["model_tiny"], "decoder.lateral_convs.2.conv_atten.weight")[0]
    if third not in _STUDENTS:
        raise KitError(f"a student with {third} channels at 1/16; known are {_STUDENTS}")
    imported = Imported(_shape(weights["model_tiny"], "decoder.cls_seg.1.weight")[0])
    official = {"filter_centre": "official"}
    _add(imported, "student", weights["model_tiny"], _TINYVIT,
         ModelConfig(name=_STUDENTS[third], last_block="global", **official))  # fmt: skip
    if "model_cnn" in weights:
        _add(imported, "teacher_cnn", weights["model_cnn"], _RESNET, ModelConfig(name="resnet101", **official))
    if "model_vit" in weights:
        side = round((_shape(weights["model_vit"], "encoder.pos_embed")[1] - 1) ** 0.5)
        cfg = ModelConfig(name="deit_b", pyramid="official", grid=(side, side), **official)
        _add(imported, "teacher_vit", weights["model_vit"], _DEIT, cfg)
    for name in checkpoint.keys() - parts:
        if not re.fullmatch(r"optimizer_(tiny|cnn|vit)|epoch|previous_best", name):
            raise KitError(f"unknown key {name!r} beside {', '.join(parts)}")
        imported.note(None, name, None, (), "state of the training, no weights")
    return imported


def mgd(checkpoint: Mapping) -> Imported:
    """MGD (JayQine/MGD-SSSS): a student with its two teachers, or a teacher with the copy it was trained beside.

    The networks are given the official head and encoder.
    """
    parts = mgd_checkpoints.networks(checkpoint)
    imported = Imported(parts[0].classes, apart=True)
    for part in parts:
        model = build_model(part.config, part.classes, pretrained=False)
        _load(model, part.state, part.name)
        imported.configs[part.name], imported.nets[part.name] = part.config, model.eval()
        for source, target, value, note in part.keys:
            imported.note(part.name, source, target, value.shape, note)
    for name in mgd_checkpoints.training_state(checkpoint):
        imported.note(None, name, None, (), "state of the training, no weights")
    return imported


FAMILIES: dict[str, Callable[[Mapping], Imported]] = {"trikd": trikd, "mgd": mgd}


def _add(imported: Imported, net: str, weights: Mapping[str, Tensor], rules: Rules, cfg: ModelConfig) -> None:
    """Rename, load strictly, and write down what was done."""
    state: dict[str, Tensor] = {}
    for source, value in weights.items():
        target, note = _rename(source, rules), ""
        if target == "encoder.pos_embed":
            value, note = value[:, 1:], "without the class token's position"
        if not target:
            note = "the class token, which no block sees"
        elif target.startswith(("low.", "high.")):
            imported.projections[target], note = value, "projection, used in training alone"
        else:
            state[target] = value
        imported.note(net, source, target or None, value.shape, note)
    model = build_model(cfg, imported.num_classes, pretrained=False)
    _load(model, state, net)
    imported.configs[net], imported.nets[net] = cfg, model.eval()


def _rename(source: str, rules: Rules) -> str:
    """This kit's name of a key; "" for one that is left out. Raises KitError if no rule fits."""
    for pattern, replacement in rules:
        if re.fullmatch(pattern, source):
            target = re.sub(pattern, replacement, source)
            return re.sub(*_CONV_NORM, target) if target.startswith("encoder.") and rules is _TINYVIT else target
    raise KitError(f"unknown key {source!r}; the checkpoint is of another network, or of a changed one")


def _load(model: Segmenter, state: dict[str, Tensor], net: str) -> None:
    wanted = model.state_dict()
    for name in (*wanted, *state):
        if name not in state:
            raise KitError(f"{net}: the checkpoint lacks what becomes {name!r}")
        if name not in wanted:
            raise KitError(f"{net}: {name!r} from the checkpoint has no place in {type(model.encoder).__name__}")
        if state[name].shape != wanted[name].shape:
            shapes = f"{tuple(state[name].shape)}, {tuple(wanted[name].shape)} is wanted"
            raise KitError(f"{net}: {name!r} from the checkpoint is {shapes}")
    model.to(next(v.dtype for v in state.values() if v.is_floating_point())).load_state_dict(state)


def _shape(weights: Mapping[str, Tensor], key: str) -> torch.Size:
    if not isinstance(weights.get(key), Tensor):
        raise KitError(f"the checkpoint lacks {key!r}; is it one of TriKD?")
    return weights[key].shape
