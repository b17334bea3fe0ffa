"""Curves and predictions of a few val images while a run trains."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from IPython.display import display
from ipywidgets import Image, Layout, VBox

from kit.errors import KitError
from kit.explore.history import History
from kit.figures.charts.curves import training_curves
from kit.figures.pictures.training_strip import strip_figure
from kit.figures.style import show
from kit.runs.folder import RunFolder
from kit.system.console import attended

PAUSE = 2.0
"""Smallest number of seconds between two reads of the folder."""

SHARE = 0.2
"""Largest share of the time that is spent on drawing instead of training."""


@contextlib.contextmanager
def watching(run_dir: str | Path, interactive: bool = True) -> Iterator["RunPanel | None"]:
    """While the `with` block runs, show the progress of the run in a folder, if a person views the notebook.

    Only the folder is read: the run may be in this process or in others.

    Args:
        interactive: False shows nothing.
    """
    if not (interactive and attended()):
        yield None
        return
    panel = RunPanel(run_dir)
    display(panel.box)
    stop = threading.Event()
    thread = threading.Thread(target=panel.follow, args=(stop,), daemon=True)
    thread.start()
    try:
        yield panel
    finally:
        stop.set()
        thread.join()
        panel.box.layout.display = "none"  # the notebook shows the figures of the finished run below


class RunPanel:
    """Training curves and predictions of a run, drawn from its folder."""

    def __init__(self, run_dir: str | Path):
        self.folder, self.history = RunFolder(run_dir), History(run_dir)
        self.curves, self.strip = (Image(format="png", layout=Layout(max_width="100%")) for _ in range(2))
        self.box = VBox([self.curves, self.strip])
        self._seen, self._pictures = 0, 0

    def update(self) -> bool:
        """Redraw what has changed; return True if anything has."""
        log = self.folder.log()
        evaluated = sum("miou" in record for record in log)
        changed = len(log) != self._seen and any("parts" in record for record in log)
        if changed:
            config = self.folder.config()
            run = {"method": config.method.name, "seed": config.seed, "path": str(self.folder.path), "config": {},
                   "steps": config.train.steps, "log": log}  # fmt: skip
            self._put(self.curves, training_curves([run]))
            self._seen = len(log)
        if evaluated != self._pictures:  # pictures are written after the line of the log
            pictures = self.history.pictures()
            if len(pictures) > self._pictures:
                self._put(self.strip, strip_figure(pictures))
                self._pictures, changed = len(pictures), True
        return changed

    def follow(self, stop: threading.Event) -> None:
        """Update until `stop` is set."""
        pause = 0.0
        while not stop.wait(pause):
            started = time.monotonic()
            # An incomplete line, or a folder that is not there yet: the next update will read it.
            with contextlib.suppress(KitError, OSError):
                self.update()
            pause = max(PAUSE, (time.monotonic() - started) / SHARE)

    def _put(self, widget: Image, figure) -> None:
        picture = show(figure)
        widget.width, widget.value = picture.width, picture.data
