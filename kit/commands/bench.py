"""The command that times a part of the kit."""

import argparse

from kit.commands import command
from kit.errors import unknown


def add(commands) -> None:
    """Declare bench."""
    option = command(commands, "bench", _bench, "time a part of the kit against a plain form of it, or all GPU benches")
    option("name", "what to time: data, trikd, mgd, evaluate, deploy or gpu")
    option("options", "options of this bench; see `bench NAME --help`", nargs=argparse.REMAINDER)


def _bench(options: argparse.Namespace) -> int | None:
    from kit.bench.build import BENCHES

    if options.name not in BENCHES:
        raise unknown("bench", options.name, BENCHES)
    return BENCHES[options.name](options.options)
