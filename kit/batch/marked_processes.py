"""All processes of a run, found by a mark instead of by their parents.

A kernel starts loaders and launchers, some in their own sessions, which survive when it is killed. So every process of
a run has a mark in its environment, which children inherit, and is found by that mark to be ended.
"""

import os
import signal
import time
import uuid

import psutil

MARK = "KIT_RUN"
"""Environment variable: marks joined by "/", as a run may start other runs."""

PATIENCE = 5.0
"""Seconds to wait for processes that do not die (stuck in the operating system)."""


def new_mark() -> str:
    """A mark that no other process has."""
    return uuid.uuid4().hex


def put_on(mark: str) -> None:
    """Mark every process started from now on with `mark`, beside the marks that this process has inherited."""
    os.environ[MARK] = f"{os.environ.get(MARK, '')}/{mark}".strip("/")


def marked(mark: str) -> list[psutil.Process]:
    """Living processes with `mark`, except this one."""
    found = []
    for process in psutil.process_iter():
        try:
            carried = process.environ().get(MARK, "").split("/")
            if mark in carried and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):  # ended, or of another user
            continue
    return found


def end_all(mark: str) -> None:
    """Kill all processes with `mark` and wait until there is none, or for PATIENCE.

    They cannot clean up, but every file of a run is written whole or not at all.
    """
    end = time.monotonic() + PATIENCE
    while (found := marked(mark)) and time.monotonic() < end:  # repeated: a process may start another meanwhile
        for process in found:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(found, timeout=0.2)


def death(exitcode: int) -> str:
    """How a process ended, in words: -9 is "was killed by SIGKILL"."""
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    name = signal.Signals(-exitcode).name if -exitcode in set(signal.Signals) else f"signal {-exitcode}"
    return f"was killed by {name}" + ("; most likely for lack of memory" if exitcode == -signal.SIGKILL else "")
