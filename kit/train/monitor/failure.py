"""The error that ended a run, as one line with a way out."""

import torch

from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.run import RunConfig
from kit.system.storage import FULL, no_room
from kit.train.memory import out_of_memory


def problem_of(error: Exception, cfg: RunConfig, folder: RunFolder, device: torch.device) -> KitError | None:
    """A KitError itself, or one for a full disk, too little memory or too few values for batch norm; None for any other
    error, which is a bug."""
    if isinstance(error, KitError):
        return error
    if isinstance(error, OSError):
        return no_room(folder.path, error) if error.errno in FULL else None
    if isinstance(error, ValueError):
        return _too_small(cfg) if "more than 1 value per channel" in str(error) else None
    return out_of_memory(cfg, error, device)


def _too_small(cfg: RunConfig) -> KitError:
    """Batch norm cannot normalise one value: a single image in a pass, on whose crop a network's map has one pixel."""
    return KitError(
        f"crops of {' x '.join(map(str, cfg.data.crop))} leave a map of one pixel, and batch norm needs more than one "
        "value: raise data.crop, or the images of a pass (data.labelled, fewer train.accumulate, method.passes joint)"
    )
