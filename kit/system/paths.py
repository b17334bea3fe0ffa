"""Where things are: the project's own folders, and paths relative to them."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
"""The folder that holds `kit/`, `notebooks/` and `splits/`."""


def from_project(path: str | Path) -> Path:
    """`path` as it is if it exists or is absolute; otherwise counted from the project's folder."""
    path = Path(path).expanduser()
    return path if path.is_absolute() or path.exists() else PROJECT / path


def enter_project() -> Path:
    """Make the project's folder the working folder if a notebook was opened inside `notebooks/`; return the folder.

    JupyterLab starts a kernel beside its notebook, papermill where it was called: the same relative path would mean
    two places.
    """
    if Path.cwd() == PROJECT / "notebooks":
        os.chdir(PROJECT)
    return Path.cwd()
