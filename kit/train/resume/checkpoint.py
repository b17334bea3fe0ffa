"""What a killed run needs to go on, in files that say whether they are whole.

A file is a header (8 bytes that name the format, the length of what follows, its sha256) and what `torch.save` makes:
torch itself reads most files with a flipped bit without a complaint.
"""

import hashlib
import io
import os
import struct
from pathlib import Path

import torch

from kit.errors import KitError
from kit.system.storage import write_bytes

MAGIC = b"KITCKPT1"
HEADER = struct.Struct("<8sQ32s")


def save_checkpoint(path: Path, state: dict, previous: Path | None = None) -> None:
    """Write tensors, numbers, strings, lists, tuples and dicts of them; the file is whole or the one before.

    Args:
        previous: keeps the file that was there.
    Raises: KitError if the disk is full; the file that was there stays.
    """
    buffer = io.BytesIO()
    buffer.write(bytes(HEADER.size))
    torch.save(state, buffer)
    with buffer.getbuffer() as content:
        body = content[HEADER.size :]
        content[: HEADER.size] = HEADER.pack(MAGIC, len(body), hashlib.sha256(body).digest())
        write_bytes(path, content, previous)


def load_checkpoint(path: Path) -> dict | None:
    """What `save_checkpoint` was given, on the CPU; None if there is no file. Raises KitError if it is damaged."""
    if not path.is_file():
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KitError(f"{path} cannot be read: {error.strerror}") from error
    body = memoryview(content)[HEADER.size :]
    reason = None
    if not content.startswith(MAGIC) or len(content) < HEADER.size:
        reason = "it is not a checkpoint of this kit"
    else:
        _, length, digest = HEADER.unpack_from(content)
        if len(body) != length:
            reason = f"it holds {len(body)} of {length} bytes"
        elif hashlib.sha256(body).digest() != digest:
            reason = "its content is not what was written"
    if reason is None:
        try:
            return torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        except Exception as error:  # whole, but of another version of torch or of the kit
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
    raise KitError(f"{path} is damaged ({reason}); delete it to start the run again")


class Checkpoints:
    """The last two checkpoints of one run.

    Args:
        current, previous: their files.
        run: what identifies the run (`kit.runs.folder.identity`); another run's file is not taken for one of this.
    """

    def __init__(self, current: Path, previous: Path, run: str):
        self.current, self.previous, self.run = current, previous, run
        self.whole = True  # `current` is absent or good, so that it may take the place of `previous`

    def load(self) -> tuple[dict | None, list[str]]:
        """The newest checkpoint that is whole and of this run, and what was wrong with newer ones.

        None if there is none at all. Raises: KitError if there are files, and none of them will do.
        """
        problems = []
        for path in (self.current, self.previous):
            try:
                state = load_checkpoint(path)
            except KitError as error:
                problems.append(str(error).rsplit(";", 1)[0])
                continue
            if state is not None and (not isinstance(state, dict) or state.get("run") != self.run):
                problems.append(f"{path} belongs to another run")
            elif state is not None:
                self.whole = not problems
                return state, problems
        if problems:
            raise KitError(f"{'; '.join(problems)}; nothing is left to go on from, delete the folder to start again")
        return None, []

    def save(self, state: dict) -> None:
        """Write a checkpoint; the one before is kept, a damaged one put aside. Raises KitError if there is no room."""
        if not self.whole and self.current.exists():
            os.replace(self.current, self.current.with_name("checkpoint_damaged.pt"))
        save_checkpoint(self.current, {"run": self.run, **state}, self.previous)
        self.whole = True
