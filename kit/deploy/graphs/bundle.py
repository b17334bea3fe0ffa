"""A folder that segments photographs without the kit: graph, names and colours of the classes, and a short program."""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kit.data.reading.decode import picture_size, read_image
from kit.data.reading.sizes import Size, size_text
from kit.deploy.graphs.int8 import to_int8
from kit.deploy.graphs.labelled_pictures import labelled_pairs
from kit.deploy.graphs.onnx_graph import RECORD, open_graph, program_bytes, require_packages
from kit.deploy.graphs.picture_graph import (
    CLASSES,
    INPUT,
    PROBABILITIES,
    PictureGraph,
    pictures_to_onnx,
    takes_any_size,
    trace_pictures,
)
from kit.errors import KitError
from kit.evaluate.student import Student, load, weights_file
from kit.runs.folder import provenance
from kit.settings.checks import require_positive
from kit.system.storage import file_sha256, write_bytes, write_json

SOURCE = Path(__file__).with_name("example_overlay.py")
"""The file that is copied as example.py; it imports nothing of the kit."""

LEAST_AGREEMENT = 0.999
"""Share of pixels in which graph and `Student.predict` must agree."""

GRAPH, GRAPH_INT8, PROGRAM, LABELS = "student.onnx", "student_int8.onnx", "student.pt2", "labels.json"


def bundle(run_dir: str | Path, out: str | Path, weights: str = "last", size: Size | None = None,
           pictures: Sequence[Path] = (), probabilities: bool = False, int8: dict | None = None,
           say: Callable[[str], object] = lambda line: None) -> dict:  # fmt: skip
    """Write student.onnx, student.pt2, labels.json, example.py and export.json into `out`, checked against `predict`.

    Nothing is written until all checks have passed. The record is kept in the run's folder as well, for its card.

    Args:
        run_dir: a finished run, imported weights, or a model folder.
        weights: "last", "average" or "best".
        size: (height, width) of the pictures; None is any size if the student resizes all pictures to one size
            (`kit.deploy.graphs.picture_graph.takes_any_size`), else the most common size of `pictures`.
        pictures: files for the check; without any of the graph's size, noise is used.
        probabilities: the graph returns class probabilities as well.
        int8: arguments of `kit.deploy.graphs.int8.to_int8` beside the data, such as {"max_drop": 0.5}, with
            "data_root" and "limit" (val images, 0 is all); None makes no 8-bit graph. One that loses
            too much mIoU or is not faster is not written.
        say: called with lines on progress.
    Returns: the record: "size" (None: any), "outputs", "check" and, if wanted, "int8" (`kit.deploy.graphs.int8.Int8`).
    Raises: KitError if packages are missing, the run or the size does not fit, or the graph disagrees with `predict` on
        more than one pixel in a thousand.
    """
    require_packages()
    if size is not None:
        require_positive(height=size[0], width=size[1])
    student, out = load(run_dir, weights), Path(out)
    if size is None and not takes_any_size(student):
        size = commonest_size(student, pictures)
    graph = PictureGraph(student, size, probabilities)
    program = trace_pictures(graph, size)
    model = pictures_to_onnx(program, probabilities)
    for key, value in {"classes": ", ".join(student.classes), "network": student.config.student.name,
                       "input": "RGB, uint8 (B, H, W, 3)"}.items():  # fmt: skip
        model.metadata_props.add(key=key, value=value)
    model = model.SerializeToString()
    seen = shown(pictures, size)
    record = {
        "run": str(run_dir),
        "weights": weights,
        "weights_sha256": file_sha256(weights_file(run_dir, weights)),
        "form": "pictures",
        "size": list(size) if size else None,
        "outputs": [CLASSES, *([PROBABILITIES] if probabilities else [])],
        "check": check(student, model, program, seen or noise(size)) | {"noise": not seen},
        **provenance(),
    }
    files = {GRAPH: model, PROGRAM: program_bytes(program), "example.py": SOURCE.read_bytes()}
    if int8 is not None:
        pairs = labelled_pairs(student, size, int8.get("data_root"), int8.get("limit", 0))
        settings = {key: value for key, value in int8.items() if key not in ("data_root", "limit")}
        form = to_int8(model, *pairs, student.classes, say=say, **settings)
        record["int8"] = form.record
        if form.model:
            files[GRAPH_INT8] = form.model
    out.mkdir(parents=True, exist_ok=True)
    if GRAPH_INT8 not in files:
        (out / GRAPH_INT8).unlink(missing_ok=True)  # left by an earlier export
    for name, content in files.items():
        write_bytes(out / name, content)
    note = "" if size is None else f"pictures of another size than {size_text(size)} are stretched to it"
    write_json(out / LABELS, {"classes": student.classes, "palette": student.palette, "note": note})
    for place in (out, Path(run_dir)) if Path(run_dir).is_dir() else (out,):  # a name on the hub has no folder here
        write_json(place / RECORD, record)
    return record


def commonest_size(student: Student, pictures: Sequence[Path]) -> Size:
    """Most common (height, width) of these pictures; without any, `data.base_size` or else the size of a crop."""
    if not pictures:
        return student.config.data.base_size or student.config.data.crop
    return Counter(picture_size(path) for path in pictures).most_common(1)[0][0]


def shown(pictures: Sequence[Path], size: Size | None) -> list[np.ndarray]:
    """Pictures uint8 (H, W, 3) for a check: these files, or those of `size`, if given."""
    read = [read_image(path) for path in pictures if size is None or picture_size(path) == tuple(size)]
    if read and size is None:  # another size than any of the files has
        read.append(np.ascontiguousarray(read[0][: read[0].shape[0] * 3 // 4, : read[0].shape[1] - 5]))
    return read


def noise(size: Size | None) -> list[np.ndarray]:
    """Pictures of random pixels, for a check without files."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*(size or (200, 300)), 3), np.uint8) for _ in range(2)]


def check(student: Student, model: bytes, program: torch.export.ExportedProgram, pictures: list[np.ndarray]) -> dict:
    """Shares of pixels in which graph and exported program agree with `Student.predict`, and the graph's worst picture.
    All predict in float32, also where the protocol of the run says bfloat16.

    Raises: KitError below LEAST_AGREEMENT.
    """
    student, cfg = copy(student), student.config
    student.config = replace(cfg, evaluate=replace(cfg.evaluate, precision="fp32"))
    session, module = open_graph(model), program.module()
    found = {"agreement": [], "program_agreement": []}
    for picture in pictures:
        wanted, batch = student.predict(picture), picture[None]
        first = module(torch.from_numpy(batch.copy()))
        theirs = (first[0] if isinstance(first, tuple) else first)[0].numpy()
        found["agreement"].append((session.run([CLASSES], {INPUT: batch})[0][0] == wanted).mean())
        found["program_agreement"].append((theirs == wanted).mean())
    sizes = [picture.shape[0] * picture.shape[1] for picture in pictures]
    record = {"images": len(pictures), "worst": float(min(found["agreement"]))}
    record |= {name: float(np.average(shares, weights=sizes)) for name, shares in found.items()}
    if min(record["agreement"], record["program_agreement"]) < LEAST_AGREEMENT:
        raise KitError(
            f"the graph agrees with `predict` on only {record['agreement']:.3%} of the pixels (exported program: "
            f"{record['program_agreement']:.3%}), {LEAST_AGREEMENT:.1%} is required; nothing was written"
        )
    return record
