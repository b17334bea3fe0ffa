"""Files that are whole or absent: written under a temporary name, flushed, renamed."""

import json
import os
from pathlib import Path

from kit.errors import KitError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that `path` never holds half of it, whenever the process is killed."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON, indented; numbers that are not finite are refused (they are not JSON)."""
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict:
    """Content of a JSON file. Raises KitError naming the file if it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise KitError(f"no file {path}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise KitError(f"{path} is not JSON: {error}") from error
