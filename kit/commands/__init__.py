"""The commands of `python -m kit`, a file for each group of them.

Each file has `add(commands)`, which declares its commands; what they call is imported when they run, so that `--help`
and mistakes in the arguments take no time.
"""

import argparse
from collections.abc import Callable


def command(commands, name: str, run: Callable[[argparse.Namespace], int | None], help: str) -> argparse.ArgumentParser:
    """Declare a command; `run` gets its options and returns the exit code (None is 0)."""
    added = commands.add_parser(name, help=help, description=help)
    added.set_defaults(run=run)
    return added
