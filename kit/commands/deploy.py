"""Commands that export a student as graphs or as a model folder, show it on a page, and import weights of others."""

import argparse
import shlex
from pathlib import Path

from kit.commands import WEIGHTS, command
from kit.errors import KitError
from kit.system.console import show_line


def add(commands) -> None:
    """Declare import-weights, export, pack and serve."""
    option = command(commands, "import-weights", _import_weights, "convert a checkpoint of a method's authors")
    option("family", "code that wrote the checkpoint: trikd or mgd")
    option("file", "the checkpoint, such as tiny_best.pth", type=Path)
    option("--out", "folder to write, for kit.load", type=Path, required=True)
    option("--dataset", "data set whose classes it predicts", "cityscapes")

    option = command(
        commands, "export", _export, "write a student as a checked graph from pixels to classes; also in 8 bits"
    )
    option("folder", "a finished run, imported weights or a model folder", metavar="run", type=Path)
    option("--out", "folder to write", type=Path, required=True)
    option(*WEIGHTS)
    option("--size", "size of the pictures (default: any, if the student resizes them to one size)", type=int, nargs=2,
           metavar=("H", "W"))  # fmt: skip
    option("--data-root", "data set to check the graph on (default: that of the run)")
    option("--images", "val images to check the graph on (default: 8; 0: noise)", 8)
    option("--probabilities", "also output the class probabilities", action="store_true")
    option("--int8", "also write a graph in 8 bits, if it is faster and as good", action="store_true")
    option("--max-drop", "points of mIoU on val that 8 bits may cost", 0.5, metavar="POINTS")
    option("--logits", "write a graph from normalised images to float logits instead, with an example.py that "
           "predicts pictures by the run's protocol", action="store_true")  # fmt: skip

    option = command(commands, "pack", _pack, "write a student as a model folder: weights, configuration, model card")
    option("folder", "a finished run, or imported weights", metavar="run", type=Path)
    option("--out", "folder to write; files that export wrote there are kept", type=Path, required=True)
    option(*WEIGHTS)
    option("--export", "folder of an export whose graphs are packed too", type=Path, metavar="DIR")
    option("--name", "name of the model (default: the folder's)", "")
    option("--licence", "licence of the weights, such as mit or cc-by-4.0 (default: none is stated)", "")
    option("--data-root", "data set of the card's picture (default: that of the run)")
    option("--images", "images in the card's picture (default: 3; 0: no picture)", 3)

    option = command(commands, "serve", _serve, "a local page that shows what a student sees in a photograph or video")
    option("folder", "a finished run, or a model folder", metavar="run_or_dir", type=Path)
    option("--port", "port of the page (default: 8866)", 8866)
    option("--no-browser", "do not open a browser", action="store_true")


def _import_weights(options: argparse.Namespace) -> None:
    from kit.deploy.imported_weights import import_weights

    imported = import_weights(options.family, options.file, options.out, options.dataset)
    for key in imported.keys:
        place = f"{key['network']}: {key['target']}" if key["target"] else "left out"
        shape = " x ".join(map(str, key["shape"]))
        show_line(f"{key['source']} -> {place} [{shape}]{' ' + key['note'] if key['note'] else ''}")
    left_out = sum(key["target"] is None for key in imported.keys)
    show_line(f"{len(imported.keys)} keys, {left_out} left out; {', '.join(imported.nets)} written to {options.out}")


def _export(options: argparse.Namespace) -> None:
    from kit.deploy.graphs.onnx_graph import require_packages

    require_packages()
    if options.logits and (options.int8 or options.probabilities):
        raise KitError("--logits writes a different graph; leave out --int8 and --probabilities")
    pictures = _pictures(options) if options.images else []
    size = tuple(options.size) if options.size else None
    (_export_logits if options.logits else _export_graph)(options, size, pictures)


def _pictures(options: argparse.Namespace) -> list[Path]:
    """Val images for the check; none, with a printed line, if the run's data set is missing."""
    from kit.deploy.graphs.logits_graph import pictures_for
    from kit.settings.checks import require_positive

    require_positive(images=options.images)
    try:
        return pictures_for(options.folder, options.data_root, options.images)
    except KitError as error:
        if options.data_root:
            raise
        show_line(f"checked on noise, as there are no val images: {error}")
        return []


def _export_graph(options: argparse.Namespace, size: tuple[int, int] | None, pictures: list[Path]) -> None:
    from kit.deploy.graphs.bundle import bundle

    wanted = {"max_drop": options.max_drop, "data_root": options.data_root} if options.int8 else None
    record = bundle(options.folder, options.out, options.weights, size, pictures, options.probabilities, wanted,
                    show_line)  # fmt: skip
    taken = "{} x {}".format(*record["size"]) if record["size"] else "any size"
    found = record["check"]
    show_line(f"{options.out}/student.onnx and student.pt2: uint8 RGB pictures of {taken} to "
              f"{', '.join(record['outputs'])}; labels.json and example.py beside them")  # fmt: skip
    show_line(f"against predict on {found['images']} {'images of noise' if found['noise'] else 'pictures'}: "
              f"{found['agreement']:.3%} of pixels agree, {found['worst']:.3%} on the worst; exported program "
              f"{found['program_agreement']:.3%}")  # fmt: skip
    if int8 := record.get("int8"):
        floats = int8.get("float_layers", [])
        left = f"; left in float: {', '.join(floats)}" if floats else ""
        kept = "student_int8.onnx: " if int8["kept"] else "no graph in 8 bits, float is kept: "
        show_line(f"{kept}{int8['reason']} ({int8['layers'] - len(floats)} of {int8['layers']} layers in 8 bits{left})")


def _export_logits(options: argparse.Namespace, size: tuple[int, int] | None, pictures: list[Path]) -> None:
    from kit.deploy.graphs.logits_graph import export

    record = export(options.folder, options.out, options.weights, size, pictures)
    found = record["check"]
    show_line(
        f"{options.out}/student.onnx, student.pt2 and example.py: {record['size'][0]} x {record['size'][1]}, "
        f"free: {', '.join(record['free'])}\n"
        f"against PyTorch on {found['images']} {'val images' if pictures else 'noise'}: {found['agreement']:.3%} of "
        f"pixels agree, largest difference of logits {found['difference']:.1e} (exported program: "
        f"{found['exported_program_difference']:.1e})"
    )
    if masks := found["example"]:
        show_line(
            f"example.py against predict on {masks['pictures']} whole pictures: {masks['agreement']:.3%} of pixels "
            f"agree, {masks['worst']:.3%} on the worst{masks['remark'] and chr(10) + masks['remark']}"
        )


def _pack(options: argparse.Namespace) -> None:
    from kit.deploy.pack import PICTURE, pack
    from kit.settings.checks import require_non_negative

    require_non_negative(images=options.images)
    pictures = {PICTURE: content} if options.images and (content := _card_picture(options)) else {}
    record = pack(options.folder, options.out, options.weights, options.licence, options.name, options.export, pictures)
    score = record["scores"]
    scored = f", mIoU {score['miou']:.2%} on val" if score else ""
    show_line(f"{options.out}: model.safetensors, config.json and README.md of {record['name']}{scored}")
    quoted = shlex.quote(str(options.out))
    show_line(f'kit.load("{options.out}") loads it; to put it on the hub: hf upload OWNER/NAME {quoted}')


def _card_picture(options: argparse.Namespace) -> bytes | None:
    """Val images drawn by seed with truth and prediction, as PNG; None, with a printed line, if there are none."""
    from kit.evaluate.student import load
    from kit.evaluate.val_images import choose, predictions, val_files
    from kit.figures.pictures.masks import mask_grid
    from kit.system.storage import content_of

    student = load(options.folder, options.weights)
    try:
        examples = choose(val_files(student, options.data_root), count=options.images)
    except KitError as error:
        if options.data_root:
            raise
        show_line(f"the card has no picture, as there are no val images: {error}")
        return None
    images, truths = [e.image for e in examples], [e.truth for e in examples]
    masks = {"Prediction": predictions([student], examples)[0]}
    figure = mask_grid(images, truths, masks, student.classes, student.palette)
    return content_of(lambda file: figure.savefig(file, format="png", dpi=200))


def _serve(options: argparse.Namespace) -> None:
    from kit.deploy.page import serve

    serve(options.folder, options.port, not options.no_browser)
