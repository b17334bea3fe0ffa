"""Leaving when asked: SIGINT, SIGTERM and SIGUSR1 are noted, and the loop saves and leaves after the step it is in."""

import signal
import threading
import time
from types import FrameType

from kit.system.console import to_terminal

ASKED = ("SIGINT", "SIGTERM", "SIGUSR1")
"""Ctrl-C, the end of a job, and what a queue sends ahead of it if it is told to."""

IMPATIENT = 2.0
"""Seconds after which a second SIGINT is taken at its word. Starters of several processes deliver each one twice."""


STOPPED = "stopped by SIGINT; the same command, or the notebook with the same parameters, goes on from the checkpoint"


class Interrupted(Exception):
    """A signal came where the loop can break off."""


class Stopped(KeyboardInterrupt):
    """SIGINT came, and a checkpoint is written. Notebooks show it as one line, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return [str(self)]


class Stop:
    """A context in which signals are noted. Outside the main thread, where no handler can be set, it notes none."""

    def __init__(self):
        self.signal = 0
        self._when = 0.0
        self._before = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for name in ASKED:
                number = getattr(signal, name, None)
                if number is not None:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.signal == number and time.monotonic() - self._when > IMPATIENT:
            raise KeyboardInterrupt
        if not self.signal:
            self.signal, self._when = number, time.monotonic()


def leave(number: int) -> BaseException:
    """What to raise once everything is saved: `Stopped` for SIGINT, else an exit with 128 + the signal.

    In a headless notebook SIGINT is also reported on the terminal: papermill does not show what the notebook prints.
    """
    if number != signal.SIGINT:
        return SystemExit(128 + number)
    to_terminal(STOPPED)
    return Stopped(STOPPED)
