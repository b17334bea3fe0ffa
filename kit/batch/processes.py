"""Processes of one run found again, however deep below it they were started and whoever their parent is by now.

A kernel starts loaders and launchers, some of them in sessions of their own; when it is killed they go on. So every
process of a run carries a mark in its environment, which children inherit, and is ended by that mark.
"""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable

import psutil

MARK = "KIT_RUN"
"""Environment variable: marks joined by "/", for a run may itself start runs."""


def new_mark() -> str:
    """A mark that no other process has."""
    return uuid.uuid4().hex


def put_on(mark: str, inherited: str = "") -> None:
    """Let every process that is started from here on carry `mark` beside those this process `inherited`."""
    os.environ[MARK] = f"{inherited}/{mark}".strip("/")


def marked(mark: str) -> list[psutil.Process]:
    """Living processes that carry `mark`, this one left out."""
    found = []
    for process in psutil.process_iter():
        try:
            carried = process.environ().get(MARK, "").split("/")
            if mark in carried and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):  # gone, or somebody else's
            continue
    return found


def end_all(mark: str, patience: float = 5.0) -> None:
    """Kill all processes that carry `mark` and wait until there is none.

    They get no chance to tidy up: whatever a run keeps, it writes whole or not at all.

    Args:
        patience: seconds until processes that do not die (stuck in the operating system) are left alone.
    """
    end = time.monotonic() + patience
    while (found := marked(mark)) and time.monotonic() < end:  # again: a process may start another while it is killed
        for process in found:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(found, timeout=0.2)


def end_with(parent: int, before: Callable[[], None]) -> None:
    """From now on, end this process within half a second after `parent` is gone; `before` is called first."""

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(0.25)
        before()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def death(exitcode: int) -> str:
    """How a process ended, in words: -9 is "killed by SIGKILL"."""
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    name = signal.Signals(-exitcode).name if -exitcode in set(signal.Signals) else f"signal {-exitcode}"
    return f"was killed by {name}" + ("; most often memory ran out" if exitcode == -signal.SIGKILL else "")
