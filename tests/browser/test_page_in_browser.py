"""The page of `python -m kit serve` in a real browser, as a person would use it."""

import base64
import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest
from PIL import Image

pytest.importorskip("playwright", reason="the extra 'browser' is not installed: pip install -e .[browser]")
pytest.importorskip("voila", reason="the extra 'serve' is not installed: pip install -e .[serve]")

from lab import browser, chromium, free_port, wait_for, watched

from kit.system.paths import PROJECT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]

DROP = """(zone, [name, data]) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const held = new DataTransfer();
    held.items.add(new File([bytes], name, { type: "image/png" }));
    zone.dispatchEvent(new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def address(finished, tmp_path_factory):
    """Of the page of a finished run's student."""
    port, log = free_port(), tmp_path_factory.mktemp("page") / "server.log"
    command = [sys.executable, "-m", "kit", "serve", str(finished[0]), "--port", str(port), "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    with open(log, "wb") as out:
        server = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=out, stderr=out, start_new_session=True)
        try:
            wait_for(server, f"http://127.0.0.1:{port}/voila/static/voila.js", log)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def test_a_photograph_is_dropped(address, tmp_path, screens):
    photo, text = tmp_path / "street.png", tmp_path / "text.png"
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 50).convert("RGB").save(photo)
    text.write_text("no picture")
    with browser() as started:
        page = started.new_page(viewport={"width": 1280, "height": 900})
        errors = watched(page)
        page.goto(address, timeout=60_000, wait_until="commit")
        zone = page.locator(".kit-drop")
        zone.wait_for(timeout=120_000)
        zone.evaluate(DROP, [photo.name, base64.b64encode(photo.read_bytes()).decode()])
        page.get_by_text("street.png: 300 x 200 pixels").wait_for(timeout=60_000)
        page.wait_for_function(
            """() => ["mask", "overlay", "confidence"].every(
                   (name) => document.querySelector(`img.kit-${name}`)?.naturalWidth === 300)"""
        )
        page.screenshot(path=screens / "page.png", full_page=True)
        page.locator(".kit-drop input").set_input_files(text)
        page.get_by_text("error: text.png cannot be read").wait_for(timeout=60_000)
        assert not page.locator("img.kit-mask").is_visible()
        page.screenshot(path=screens / "page_error.png")
        assert errors == []


def test_the_page_is_for_this_machine_alone(address):
    port = int(address.rstrip("/").rsplit(":", 1)[1])
    heard = {c.laddr.ip for c in psutil.net_connections("tcp") if c.laddr.port == port and c.status == "LISTEN"}
    assert heard == {"127.0.0.1"}
