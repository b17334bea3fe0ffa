"""Cache of decoded pictures on disk: each is decoded once for all runs, not at every step.

One .npy per picture, mapped into memory when it is used, so that only the pixels that are needed are read and all
processes of a machine share them. A file is used only if it is complete and its source is unchanged; otherwise it is
written again. The folder may be deleted at any time.
"""

import contextlib
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
import torch
from torch import Tensor

from kit.errors import KitError
from kit.system.console import bar
from kit.system.storage import text_sha256

VERSION = f"1, Pillow {PIL.__version__}, torchvision {version('torchvision')}"
"""Version of the file format, and of the libraries that decoded the pixels."""

SEAL = 1_000_000_000
"""Time stamp (seconds) given to a complete file; a later write changes it."""

MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(rb"\{'descr': '\|u1', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n")
"""What numpy writes before the pixels. numpy's own reader parses it as Python, which fails in parallel threads in some
releases of Python 3.11 ("AST constructor recursion depth mismatch")."""

SPARE = 64 << 20
"""Bytes of the disk that filling the cache leaves free."""


class Item(NamedTuple):
    """A picture to cache."""

    key: str
    """Its name in the cache, part of a file name."""
    source: Path
    """The file whose size and time stamp are checked."""
    make: Callable[[], Tensor]
    """Decodes it: uint8, any shape. Raises KitError naming the file if it cannot."""
    size: Callable[[], int]
    """Bytes it takes when decoded."""


class Cache:
    """Decoded pictures in a folder; safe for any number of threads, loader workers and runs at once.

    Args:
        folder: created with the first picture.
        about: everything, besides the source file, that the pixels depend on; files with another `about` are not used.
    """

    def __init__(self, folder: Path, about: str):
        self.folder, self.about = folder, about
        self._open: dict[str, Tensor] = {}

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_open": {}}  # a process with a copy maps the files itself

    def get(self, item: Item) -> Tensor:
        """The pixels, uint8, mapped from disk; decoded and written first if they are missing.

        A source that changes after its first use is detected by the next run.
        Raises: KitError if the source cannot be read or the cache cannot be written.
        """
        pixels = self._open.get(item.key)
        if pixels is None:
            stamp = self._stamp(item.source)
            pixels = self._read(item.key, stamp) if stamp else None
            if pixels is None:
                made = item.make()
                self._write(item.key, stamp, made)
                pixels = self._read(item.key, stamp)
                if pixels is None:  # a disk that does not store time stamps
                    return made
            self._open[item.key] = pixels
        return pixels

    def fill(self, items: Sequence[Item], silent: bool = False) -> None:
        """Decode and write, in several threads, the items that are not cached yet.

        Args:
            silent: show no progress bar.
        Raises: KitError naming the first picture that cannot be read, or if there is too little disk space.
        """
        missing = [item for item in items if self._whole(item.key, self._stamp(item.source)) is None]
        if not missing:
            return
        with self._writing():
            self._sweep()
        self._require_room(missing)
        with ThreadPoolExecutor(os.cpu_count()) as pool, bar(len(missing), "decoding", "picture", silent) as done:
            for _ in pool.map(self.get, missing):  # the first error cancels the rest
                done.update()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npy"

    def _stamp(self, source: Path) -> bytes:
        """32 bytes that change with everything the pixels depend on; empty if there is no source."""
        try:
            state = os.stat(source)
        except OSError:
            return b""
        about = f"{VERSION}\n{self.about}\n{source}\n{state.st_size}\n{state.st_mtime_ns}"
        return bytes.fromhex(text_sha256(about))

    def _whole(self, key: str, stamp: bytes) -> tuple[int, tuple[int, ...]] | None:
        """Offset and shape of the pixels in a file that is complete and up to date, else None."""
        try:
            with open(self._path(key), "rb") as file:
                state = os.fstat(file.fileno())
                if int(state.st_mtime) != SEAL or file.read(8) != MAGIC:
                    return None
                header = HEADER.fullmatch(file.read(int.from_bytes(file.read(2), "little")))
                if header is None:
                    return None
                shape = tuple(int(side) for side in header[1].split(b",") if side.strip())
                start = file.tell()
                file.seek(start + math.prod(shape))
                if file.read() != stamp:
                    return None
        except OSError:  # absent or unreadable
            return None
        return start, shape

    def _read(self, key: str, stamp: bytes) -> Tensor | None:
        whole = self._whole(key, stamp)
        if whole is None:
            return None
        start, shape = whole
        end = start + math.prod(shape)
        try:  # unlike numpy's, this mapping keeps no file open; there may be thousands
            mapped = torch.from_file(str(self._path(key)), shared=False, size=end, dtype=torch.uint8)
        except RuntimeError:  # gone or replaced in the meantime
            return None
        return mapped[start:].view(shape)

    def _write(self, key: str, stamp: bytes, pixels: Tensor) -> None:
        temporary = self.folder / f".{secrets.token_hex(8)}.tmp"
        with self._writing():
            try:
                with open(temporary, "xb") as file:
                    np.save(file, np.ascontiguousarray(pixels.numpy()))
                    file.write(stamp)  # numpy ignores bytes after the pixels
                    file.flush()
                    os.fsync(file.fileno())
                os.utime(temporary, (SEAL, SEAL))
                os.replace(temporary, self._path(key))
            finally:
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Create the folder; turn an error in writing to it into a KitError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise KitError(
                f"the cache of decoded images in {self.folder} cannot be written: {error.strerror or error}; "
                "name another data.cache_dir or switch data.cache off"
            ) from error

    def _require_room(self, missing: Sequence[Item]) -> None:
        needed = sum(item.size() for item in missing) + SPARE
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise KitError(
                f"the cache of decoded images needs {needed / 1e9:.1f} GB in {self.folder} and {free / 1e9:.1f} GB are "
                "free; make room, name another data.cache_dir or switch data.cache off"
            )

    def _sweep(self) -> None:
        """Remove temporary files of processes that were killed while writing, if older than a day."""
        for path in self.folder.glob(".*.tmp"):
            try:
                state = path.stat()  # a complete file, about to be renamed, has the old time stamp SEAL
                if time.time() - (state.st_ctime if int(state.st_mtime) == SEAL else state.st_mtime) > 86_400:
                    path.unlink()
            except OSError:  # already renamed or removed
                continue
