"""Files that are complete or absent: written under a temporary name, flushed, renamed; and their digests."""

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from kit.errors import KitError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error codes for a file that cannot grow: full disk, quota, limit on file size."""


def write_bytes(path: Path, content: bytes | memoryview, previous: Path | None = None) -> None:
    """Write a file so that `path` is never incomplete, even if the process is killed or the power fails.

    Args:
        previous: name under which the old file is kept, given to it as soon as the new one is on disk.
    Raises: KitError if the disk is full; the old file is then unchanged.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            _keep(path, previous)
        os.replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        if error.errno in FULL:
            raise no_room(path, error, len(content)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _keep(path: Path, previous: Path) -> None:
    """Give a file a second name, so that it exists under one of them at every moment."""
    link = previous.with_name(f".{previous.name}.{os.getpid()}.tmp")
    link.unlink(missing_ok=True)
    try:
        os.link(path, link)
    except OSError:  # a file system without hard links
        os.replace(path, previous)
    else:
        os.replace(link, previous)
        link.unlink(missing_ok=True)  # os.replace does nothing if both are names of one file


def replace_together(renames: Sequence[tuple[Path, Path]]) -> None:
    """Rename files over others, all or none: if one cannot be renamed, those before it are put back.

    Args:
        renames: (temporary file, path), both in the same folder; a file at `path` is replaced.
    Raises: KitError naming the path that cannot be replaced; all paths then hold what they held before.
    """
    backups: dict[Path, Path] = {}
    done: list[Path] = []
    try:
        for _, path in renames:
            if path.is_file():
                backups[path] = path.with_name(f".{path.name}.{os.getpid()}.old")
                write_bytes(backups[path], path.read_bytes())
        for temporary, path in renames:
            try:
                os.replace(temporary, path)
            except OSError as error:
                raise KitError(f"{path} cannot be written: {os.strerror(error.errno)}; nothing is changed") from error
            done.append(path)
    except BaseException:  # an interrupt too
        for path in reversed(done):
            if path in backups:
                os.replace(backups[path], path)
            else:
                path.unlink()
        raise
    finally:
        for backup in backups.values():
            backup.unlink(missing_ok=True)
    for folder in {path.parent for _, path in renames}:
        flush_folder(folder)


def flush_folder(folder: Path) -> None:
    """Write the names in a folder to disk, where the system supports it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def no_room(path: Path, error: OSError, wanted: int = 0) -> KitError:
    """The KitError for a full disk."""
    size, room = f" {wanted / 1e6:.1f} MB are needed," if wanted else "", ""
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(Path(path).parent).free
        room = (f";{size} {free / 1e6:.1f} MB are free. Files saved before are complete: make room and start the same "
                "command again")  # fmt: skip
    return KitError(f"{path} cannot be written: {os.strerror(error.errno)}{room}")


def content_of(save: Callable[[io.BytesIO], object]) -> bytes:
    """The content of the file that `save` writes."""
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def write_json(path: Path, content: object) -> None:
    """Write JSON, indented. Raises ValueError for numbers that are not finite (they are not JSON)."""
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict:
    """Content of a JSON file. Raises KitError naming the file if it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise KitError(f"no file {path}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise KitError(f"{path} is not JSON: {error}") from error


def file_sha256(path: Path) -> str:
    """sha256 of a file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def text_sha256(text: str) -> str:
    """sha256 of a text in UTF-8, hex. File names that are not UTF-8 are allowed in it."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
