"""One process at a time."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from kit.errors import KitError

try:
    import fcntl
except ImportError:  # Windows: nothing is locked
    fcntl = None


@contextlib.contextmanager
def locked(path: Path, what: str, patience: float = 3.0) -> Iterator[None]:
    """Hold a lock on a file, which is made if need be; the system lets go of it whenever and however the process ends.

    The lock is that of `lockf`, which belongs to this process alone: one of `flock` would live on for seconds in the
    loader processes of a run that was killed.

    Args:
        path: a file of no content.
        what: named in the error.
        patience: seconds to wait, so that what was just killed may be gone.
    Raises: KitError if another process holds it.
    """
    until = time.monotonic() + patience
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a") as file:
            _take(file, path, what, until)
            if not _is_still(file, path):
                continue  # its holder has deleted it, and others may hold its successor
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
            return


def _take(file: IO, path: Path, what: str, until: float) -> None:
    while fcntl is not None:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if not isinstance(error, (BlockingIOError, PermissionError)):
                return  # a file system without locks
            if time.monotonic() > until:
                raise KitError(f"{what} is in use by process {_holder(path)}; wait for it, or stop it") from error
            time.sleep(0.1)


def _is_still(file: IO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text() or "?"
    return "?"
