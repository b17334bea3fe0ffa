"""A notebook with its parameters, and its headless execution by papermill."""

import asyncio
import contextlib
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from kit.errors import KitError
from kit.settings.notebook import check_values, declared_in, read_notebook
from kit.system.paths import PROJECT
from kit.system.storage import write_bytes

PATIENCE = 2.0
"""Seconds for a kernel to end by itself before it is interrupted."""


class QuietKernelManager(AsyncKernelManager):
    """Ends a kernel with a message, and interrupts it only if it is still busy.

    jupyter_client interrupts every kernel that it ends; a kernel that is still in its last handler would print an error
    about the interrupt.
    """

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """End the kernel; arguments as in jupyter_client."""
        if self.has_kernel and not now:
            await self.request_shutdown(restart=restart)
            end = time.monotonic() + PATIENCE
            while await self.is_alive() and time.monotonic() < end:
                await asyncio.sleep(0.02)
        await super().shutdown_kernel(now=now, restart=restart)


class NotebookError(KitError):
    """A notebook that failed.

    Attributes:
        why: the reason in one line.
        permanent: the notebook reported an error of its parameters or data, so that another attempt would fail too.
    """

    def __init__(self, executed: Path, why: str, permanent: bool = False):
        super().__init__(f"{executed} failed: {why}")
        self.why, self.permanent = why, permanent


def makes_run(notebook: Path) -> bool:
    """Whether a notebook trains a method into a folder that it is given: it declares `method` and `run_dir`."""
    return {"method", "run_dir"} <= declared_in(notebook).keys()


@dataclass(frozen=True)
class Cell:
    """One notebook to run."""

    notebook: Path
    """The notebook with a cell tagged `parameters`."""
    executed: Path
    """Path of the executed copy; a page of the same name with .html is beside it."""
    parameters: dict[str, object] = field(default_factory=dict)
    """Values of its parameters, of the types that the notebook declares."""
    folder: Path = PROJECT
    """Working folder of the notebook, for relative paths."""

    @property
    def run_dir(self) -> Path | None:
        """Folder of the notebook's run; None without the parameter `run_dir`."""
        return self.folder / self.parameters["run_dir"] if self.parameters.get("run_dir") else None

    @property
    def page(self) -> Path:
        """The executed copy as a page for any browser."""
        return self.executed.with_suffix(".html")

    @property
    def draft(self) -> Path:
        """File that papermill writes after each cell of the notebook."""
        return self.executed.with_name(f".{self.executed.name}")

    def check(self) -> None:
        """Raise KitError if the notebook is missing, or does not declare one of the parameters with its type."""
        check_values(self.notebook, self.parameters)


def run_notebook(cell: Cell) -> Path:
    """Run a notebook and return the path of the executed copy.

    Raises: NotebookError with the error's first line if a cell of it fails or its kernel dies (the executed copy then
        shows where), KitError if it does not declare the parameters.
    """
    cell.check()
    cell.executed.parent.mkdir(parents=True, exist_ok=True)
    cell.draft.unlink(missing_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as sockets:
            papermill.execute_notebook(
                str(cell.notebook), str(cell.draft), cell.parameters, cwd=str(cell.folder), kernel_name="python3",
                progress_bar=False, kernel_manager_class=QuietKernelManager, config=_transport(sockets),
            )  # fmt: skip
    except PapermillExecutionError as error:
        permanent = error.ename == KitError.__name__
        first = next(iter(str(error.evalue).splitlines()), "")
        raise NotebookError(cell.executed, first if permanent else f"{error.ename}: {first}", permanent) from error
    except DeadKernelError as error:
        raise NotebookError(cell.executed, "its kernel died; most likely it was killed for lack of memory") from error
    finally:
        settle(cell)
    return cell.executed


def settle(cell: Cell) -> None:
    """Move an executed notebook, complete or not, to its path; also after its process was killed."""
    if cell.draft.is_file():
        with contextlib.suppress(KitError):  # incomplete: killed during a write
            write_bytes(cell.executed, nbformat.writes(read_notebook(cell.draft)).encode())
        cell.draft.unlink()


def _transport(sockets: str) -> Config:
    """Kernels communicate through files in a folder of their own, which, unlike ports, no other kernel can take."""
    if os.name != "posix":
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})
