"""What a killed run needs to go on.

Order of images, augmentation and dropout follow from (seed, step), so no random state needs to be kept.
"""

import io
from pathlib import Path

import torch

from kit.errors import KitError
from kit.storage import write_bytes


def save_checkpoint(path: Path, state: dict) -> None:
    """Write tensors, numbers, strings, lists and dicts of them; the file is whole or the previous one."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict | None:
    """What `save_checkpoint` was given, on the CPU; None if there is no file. Raises KitError if it is damaged."""
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise KitError(f"{path} is damaged ({type(error).__name__}); delete it to start the run again") from error
