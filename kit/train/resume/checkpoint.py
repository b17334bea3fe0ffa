"""Checkpoints of a run, in files with a checksum.

A file is a header (8 bytes that name the format, the length of the rest, its sha256) and the output of `torch.save`,
because torch loads most files with a flipped bit without an error.
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
    """Write tensors, numbers, strings, lists, tuples and dicts of them, whole or not at all.

    Args:
        previous: new name of the file that was there; None replaces it.
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
    """The state in a file of `save_checkpoint`, on the CPU; None without a file. Raises KitError if it is damaged."""
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
            reason = "its checksum is wrong"
    if reason is None:
        try:
            return torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        except Exception as error:  # undamaged, but of another version of torch or of the kit
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
    raise KitError(f"{path} is damaged ({reason}); delete it to start the run again")


class Checkpoints:
    """The last two checkpoints of one run.

    Args:
        current, previous: their files.
        run: the run's `kit.runs.folder.identity`; files of other runs are not loaded.
    """

    def __init__(self, current: Path, previous: Path, run: str):
        self.current, self.previous, self.run = current, previous, run
        self.whole = True  # `current` is absent or undamaged, so it may replace `previous`

    def load(self) -> tuple[dict | None, list[str]]:
        """The newest undamaged checkpoint of this run, and the problems of newer ones.

        None if there is no file. Raises: KitError if there are files, but none is usable.
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
            raise KitError(f"{'; '.join(problems)}; there is no other checkpoint, delete the folder to start again")
        return None, []

    def save(self, state: dict) -> None:
        """Write a checkpoint; the last one is kept, a damaged one renamed. Raises KitError if the disk is full."""
        if not self.whole and self.current.exists():
            os.replace(self.current, self.current.with_name("checkpoint_damaged.pt"))
        save_checkpoint(self.current, {"run": self.run, **state}, self.previous)
        self.whole = True
