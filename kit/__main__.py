"""The command line: `python -m kit COMMAND`. Each command calls one function of the kit."""

import argparse
import os
import sys

from kit.commands import batch, bench, data, deploy, evaluate, label, overview, splits, train
from kit.errors import KitError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code. A `KitError`, or a file that cannot be read or written, is printed as one
    line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m kit",
        usage="python -m kit COMMAND ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="`python -m kit COMMAND --help` has the options of a command.",
    )
    commands = parser.add_subparsers(prog=parser.prog, required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for part in (train, evaluate, batch, data, splits, label, deploy, bench):
        part.add(commands)
    parser.description = overview({name: added.description or "" for name, added in commands.choices.items()})
    options = parser.parse_args(arguments)
    try:
        code = options.run(options)
        sys.stdout.flush()  # a reader that is gone is noticed here, not at exit
    except KitError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except BrokenPipeError:  # the output goes to a program such as `head` that has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is written at exit
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(f"error: {error.filename} cannot be read or written: {error.strerror}\n")
        return 2
    except KeyboardInterrupt as stop:
        sys.stderr.write(f"{str(stop) or 'interrupted; the same command continues runs that it had begun'}\n")
        return 130
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
