"""The project's folders, and paths relative to them."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
"""The folder that holds `kit/`, `notebooks/` and `splits/`."""


def with_home(value: object) -> object:
    """A parameter with `~/` replaced by the home folder, also in lists of texts; other values are unchanged."""
    if isinstance(value, list):
        return [with_home(each) for each in value]
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value


def from_project(path: str | Path) -> Path:
    """`path` itself if it exists or is absolute, otherwise relative to the project's folder."""
    path = Path(path).expanduser()
    return path if path.is_absolute() or path.exists() else PROJECT / path


def python_path() -> str:
    """PYTHONPATH of a new process that imports the kit from wherever it runs."""
    return os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH"))))


def enter_project() -> Path:
    """Make the project's folder the working folder if it is `notebooks/`; return the working folder.

    JupyterLab starts a kernel in the notebook's folder, papermill in the folder it is called from. Without this change,
    the same relative path would refer to two different places.
    """
    if Path.cwd() == PROJECT / "notebooks":
        os.chdir(PROJECT)
    return Path.cwd()
