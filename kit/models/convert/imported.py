"""Networks from the authors' checkpoints: read, renamed by rules, loaded strictly, with a record of every key.

Rules either rename a key or leave it out for a stated reason. The result is loaded strictly, so a missing, unknown or
wrongly shaped weight raises an error that names it.
"""

import _codecs
import pickle
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy
import torch
from torch import Tensor

from kit.errors import KitError
from kit.models.build import build_model
from kit.models.segmenter import Segmenter
from kit.settings.run import ModelConfig

_scalar = numpy.float64(0).__reduce__()[0]  # numpy's own function that makes a scalar

Rules = Sequence[tuple[str, str | Callable[[re.Match], str], str] | tuple[str, str | Callable[[re.Match], str]]]
"""(regular expression for the authors' key, this kit's name for it, optional note); the first that matches the whole
key applies. The name "" leaves a key out."""

State = dict[str, Tensor]
"""Weights by name."""


@dataclass
class Imported:
    """Networks with their weights loaded, and a record of every key."""

    num_classes: int
    configs: dict[str, ModelConfig] = field(default_factory=dict)
    """Network -> the settings with which it computes the same as the authors' network."""
    nets: dict[str, Segmenter] = field(default_factory=dict)
    """Network ("student", "teacher_cnn", "teacher_wide" ...) -> itself, in eval mode."""
    projections: State = field(default_factory=dict)
    """Projections from student to teachers, used in training only, under the method's names."""
    apart: bool = False
    """Whether each network can be used by itself, as a teacher that a student's run names."""
    keys: list[dict] = field(default_factory=list)
    """One {"network", "source", "target", "shape", "note"} per key; "target" is None for what is left out."""

    def note(self, network: str | None, source: str, target: str | None, shape: Sequence[int], note: str) -> None:
        """Add to `keys`."""
        self.keys.append({"network": network, "source": source, "target": target, "shape": list(shape), "note": note})

    def add(self, net: str, weights: Mapping[str, Tensor], rules: Rules, cfg: ModelConfig,
            fitted: Callable[[State], State], prefix: str = "") -> None:  # fmt: skip
        """Rename and load weights, and record every key.

        Args:
            rules: for renaming.
            fitted: turns renamed weights into the weights to load, where more than names differ.
            prefix: of the recorded keys.
        Raises: KitError naming a key or weight that does not fit.
        """
        state: State = {}
        for source, value in weights.items():
            target, note = renamed(source, rules)
            self.note(net, prefix + source, target.partition(" ")[0] or None, value.shape, note)
            if target:
                state[target] = value
        model = build_model(cfg, self.num_classes, pretrained=False)
        _load(model, fitted(state), net)
        self.configs[net], self.nets[net] = cfg, model.eval()

    def add_training_state(self, names: Iterable[str], known: str, beside: str) -> None:
        """Record a file's entries besides weights. Raises KitError for a name that does not match `known`."""
        for name in names:
            if not re.fullmatch(known, name):
                raise KitError(f"unknown key {name!r} beside {beside}; is this a checkpoint of the method's authors?")
            self.note(None, name, None, (), "training state, no weights")


_SCORE = [numpy.dtype, numpy.dtypes.Float64DType, _codecs.encode, (_scalar, "numpy.core.multiarray.scalar"),
          (_scalar, "numpy._core.multiarray.scalar")]  # fmt: skip
"""Pickled parts of a numpy scalar; the authors' files hold the best score as one."""


def read_checkpoint(path: Path) -> dict:
    """Content of a .pth file, tensors and plain values, read without running code. Raises KitError if it holds more."""
    try:
        with torch.serialization.safe_globals(_SCORE):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise KitError(f"no file {path}") from error
    except pickle.UnpicklingError as error:  # torch's message advises to load the file in an unsafe way
        raise KitError(f"{path} is not a checkpoint of tensors: it is damaged, of another kind, or holds objects "
                       "beside tensors and plain values") from error  # fmt: skip
    except (RuntimeError, EOFError, OSError) as error:
        raise KitError(f"{path} is not a checkpoint of tensors: {str(error).splitlines()[0]}") from error
    if not isinstance(content, Mapping):
        raise KitError(f"{path} holds a {type(content).__name__}, not a dict of weights")
    return dict(content)


def renamed(source: str, rules: Rules) -> tuple[str, str]:
    """This kit's name of a key, "" if it is left out, and the rule's note. Raises KitError if no rule matches."""
    for pattern, target, *note in rules:
        if found := re.fullmatch(pattern, source):
            return target(found) if callable(target) else found.expand(target), "".join(note)
    raise KitError(f"unknown key {source!r}; the checkpoint is of another network, or of a changed one")


def bare(weights: Mapping[str, Tensor]) -> State:
    """Weights without the prefix that distributed training adds."""
    return {key.removeprefix("module."): value for key, value in weights.items()}


def shape_of(weights: Mapping[str, Tensor], key: str, prefix: str = "") -> torch.Size:
    """Shape of a weight. Raises KitError if the checkpoint lacks it."""
    if not isinstance(weights.get(key), Tensor):
        raise KitError(f"the checkpoint lacks {prefix + key!r}; is it one of the method's authors?")
    return weights[key].shape


def _load(model: Segmenter, state: dict[str, Tensor], net: str) -> None:
    wanted = model.state_dict()
    for name in (*wanted, *state):
        if name not in state:
            raise KitError(f"{net}: the checkpoint lacks the weights of {name!r}")
        if name not in wanted:
            raise KitError(f"{net}: {name!r} from the checkpoint has no place in {type(model.encoder).__name__}")
        if state[name].shape != wanted[name].shape:
            shapes = f"{tuple(state[name].shape)}, expected {tuple(wanted[name].shape)}"
            raise KitError(f"{net}: {name!r} from the checkpoint is {shapes}")
    model.to(next(v.dtype for v in state.values() if v.is_floating_point())).load_state_dict(state)
