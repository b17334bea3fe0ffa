"""Signals: after SIGINT, SIGTERM or SIGUSR1 the loop finishes its step, saves and exits."""

import signal
import threading
import time
from types import FrameType

from kit.system.console import to_terminal

SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")
"""Ctrl-C, the end of a job, and the warning that a queue can send before it."""

REPEAT = 2.0
"""Seconds after which a second SIGINT stops at once. Launchers of several processes deliver each SIGINT twice."""

STOPPED = "stopped by SIGINT; the same command, or the notebook with the same parameters, resumes from the checkpoint"


class Interrupted(Exception):
    """A signal arrived during an evaluation."""


class Stopped(KeyboardInterrupt):
    """SIGINT arrived, and a checkpoint is written. Notebooks show this as one line, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return [str(self)]


class Stop:
    """A context that records signals. Outside the main thread, where no handler can be set, it records none."""

    def __init__(self):
        self.signal = 0
        self._when = 0.0
        self._before = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.signal == number and time.monotonic() - self._when > REPEAT:
            raise KeyboardInterrupt
        if not self.signal:
            self.signal, self._when = number, time.monotonic()


def leave(number: int) -> BaseException:
    """The exception to raise once everything is saved: `Stopped` for SIGINT, else an exit with 128 + the signal.

    In a headless notebook SIGINT is also reported on the terminal: papermill does not show what the notebook prints.
    """
    if number != signal.SIGINT:
        return SystemExit(128 + number)
    to_terminal(STOPPED)
    return Stopped(STOPPED)
