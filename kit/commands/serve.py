"""The command that lets a student be tried in a browser."""

import argparse
from pathlib import Path

from kit.commands import command


def add(commands) -> None:
    """Declare serve."""
    served = command(commands, "serve", _serve, "a local page that shows what a student sees in a photograph or video")
    served.add_argument("folder", metavar="run_or_dir", type=Path, help="a finished run, or a model folder")
    served.add_argument("--port", type=int, default=8866, help="(default: 8866)")
    served.add_argument("--no-browser", action="store_true", help="do not open one")


def _serve(options: argparse.Namespace) -> None:
    from kit.deploy.page import serve

    serve(options.folder, options.port, not options.no_browser)
