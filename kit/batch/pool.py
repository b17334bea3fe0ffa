"""Many cells, several at a time on this machine, each on its share of the processor's cores and accelerators.

Each worker is a process that runs one cell after the other. It is replaced when it dies or has to be killed, and when
this process is gone it ends, with every process of its runs.
"""

import contextlib
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing import connection

from kit.batch import processes
from kit.batch.cell import Cell, settle
from kit.batch.outcome import Outcome, make_page, run_cell
from kit.errors import KitError

BEGUN = "begun"
"""What a worker says when it starts with a cell: the clock of its time limit runs from here."""


def run_cells(
    cells: Sequence[Cell],
    workers: int,
    watch: Callable[[], None] | None = None,
    time_limit: float | None = None,
    retries: int = 0,
    ended: Callable[[int, Outcome], None] | None = None,
) -> list[Outcome]:
    """Run cells, `workers` at a time; one that fails does not stop the others.

    Args:
        cells: started in this order; what is finished already is left as it is.
        workers: number of processes.
        watch: called about twice a second in this process while notebooks run (progress).
        time_limit: seconds after which an attempt is killed; None lets it run.
        retries: further attempts at a cell that failed in a way that another attempt may not: not one whose notebook
            says what is wrong with its parameters or data.
        ended: called with the place of a cell and its outcome as soon as there is one.
    Returns: an outcome for each cell, in their order.
    """
    queue = deque(enumerate(cells))
    outcomes: list[Outcome | None] = [None] * len(cells)
    attempts = [0] * len(cells)
    crew = [Worker(place, min(workers, max(1, len(cells)))) for place in range(min(workers, len(cells)))]
    try:
        while None in outcomes:
            for worker in crew:
                if worker.task is None and queue:
                    worker.give(*queue.popleft(), time_limit)
            connection.wait([source for worker in crew for source in worker.sources()], timeout=0.5)
            for worker in crew:
                task, outcome = worker.look()
                if outcome is None:
                    continue
                attempts[task] += outcome.attempts
                outcome = replace(outcome, attempts=attempts[task])
                if outcome.again and attempts[task] <= retries:
                    queue.append((task, cells[task]))
                    continue
                outcomes[task] = outcome
                if ended is not None:
                    ended(task, outcome)
            if watch is not None:
                watch()
    finally:
        for worker in crew:
            worker.end()
    return outcomes


def complete(cells: Sequence[Cell], workers: int, watch: Callable[[], None] | None = None) -> None:
    """`run_cells` for who needs all of them. Raises KitError naming all that failed, after the others are done."""
    outcomes = run_cells(cells, workers, watch)
    failed = [f"{cell.executed} failed: {o.error}" for cell, o in zip(cells, outcomes, strict=True) if not o.finished]
    if failed:
        raise KitError("; ".join(failed))


class Worker:
    """This process's side of a worker: what it is doing, and the end of it."""

    def __init__(self, place: int, of: int):
        self.threads, self.devices = share(place, of)
        self.mark = processes.new_mark()
        self.process = self.pipe = self.task = self.cell = self.deadline = self.time_limit = None

    def give(self, task: int, cell: Cell, time_limit: float | None) -> None:
        """Have it run a cell; its process is started if there is none."""
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, theirs = context.Pipe()
            arguments = (theirs, os.getpid(), self.mark, self.threads, self.devices)
            self.process = context.Process(target=serve, args=arguments, daemon=True)
            self.process.start()
            theirs.close()
        self.task, self.cell, self.time_limit, self.deadline = task, cell, time_limit, None
        with contextlib.suppress(OSError):  # it died while it was idle, which is found out next
            self.pipe.send(cell)

    def sources(self) -> list:
        """What to wait for."""
        return [] if self.task is None else [self.pipe, self.process.sentinel]

    def look(self) -> tuple[int | None, Outcome | None]:
        """(task, how it ended), or (task, None) while it runs."""
        task, outcome = self.task, None
        if task is None:
            return None, None
        try:
            while outcome is None and self.pipe.poll():
                said = self.pipe.recv()
                if said == BEGUN:
                    self.deadline = None if self.time_limit is None else time.monotonic() + self.time_limit
                else:
                    outcome = said
        except (EOFError, OSError):
            self.process.join(5)
            outcome = self.lost(f"the process that ran it {processes.death(self.process.exitcode or 0)}")
        if outcome is None and self.deadline is not None and time.monotonic() > self.deadline:
            outcome = self.lost(f"the time limit of {self.time_limit:g} s is over")
        if outcome is not None:
            self.task = None
        return task, outcome

    def lost(self, why: str) -> Outcome:
        """End the process with all that belongs to it, and say what became of its cell."""
        cell = self.cell
        self.end()
        settle(cell)
        if cell.executed.is_file():
            make_page(cell)
        return Outcome(finished=False, error=why, again=True, attempts=1)

    def end(self) -> None:
        """Kill the worker and every process of its run."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            processes.end_all(self.mark)
            self.pipe.close()
            self.process.close()
            self.process = self.task = None


def serve(pipe: connection.Connection, parent: int, mark: str, threads: int, devices: str | None) -> None:
    """What a worker does: run each cell that comes, say how it ended, leave none of its processes behind."""
    os.setsid()  # what ends a group of processes at one stroke must not take those that tidy up
    inherited = os.environ.get(processes.MARK, "")
    processes.end_with(parent, before=lambda: processes.end_all(mark))
    processes.put_on(mark, inherited)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read by the kernel that papermill starts
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    while True:
        try:
            cell = pipe.recv()
        except EOFError:
            return
        pipe.send(BEGUN)
        try:
            outcome = run_cell(cell)
        finally:
            processes.end_all(mark)
        pipe.send(outcome)


def share(place: int, of: int) -> tuple[int, str | None]:
    """Threads and visible accelerators of worker `place` of `of`; None leaves the accelerators as they are."""
    import torch

    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(given) if given.isdigit() else max(1, (os.cpu_count() or 1) // of)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",") if visible else [str(i) for i in range(torch.cuda.device_count())]
    if of == 1 or not devices:
        return threads, None
    return threads, ",".join(devices[place::of] or [devices[place % len(devices)]])
