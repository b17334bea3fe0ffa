"""JupyterLab on a free port of this machine alone, with settings of its own, seen through Debian's Chromium."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import papermill
from playwright.sync_api import Browser, Page, sync_playwright

from kit.system.paths import PROJECT

NAMES = ("chromium", "chromium-browser", "google-chrome")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-proxy-server"]

QUIET = {"fetchNews": "false", "checkForUpdates": False}
"""No question about news on the first page, and none asked of the network."""


def chromium() -> str | None:
    """The browser's path, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def lab(root: Path, private: Path) -> Iterator[str]:
    """A server for the notebooks in `root`, whose settings and traces stay in `private`; yields a template of addresses
    with a place for a notebook's path. It has ended, and its kernels with it, when the block is left."""
    token, port = secrets.token_hex(16), free_port()
    settings = private / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(QUIET))
    places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
              "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
              "IPYTHONDIR": "ipython"}  # fmt: skip
    environment = {**os.environ, **{name: str(private / place) for name, place in places.items()},
                   "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}  # fmt: skip
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
               f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}", "--ServerApp.port_retries=0",
               "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    with open(private / "server.log", "wb") as log:
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(server, f"http://127.0.0.1:{port}/api?token={token}", private / "server.log")
            yield f"http://127.0.0.1:{port}/doc/tree/{{}}?token={token}"
        finally:
            server.send_signal(signal.SIGTERM)  # it shuts its kernels down first
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def prepared(notebook: Path, target: Path, parameters: dict) -> None:
    """A copy of a notebook with parameters put in, not run."""
    papermill.execute_notebook(notebook, target, parameters, prepare_only=True, progress_bar=False)


def run_all(page: Page) -> None:
    """Run every cell of the notebook that a page shows, as its menu does; returns while they run."""
    page.wait_for_function(
        """() => { const shown = window.jupyterapp?.shell?.currentWidget;
                   return shown?.sessionContext?.session?.kernel?.status === 'idle'; }""", timeout=90_000
    )  # fmt: skip
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")


def watched(page: Page) -> list[str]:
    """Errors that a page writes to its console, or does not catch, from now on."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(server: subprocess.Popen, address: str, log: Path) -> None:
    """Return when a server answers; RuntimeError with the end of its log if it ends or stays silent."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            with opener.open(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-3000:]}")
