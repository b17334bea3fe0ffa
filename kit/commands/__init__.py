"""The commands of `python -m kit`, a file for each part of the kit.

Each file has `add(commands)`, which declares its commands. A command imports the functions it calls only when it runs,
so that `--help` and wrong arguments take no time. `overview` is the list of all commands for `--help`.
"""

import argparse
import textwrap
from collections.abc import Callable

from kit.errors import KitError

GROUPS = {
    "most used": ("train", "evaluate", "predict", "export"),
    "your data": ("doctor", "splits", "suggest", "labels", "synthetic"),
    "many runs": ("batch", "collect", "compare", "card"),
    "a tour of the kit": ("demo", "study"),
    "hand a student on": ("pack", "serve"),
    "networks and machines": ("lr", "presets", "bench", "import-weights"),
}
"""Heading -> commands, in the order of `--help`."""

DEVICE = ("--device", "device, such as cuda or cpu (default: a GPU if there is one)")
WEIGHTS = ("--weights", "weights of the run: last, average or best", "last")
"""Options of several commands."""


def overview(purposes: dict[str, str]) -> str:
    """All commands in their groups, a line each with its purpose; commands without a group come last.

    Args:
        purposes: command -> its purpose.
    """
    grouped = {name for names in GROUPS.values() for name in names}
    groups = {**GROUPS, "more": tuple(name for name in purposes if name not in grouped)}
    lines = []
    for heading, names in groups.items():
        rows = [(name, purposes[name]) for name in names if name in purposes]
        lines += ["", f"{heading}:", *(_row(*row) for row in rows)] if rows else []
    return "\n".join(lines).strip()


def _row(name: str, purpose: str) -> str:
    return textwrap.fill(purpose, 100, initial_indent=f"  {name:<16}", subsequent_indent=" " * 18)


def command(commands, name: str, run: Callable[[argparse.Namespace], int | None], help: str) -> Callable[..., None]:
    """Declare a command; `run` gets its options and returns the exit code (None is 0).

    Returns: function (name, help, usual, ...) that declares an option or argument. `usual` is its default and sets its
        type; the help states it, unless it is 0 or "" or the help names a default. Other arguments go to argparse.
    """
    added = commands.add_parser(name, help=help, description=help)
    added.set_defaults(run=run)

    def option(name: str, help: str, usual: object = None, **more: object) -> None:
        if usual is not None:
            more = {"type": type(usual), "default": usual, **more}
            help += f" (default: {usual})" if usual and "default" not in help else ""
        added.add_argument(name, help=help, **more)

    return option


def command_group(commands, name: str, help: str):
    """Declare a command with subcommands; return the object to which they are added."""
    return commands.add_parser(name, help=help, description=help).add_subparsers(required=True, metavar="WHAT")


def chosen_device(options: argparse.Namespace) -> str:
    """The device of `--device`, else a GPU if there is one. Raises KitError if torch cannot use it."""
    import torch

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise KitError(f"--device {device} cannot be used: {str(error).splitlines()[0]}") from error
    return device
