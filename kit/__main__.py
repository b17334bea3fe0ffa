"""The command line: `python -m kit COMMAND`. Each command calls one function of the kit."""

import argparse
import sys

from kit.commands import batch, bench, data, evaluate, runs, splits, weights
from kit.errors import KitError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code. Mistakes that can be mended are one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m kit", description="Semi-supervised semantic segmentation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (runs, evaluate, batch, data, splits, weights, bench):
        group.add(commands)
    options = parser.parse_args(arguments)
    try:
        code = options.run(options)
    except KitError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from the last checkpoint\n")
        return 130
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
