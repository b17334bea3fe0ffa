"""Notebooks run headless with papermill, one or many at a time.

papermill itself only warns about parameters a notebook does not have; here they are refused before a kernel starts.
"""

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from kit.errors import KitError, unknown
from kit.paths import PROJECT
from kit.storage import write_bytes


@dataclass(frozen=True)
class Cell:
    """One notebook to run."""

    notebook: Path
    """The notebook with a cell tagged `parameters`."""
    executed: Path
    """Where the executed copy goes."""
    parameters: dict[str, object] = field(default_factory=dict)
    """Values for its parameters; the types must be those the notebook wants."""

    def check(self) -> None:
        """Raise KitError if the notebook is missing or does not declare one of the parameters."""
        if not self.notebook.is_file():
            raise KitError(f"no notebook {self.notebook}")
        declared = papermill.inspect_notebook(str(self.notebook))
        for name in self.parameters:
            if name not in declared:
                raise unknown(f"parameter of {self.notebook.name}", name, declared)


def run_notebook(cell: Cell) -> Path:
    """Run a notebook in the project's folder and return the path of the executed copy.

    Raises: KitError with the error's last line if a cell fails; the executed copy then shows where.
    """
    cell.check()
    cell.executed.parent.mkdir(parents=True, exist_ok=True)
    draft = cell.executed.with_name(f".{cell.executed.name}")  # papermill saves after each cell
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as sockets:
            papermill.execute_notebook(
                str(cell.notebook), str(draft), cell.parameters, cwd=str(PROJECT), kernel_name="python3",
                progress_bar=False, config=_transport(sockets),
            )  # fmt: skip
    except PapermillExecutionError as error:
        raise KitError(f"{cell.executed} failed: {error.ename}: {error.evalue.splitlines()[0]}") from error
    finally:
        if draft.is_file():
            notebook = nbformat.read(draft, as_version=4)
            write_bytes(cell.executed, nbformat.writes(notebook).encode())
            draft.unlink()
    return cell.executed


def _transport(sockets: str) -> Config:
    """Kernels talk through files in a folder of their own: ports, and files in a shared folder, are fought over."""
    if os.name != "posix":
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})


def run_grid(cells: Sequence[Cell], workers: int, watch: Callable[[], None] | None = None) -> None:
    """Run notebooks, `workers` at a time, each on its share of the processor's cores.

    Every cell is checked before the first one starts, and one that fails does not stop the others.

    Args:
        cells: started in this order.
        workers: number of processes.
        watch: called about twice a second in this process while notebooks run (progress).
    Raises: KitError naming all that failed, after the others are done.
    """
    for cell in cells:
        cell.check()
    threads = max(1, (os.cpu_count() or 1) // workers)
    failed = []
    stop = threading.Event()
    watcher = threading.Thread(target=_call_until, args=(stop, watch), daemon=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin_worker, initargs=(os.getpid(), threads)) as pool:
        watcher.start()
        try:
            for future in as_completed([pool.submit(run_notebook, cell) for cell in cells]):
                error = future.exception()
                if error is not None:
                    failed.append(str(error))
        finally:
            stop.set()
            watcher.join()
    if failed:
        raise KitError("; ".join(failed))


def _begin_worker(parent: int, threads: int) -> None:
    """Share the cores, and end this process (and with it its kernel) when the parent is gone."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read by the kernel that papermill starts

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _call_until(stop: threading.Event, watch: Callable[[], None] | None) -> None:
    while watch is not None and not stop.wait(0.5):
        watch()
