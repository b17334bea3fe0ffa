"""A lock on a file: one process at a time."""

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
    """Hold a lock on a file, created if necessary; the system releases it whenever and however the process ends.

    It uses `lockf`, whose lock belongs to this process only. With `flock`, the loader processes of a killed run would
    still hold the lock for some seconds.

    Args:
        path: the file; it holds the process id.
        what: name of the locked object in the error message.
        patience: seconds to wait, in case the holder was just killed.
    Raises: KitError if another process holds it, or if its folder cannot be made or written.
    """
    until = time.monotonic() + patience
    while True:
        with _opened(path) as file:
            _take(file, path, what, until)
            if not _is_still(file, path):
                continue  # its holder has deleted it, and another process may hold a new file
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
            return


def _opened(path: Path) -> IO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a")
    except OSError as error:
        raise KitError(f"{path.parent} cannot be written: {error.strerror}; name another folder") from error


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
