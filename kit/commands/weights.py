"""Commands about weights of networks."""

import argparse
import sys
from pathlib import Path

from kit.commands import command


def add(commands) -> None:
    """Declare import-weights."""
    weights = command(commands, "import-weights", _import_weights, "convert a checkpoint of a method's authors")
    weights.add_argument("family", help="whose code wrote it: trikd or mgd")
    weights.add_argument("file", type=Path, help="such as tiny_best.pth")
    weights.add_argument("--out", type=Path, required=True, help="folder to write, for kit.load")
    weights.add_argument("--dataset", default="cityscapes", help="whose classes it knows (default: cityscapes)")


def _import_weights(options: argparse.Namespace) -> None:
    from kit.evaluate.imported import import_weights

    imported = import_weights(options.family, options.file, options.out, options.dataset)
    for key in imported.keys:
        place = f"{key['network']}: {key['target']}" if key["target"] else "left out"
        shape = " x ".join(map(str, key["shape"]))
        sys.stdout.write(f"{key['source']} -> {place} [{shape}]{' ' + key['note'] if key['note'] else ''}\n")
    left_out = sum(key["target"] is None for key in imported.keys)
    sys.stdout.write(
        f"{len(imported.keys)} keys, {left_out} left out; {', '.join(imported.nets)} written to {options.out}\n"
    )
