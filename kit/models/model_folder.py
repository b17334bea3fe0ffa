"""Model folders: a student's weights with all that is needed to use them, on this machine or on the Hugging Face hub.

model.safetensors   the weights of the whole network
config.json         networks, classes, palette, protocol, digest of the weights (`FORMAT`)
README.md           the model card

`kit.deploy.pack` writes them. Reading is here in `kit.models`, because networks can start from a model folder.
"""

import re
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
from torch import Tensor

from kit.errors import KitError
from kit.settings.fields import from_dict
from kit.settings.run import RunConfig
from kit.system.paths import from_project
from kit.system.storage import file_sha256, read_json

FORMAT, FORMAT_KEY = 1, "kit_format"
"""Format of config.json, increased when older versions of the kit could not read it correctly."""

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"

PATTERNS = [WEIGHTS, CONFIG, CARD]
"""Files to fetch from the hub."""

_ON_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FILES = (".pth", ".pt", ".bin", ".safetensors")


class ModelFolder(NamedTuple):
    """A checked model folder."""

    path: Path
    config: RunConfig
    dataset: dict
    """"name", "classes" and "palette" at least."""
    record: dict
    """The whole of config.json."""

    @property
    def sha256(self) -> str:
        """Digest of the weights."""
        return self.record["weights"]["sha256"]

    def state(self) -> dict[str, Tensor]:
        """The weights."""
        return safetensors.torch.load_file(self.path / WEIGHTS)


def is_model_folder(path: Path) -> bool:
    """Whether a folder is a model folder, complete or not."""
    if (Path(path) / WEIGHTS).is_file():
        return True
    try:
        return FORMAT_KEY in read_json(Path(path) / CONFIG)
    except (KitError, OSError, TypeError):
        return False


def located(name: str | Path) -> Path:
    """The folder `name`: a path, a path from the project's folder, or "owner/name" on the hub, kept in the hub's cache.

    Raises: KitError if the hub is needed and cannot be reached, or does not have it.
    """
    path = Path(name)
    if path.exists():
        return path
    if (inside := from_project(name)).exists():
        return inside
    # "runs/latest" is a missing folder, not a name on the hub, if a folder "runs" exists.
    here = path.parent.exists() or inside.parent.exists() or path.suffix in _FILES
    return path if here or not _ON_HUB.fullmatch(str(name)) else _fetched(str(name))


def _fetched(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=PATTERNS))
    except Exception as error:  # the hub's client raises many types: no network, no such name, no right to read it
        reason = (str(error).strip().splitlines() or [""])[0]
        raise KitError(
            f"there is no folder {name}, and no model of that name from the hub ({type(error).__name__}: {reason}); "
            f"offline, name a folder, or download it once on a machine with internet: hf download {name}"
        ) from error


def read_model_folder(path: Path) -> ModelFolder:
    """A model folder, checked. Raises KitError naming what is missing, newer than this kit, or changed."""
    path = Path(path)
    record = read_json(path / CONFIG)
    if not isinstance(record, dict) or FORMAT_KEY not in record:
        raise KitError(f"{path / CONFIG} does not belong to a model folder of this kit (it has no {FORMAT_KEY!r})")
    if record[FORMAT_KEY] != FORMAT:
        raise KitError(f"{path} is a model folder of format {record[FORMAT_KEY]!r}, this kit reads {FORMAT}; update it")
    dataset = record.get("dataset") or {}
    classes, palette = dataset.get("classes"), dataset.get("palette")
    if not classes or not palette or len(classes) != len(palette):
        raise KitError(f"{path / CONFIG} has no list of classes with as many colours; pack the model again")
    if not (path / WEIGHTS).is_file():
        raise KitError(f"{path} has no {WEIGHTS}")
    wanted = (record.get("weights") or {}).get("sha256")
    found = file_sha256(path / WEIGHTS)
    if found != wanted:
        raise KitError(
            f"{path / WEIGHTS} is not what was packed: its sha256 begins with {found[:12]}, that in {CONFIG} with "
            f"{str(wanted)[:12]}"
        )
    return ModelFolder(path, from_dict(record.get("config")), dataset, record)
