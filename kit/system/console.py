"""Where output goes: progress bars, the same everywhere, and the terminal behind a notebook."""

import sys
from types import ModuleType

from tqdm import tqdm


def bar(total: int, what: str, unit: str, silent: bool = False, start: int = 0) -> tqdm:
    """A bar on a terminal; where output is kept (a log file), a line every now and then instead of ten a second."""
    return tqdm(total=total, initial=start, desc=what, unit=unit, disable=silent,
                mininterval=0.1 if sys.stderr.isatty() else 30)  # fmt: skip


def kernel() -> object | None:
    """The kernel this code runs in, None outside a notebook."""
    ipython: ModuleType | None = sys.modules.get("IPython")  # a kernel has imported it; nothing else needs to
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)


def attended() -> bool:
    """Whether somebody runs the present cell in a notebook's window. JupyterLab and its like name the cell in their
    request, papermill and nbconvert do not."""
    here = kernel()
    return here is not None and bool(here.get_parent("shell").get("metadata", {}).get("cellId"))


def to_terminal(line: str) -> None:
    """Write a line to the terminal from which papermill was started; nothing outside a headless notebook, where
    standard output is seen anyway."""
    if kernel() is not None and not attended() and sys.__stderr__ is not None:
        sys.__stderr__.write(f"\n{line}\n")
        sys.__stderr__.flush()
