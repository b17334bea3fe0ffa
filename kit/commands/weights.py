"""Commands that import weights of other code and export students."""

import argparse
import sys
from pathlib import Path

from kit.commands import command


def add(commands) -> None:
    """Declare import-weights and export."""
    weights = command(commands, "import-weights", _import_weights, "convert a checkpoint of a method's authors")
    weights.add_argument("family", help="code that wrote it: trikd or mgd")
    weights.add_argument("file", type=Path, help="such as tiny_best.pth")
    weights.add_argument("--out", type=Path, required=True, help="folder to write, for kit.load")
    weights.add_argument("--dataset", default="cityscapes", help="data set of its classes (default: cityscapes)")

    handed = command(commands, "export", _export, "a student as ONNX and exported program, checked against PyTorch")
    handed.add_argument("folder", metavar="run", type=Path, help="folder of a finished run or of imported weights")
    handed.add_argument("--out", type=Path, required=True, help="folder to write")
    handed.add_argument("--weights", default="last", help="last, average or best (default: last)")
    handed.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="(default: that of the student)")
    handed.add_argument("--data-root", help="data set with val images for the check (default: that of the run)")
    handed.add_argument("--images", type=int, default=8, help="val images of the check (default: 8; 0 takes noise)")


def _import_weights(options: argparse.Namespace) -> None:
    from kit.deploy.imported_weights import import_weights

    imported = import_weights(options.family, options.file, options.out, options.dataset)
    for key in imported.keys:
        place = f"{key['network']}: {key['target']}" if key["target"] else "left out"
        shape = " x ".join(map(str, key["shape"]))
        sys.stdout.write(f"{key['source']} -> {place} [{shape}]{' ' + key['note'] if key['note'] else ''}\n")
    left_out = sum(key["target"] is None for key in imported.keys)
    sys.stdout.write(
        f"{len(imported.keys)} keys, {left_out} left out; {', '.join(imported.nets)} written to {options.out}\n"
    )


def _export(options: argparse.Namespace) -> None:
    from kit.deploy.export import export, pictures_for, require_packages
    from kit.errors import KitError

    require_packages()
    size = tuple(options.size) if options.size else None
    pictures = []
    if options.images:
        try:
            pictures = pictures_for(options.folder, options.data_root, options.images)
        except KitError as error:
            if options.data_root:
                raise
            sys.stdout.write(f"checked on noise, as there are no val images: {error}\n")
    record = export(options.folder, options.out, options.weights, size, pictures)
    found = record["check"]
    sys.stdout.write(
        f"{options.out}/student.onnx, student.pt2 and example.py: {record['size'][0]} x {record['size'][1]}, "
        f"free: {', '.join(record['free'])}\n"
        f"against PyTorch on {found['images']} {'val images' if pictures else 'noise'}: {found['agreement']:.3%} of "
        f"pixels agree, largest difference of logits {found['difference']:.1e} (exported program: "
        f"{found['exported_program_difference']:.1e})\n"
    )
    if masks := found["example"]:
        sys.stdout.write(
            f"example.py against predict on {masks['pictures']} whole pictures: {masks['agreement']:.3%} of pixels "
            f"agree, {masks['worst']:.3%} on the worst\n{masks['remark'] and masks['remark'] + chr(10)}"
        )
