"""A local page to try a student on: Voila serves a notebook of one cell, which shows `kit.widgets.trial`."""

import importlib.util
import json
import os
import socket
import tempfile
from pathlib import Path

import nbformat
from jupyter_core.paths import jupyter_path
from traitlets.config import Config

from kit.errors import KitError
from kit.evaluate.student import load
from kit.models.model_folder import located
from kit.system.paths import python_path

ADDRESS = "127.0.0.1"
"""The page can be reached from this machine only."""

LARGEST_MESSAGE = 32_000_000
"""Largest message in bytes that a browser may send; the panel's own limit is lower."""

TEMPLATE = "kit"
"""Name of the page's template among Voila's."""

CELL = """\
import kit
from kit.widgets.trial import TrialPanel

student = kit.load({folder!r})
TrialPanel(lambda image: student.probabilities(image).numpy(), student.classes, student.palette, repr(student)).box
"""


def serve(run_or_dir: str | Path, port: int = 8866, browser: bool = True) -> None:
    """Show the page at http://127.0.0.1:PORT until the process is stopped.

    Raises: KitError if Voila is not installed, there is no such student, or the port cannot be used.
    """
    if importlib.util.find_spec("voila") is None:
        raise KitError("serve needs voila; install the extra: pip install -e '.[serve]'")
    folder = located(run_or_dir).resolve()
    load(folder)  # reports what is wrong with it here, not on the page
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except (OSError, OverflowError) as error:  # the latter beyond 65535
            reason = getattr(error, "strerror", None) or error
            raise KitError(f"port {port} is not available ({reason}); name another one with --port") from error
    with tempfile.TemporaryDirectory(prefix="kit-") as scratch:
        notebook = Path(scratch) / "try.ipynb"
        cells = [nbformat.v4.new_code_cell(CELL.format(folder=str(folder)))]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), notebook)
        os.environ["PYTHONPATH"] = python_path()
        from voila.app import Voila

        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, (scratch, os.environ.get("JUPYTER_PATH"))))
        _offline_template(Path(scratch) / "voila/templates" / TEMPLATE)
        settings = Config({"Voila": {"tornado_settings": {"websocket_max_message_size": LARGEST_MESSAGE}}})
        Voila.launch_instance(_arguments(notebook, port, browser), config=settings)


def _offline_template(target: Path) -> None:
    """Write Voila's own template to `target`, without the style sheets that a browser would fetch from the network.

    Raises: KitError if this Voila has no such template.
    """
    for folder in map(Path, jupyter_path("voila", "templates")):
        if (folder / "lab/index.html.j2").is_file():
            page = (folder / "lab/index.html.j2").read_text()
            target.mkdir(parents=True)
            (target / "index.html.j2").write_text("".join(x for x in page.splitlines(True) if "https://" not in x))
            (target / "conf.json").write_text(json.dumps({"base_template": "lab"}))
            return
    raise KitError("this voila has no template 'lab'; install the extra again: pip install -e '.[serve]'")


def _arguments(notebook: Path, port: int, browser: bool) -> list[str]:
    return [
        str(notebook),
        f"--template={TEMPLATE}",
        f"--Voila.ip={ADDRESS}",
        f"--Voila.port={port}",
        "--Voila.port_retries=0",
        "--VoilaConfiguration.strip_sources=True",
        "--VoilaConfiguration.show_tracebacks=False",
        *([] if browser else ["--no-browser"]),
    ]
