"""The error that ended a run, as one line with a way out."""

import torch

from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.run import RunConfig
from kit.system.storage import FULL, no_room
from kit.train.memory import out_of_memory


def problem_of(error: Exception, cfg: RunConfig, folder: RunFolder, device: torch.device) -> KitError | None:
    """A KitError itself, or one for a full disk or too little memory; None for any other error, which is a bug."""
    if isinstance(error, KitError):
        return error
    if isinstance(error, OSError):
        return no_room(folder.path, error) if error.errno in FULL else None
    return out_of_memory(cfg, error, device)
