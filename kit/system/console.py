"""Output: progress bars, and the terminal from which a notebook is run."""

import sys
from types import ModuleType

from tqdm import tqdm


def bar(total: int, what: str, unit: str, silent: bool = False) -> tqdm:
    """A progress bar, updated ten times a second on a terminal and twice a minute in a log file."""
    return tqdm(total=total, desc=what, unit=unit, disable=silent,
                mininterval=0.1 if sys.stderr.isatty() else 30)  # fmt: skip


def show_line(line: str) -> None:
    """Print a line to a terminal or a notebook without delay."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def kernel() -> object | None:
    """The Jupyter kernel this code runs in, None outside a notebook."""
    ipython: ModuleType | None = sys.modules.get("IPython")  # every kernel has imported it
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)


def attended() -> bool:
    """Whether the current cell runs in a notebook's window. JupyterLab and similar programs send the cell's id,
    papermill and nbconvert do not."""
    here = kernel()
    return here is not None and bool(here.get_parent("shell").get("metadata", {}).get("cellId"))


def to_terminal(line: str) -> None:
    """Write a line to the terminal from which papermill was started. No effect outside a headless notebook, where
    standard output is visible."""
    if kernel() is not None and not attended() and sys.__stderr__ is not None:
        sys.__stderr__.write(f"\n{line}\n")
        sys.__stderr__.flush()
