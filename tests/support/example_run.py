"""example.py of an export as a user runs it: on a photograph that its camera turned, without the kit."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

from kit.data.reading.decode import ORIENTATION

WATCH = (
    "import sys, runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__'); "
    "assert 'kit' not in sys.modules and 'torch' not in sys.modules"
)
"""Runs a program and checks what it imported."""


def on_turned_photo(folder: Path, scenes: Path, here: Path, out: str) -> str:
    """Run FOLDER/example.py in `here` on turned.jpg, a val scene of 150 x 70 pixels on its side; return what
    it prints. Its picture is `out`."""
    turned = Image.open(next((scenes / "leftImg8bit/val").rglob("*.png"))).resize((150, 70))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned.save(here / "turned.jpg", exif=exif)
    command = [sys.executable, "-c", WATCH, str(folder / "example.py"), "turned.jpg", out]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
