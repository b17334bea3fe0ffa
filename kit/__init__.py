"""Lightweight semi-supervised semantic segmentation: train, ablate, inspect and compare."""

import warnings
from typing import TYPE_CHECKING

from kit.system.first_use import on_first_use
from kit.system.iri_grammar import skip_grammar
from kit.system.torchvision_operators import declare_on_import

declare_on_import()  # before anything imports torchvision
skip_grammar()  # before anything imports nbformat
warnings.filterwarnings("ignore", "Failed to load image Python extension", UserWarning)  # images are read by Pillow

if TYPE_CHECKING:  # for editors; see __getattr__
    from kit.errors import KitError
    from kit.evaluate.student import Student, load
    from kit.label.suggest import suggest
    from kit.runs.folder import load_run, load_runs
    from kit.settings.notebook import parameters
    from kit.settings.recipes import configure
    from kit.train.launch import launch
    from kit.train.loop import fit

__all__ = [
    "KitError",
    "Student",
    "configure",
    "fit",
    "launch",
    "load",
    "load_run",
    "load_runs",
    "parameters",
    "suggest",
]
__version__ = "0.1.0"

_HOME = {
    "KitError": "errors",
    "Student": "evaluate.student",
    "configure": "settings.recipes",
    "fit": "train.loop",
    "launch": "train.launch",
    "load": "evaluate.student",
    "load_run": "runs.folder",
    "load_runs": "runs.folder",
    "parameters": "settings.notebook",
    "suggest": "label.suggest",
}
"""Name -> module of the kit, imported on first use: importing torch, timm and others takes seconds, and
`python -m kit --help` and processes that only read results do not need them."""

__getattr__ = on_first_use(__name__, globals(), _HOME)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
