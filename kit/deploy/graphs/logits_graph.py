"""A student as a file that runs without the kit: ONNX, and PyTorch's own exported programs.

Both take images (B, 3, H, W) in 0..1 under the name "images" and give logits (B, C, H, W) under "logits". The batch
size is free. The image size is free with a DeepLabv3+ decoder only: window attention and the matrices that filter maps
belong to one size, so a graph with a UPer decoder takes only the exported size. Filtering uses matrix products because
ONNX has no such Fourier transform.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kit.data.reading.sizes import rounded_up
from kit.deploy.graphs.example_check import SOURCE, check_example, graph_size, settings_of
from kit.deploy.graphs.onnx_graph import (
    RECORD,
    exportable,
    exported,
    open_graph,
    program_bytes,
    require_packages,
    to_onnx,
)
from kit.errors import KitError
from kit.evaluate.predict import pad_to_multiple
from kit.evaluate.student import Student, load
from kit.evaluate.val_images import choose, val_files
from kit.models.decoders.deeplab import DeepLabV3Plus
from kit.models.layers.upsampling import resize
from kit.models.segmenter import Segmenter
from kit.runs.folder import RunFolder, provenance
from kit.system.storage import write_bytes, write_json


class Logits(nn.Module):
    """A network that takes images and returns logits alone."""

    def __init__(self, net: Segmenter):
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, H, W)."""
        return self.net(images).logits


def export(run_dir: str | Path, out: str | Path, weights: str = "last", size: tuple[int, int] | None = None,
           pictures: Sequence[Path] = ()) -> dict:  # fmt: skip
    """Write student.onnx, student.pt2, example.py and export.json into `out`, checked against PyTorch and `predict`.

    The record is kept in the run's folder as well, for its card.

    Args:
        run_dir: of a finished run, or of imported weights.
        weights: "last", "average" or "best".
        size: (height, width) of the graph; None is `working_size` where its size is free, else
            `kit.deploy.graphs.example_check.graph_size`.
        pictures: files for the check, such as those of `pictures_for`; without any, the check uses four images of
            noise and does not compare example.py with `predict`.
    Returns: the record, with "check": {"images", "difference", "agreement", "exported_program_difference", "example"}:
        the graph's logits against PyTorch's, and the masks of example.py against those of `Student.predict`
        (`kit.deploy.graphs.example_check.check_example`, None without pictures).
    Raises: KitError if packages or the run are missing, or the network does not take this size; also if results differ
        by more than rounding explains, when all files except the record are written.
    """
    require_packages()
    student, out = load(run_dir, weights), Path(out)
    free = isinstance(student.net.decoder, DeepLabV3Plus)  # one exported network serves images of all sizes
    size = tuple(size or (working_size(student) if free else graph_size(student, pictures)))
    student.net.check_size(*size)
    images = shown(student, pictures, size) if pictures else noise(size)
    net = Logits(exportable(student.net)).eval()
    program = exported(net, torch.zeros(2, 3, *size), (0, 2, 3) if free else (0,))
    model = to_onnx(program, ["images"], ["logits"])
    for key, value in metadata(student, size, free).items():
        model.metadata_props.add(key=key, value=value)
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(out / "student.onnx", model.SerializeToString())
    write_bytes(out / "student.pt2", program_bytes(program))
    write_bytes(out / "example.py", SOURCE.read_bytes())
    record = {
        "run": str(run_dir),
        "weights": weights,
        "size": list(size),
        "free": ["batch", *(["height", "width"] if free else [])],
        "check": {
            **check(student.net, out, images, free),
            "example": check_example(student, out, pictures) if pictures else None,
        },
        **provenance(),
    }
    for place in (out, RunFolder(run_dir).path):
        write_json(place / RECORD, record)
    return record


def working_size(student: Student, multiple: int | None = None) -> tuple[int, int]:
    """(height, width) of a student's input: `base_size`, else window, else crop, rounded up to multiples of this; None
    is those that the student takes."""
    data, window = student.config.data, student.config.evaluate.window
    return rounded_up(data.base_size or window or data.crop, multiple or student.net.multiple)


def pictures_for(run_dir: str | Path, data_root: str | None = None, count: int = 8) -> list[Path]:
    """Files of val images of a run's data set, drawn by seed, for `export`'s check. KitError if there are none."""
    files = val_files(load(run_dir), data_root)
    return [files.paths[example.name] for example in choose(files, count=count)]


def shown(student: Student, pictures: Sequence[Path], size: tuple[int, int]) -> list[Tensor]:
    """Pictures as a graph of `size` takes them, (1, 3, *size) in 0..1 each."""
    multiple = student.net.multiple
    images = [pad_to_multiple(student.prepare(path), multiple) for path in pictures]
    return [image if image.shape[-2:] == size else resize(image, size) for image in images]


def noise(size: tuple[int, int]) -> list[Tensor]:
    """Four images (1, 3, *size) of random pixels, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, *size, generator=generator) for _ in range(4)]


def metadata(student: Student, size: tuple[int, int], free: bool) -> dict[str, str]:
    """Metadata with which the file can be used alone; values that are not plain text are JSON."""
    return {
        "classes": json.dumps(student.classes),
        "palette": json.dumps(student.palette),
        "input": "RGB, value / 255, float32 (B, 3, H, W)",
        "output": "logits, float32 (B, C, H, W); the largest is the class",
        "settings": json.dumps(settings_of(student, size, free)),
        "size": json.dumps(size),
        "size_is_free": json.dumps(free),
        "multiple": json.dumps(student.net.multiple),
        "network": student.config.student.name,
        "method": student.config.method.name,
    }


@torch.no_grad()
def check(net: Segmenter, out: Path, images: list[Tensor], free: bool) -> dict:
    """How far the files in `out` are from `net` on images (1, 3, H, W) in 0..1, one at a time and two together.

    Raises: KitError if a difference is not explained by rounding (1e-3 of the largest logit).
    """
    session = open_graph(out / "student.onnx")
    program = torch.export.load(out / "student.pt2").module()
    batches = [*images, torch.cat([images[0], images[-1]])]
    if free:  # another size than the one that was traced
        batches.append(torch.nn.functional.interpolate(images[0], scale_factor=2.0, mode="bilinear"))
    net.cpu().eval()
    difference = program_difference = largest = 0.0
    agree = pixels = 0
    for batch in batches:
        ours = net(batch).logits.numpy()
        theirs = session.run(["logits"], {"images": batch.numpy()})[0]
        difference = max(difference, float(np.abs(ours - theirs).max()))
        program_difference = max(program_difference, float(np.abs(ours - program(batch).numpy()).max()))
        largest = max(largest, float(np.abs(ours).max()))
        agree, pixels = agree + int((ours.argmax(1) == theirs.argmax(1)).sum()), pixels + ours[:, 0].size
    if max(difference, program_difference) > 1e-3 * max(1.0, largest):
        raise KitError(f"the exported network differs from PyTorch's by {max(difference, program_difference):.1e}")
    return {"images": len(images), "batches": [list(batch.shape) for batch in batches], "difference": difference,
            "agreement": agree / pixels, "exported_program_difference": program_difference}  # fmt: skip
