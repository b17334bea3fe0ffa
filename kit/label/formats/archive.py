"""The export of an annotation tool: one file, a folder, or a zip archive, which is never unpacked to disk."""

import json
import os
import stat
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from kit.errors import KitError

LARGEST, TOGETHER, MOST = 512 * 2**20, 8 * 2**30, 200_000
"""Limits: bytes of one unpacked file, bytes of all together, and number of files in an archive."""

RATIO = 1000
"""Largest ratio of unpacked to packed size for a file of more than 1 MiB; deflate reaches 1032 only on zeros."""


@dataclass(frozen=True)
class Export:
    """The files of an export by their names inside it, with forward slashes."""

    path: Path
    files: dict[str, Callable[[], bytes]]
    """Name -> function that reads the file."""

    def named(self, *endings: str) -> list[str]:
        """Sorted names with one of these endings, without hidden files and folders and those of the system
        (".DS_Store", "__MACOSX")."""
        return sorted(name for name in self.files if name.lower().endswith(endings) and not _litter(name))

    def where(self, name: str) -> str:
        """The path of a file, for messages."""
        return f"{self.path}: {name}" if name != self.path.name or self.path.is_dir() else str(self.path)


def open_export(path: str | Path) -> Export:
    """The export at a path.

    Raises: KitError if there is none, if it is empty, or if an archive is damaged, encrypted, too large when unpacked,
        or names files outside of itself.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file())
        files = {file.relative_to(path).as_posix(): partial(_read, file) for file in found}
    elif not path.is_file():
        raise KitError(f"no file or folder {path}; name what the annotation tool exported")
    elif zipfile.is_zipfile(path):
        files = _zipped(path)
    else:
        files = {path.name: partial(_read, path)}
    if all(_litter(name) for name in files):
        raise KitError(f"{path} is empty: there is no file in it")
    return Export(path, files)


def json_files(export: Export) -> Iterator[tuple[str, str, object]]:
    """Name, place for messages, and content of each JSON file. Raises KitError for a damaged one."""
    for name in export.named(".json"):
        try:
            yield name, export.where(name), json.loads(export.files[name]())
        except (ValueError, RecursionError) as error:
            raise KitError(f"{export.where(name)} is not JSON: {error}") from error


def parse_xml(content: bytes, where: str) -> ET.Element:
    """The root of an XML file. Raises KitError if it is damaged, or declares entities, which no export needs."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise KitError(f"{where} declares XML entities, which exports of annotation tools do not; it is not read")
    try:
        return ET.fromstring(content)
    except ET.ParseError as error:
        raise KitError(f"{where} is not XML: {error}") from error


def _zipped(path: Path) -> dict[str, Callable[[], bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise KitError(f"{path} is a damaged archive: {error}") from error
    if len(entries) > MOST:
        raise KitError(f"{path} holds {len(entries)} files; at most {MOST} are read")
    for entry in entries:
        _check_entry(path, entry)
    if (total := sum(entry.file_size for entry in entries)) > TOGETHER:
        raise KitError(f"{path} would be {total / 1e9:.1f} GB when unpacked; at most {TOGETHER / 1e9:.1f} are read")
    names = [entry.filename.replace("\\", "/") for entry in entries]  # some programs for Windows write backslashes
    if len(set(names)) < len(names):
        raise KitError(f"{path} holds two files called {next(name for name in names if names.count(name) > 1)}")
    return {name: partial(_unzipped, path, entry) for name, entry in zip(names, entries, strict=True)}


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        raise KitError(f"{path} names {entry.filename!r}, a path outside the archive; it is not read")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise KitError(f"{path} holds a link, {entry.filename!r}; it is not read")
    if entry.flag_bits & 1:
        raise KitError(f"{path} is encrypted; export it without a password")
    grown = entry.file_size > RATIO * max(entry.compress_size, 1) and entry.file_size > 2**20
    if entry.file_size > LARGEST or grown:
        raise KitError(f"{path}: {entry.filename} would grow from {entry.compress_size} to {entry.file_size} bytes "
                       "when unpacked; such archives are not read")  # fmt: skip


def _unzipped(path: Path, entry: zipfile.ZipInfo) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
            content = file.read(entry.file_size + 1)  # the header of an entry may state a wrong size
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise KitError(f"{path}: {entry.filename} is damaged: {error}") from error
    if len(content) != entry.file_size:
        raise KitError(f"{path}: {entry.filename} is not of the size that the archive states")
    return content


def _read(path: Path) -> bytes:
    if os.path.getsize(path) > LARGEST:
        raise KitError(f"{path} has {os.path.getsize(path)} bytes; at most {LARGEST} are read")
    return path.read_bytes()


def _litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") for part in parts)
