"""What is too slow to be made by every process of the suite."""

import os
from collections.abc import Callable
from pathlib import Path

from kit.system.lock import locked


def made_once(tmp_path_factory, name: str, make: Callable[[Path], None]) -> Path:
    """Folder `name` below the suite's own. The first process calls `make` with it; others wait and read only."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # that of all workers
    folder = base / name
    with locked(base / f"{name}.lock", name, patience=900):
        if not (folder / "made").exists():
            folder.mkdir(parents=True)
            make(folder)
            (folder / "made").touch()
    return folder
