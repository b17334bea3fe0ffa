"""The command that times a part of the kit."""

import argparse

from kit.commands import command


def add(commands) -> None:
    """Declare bench."""
    bench = command(commands, "bench", _bench, "time a part of the kit against a plain form of it, or all GPU benches")
    bench.add_argument("name", help="what to time: data, trikd, mgd, evaluate, deploy or gpu")
    bench.add_argument("options", nargs=argparse.REMAINDER, help="of this bench; see `bench NAME --help`")


def _bench(options: argparse.Namespace) -> int | None:
    from kit.bench.build import BENCHES
    from kit.errors import unknown

    if options.name not in BENCHES:
        raise unknown("bench", options.name, BENCHES)
    return BENCHES[options.name](options.options)
