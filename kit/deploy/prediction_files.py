"""Predictions as picture files: in the classes' colours, blended over the image, or as the label ids that a benchmark's
server expects."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from PIL import Image

from kit.data.pictures import as_palette, png_bytes
from kit.data.spec import DatasetSpec
from kit.errors import KitError
from kit.evaluate.predict import Predictor
from kit.evaluate.student import Student, overlaid, read_pixels
from kit.settings.checks import require_choice
from kit.settings.run import EvalConfig
from kit.system.storage import write_bytes

FORMS = ("palette", "ids", "overlay")
"""Class ids with the palette in the file; the data set's own label ids in grey (Cityscapes: labelIds, which its server
expects); or the image with the classes' colours blended over it."""


def save_predictions(student: Student, images: Iterable[tuple[str, Path]], out: Path, form: str = "palette",
                     cfg: EvalConfig | None = None, spec: DatasetSpec | None = None) -> Iterator[Path]:  # fmt: skip
    """Write a PNG per image, at the image's own size; yields each path once it is written.

    Args:
        student: from `kit.load`, on any device.
        images: (name, file); the PNG is `out/NAME.png`.
        form: one of FORMS.
        cfg: the protocol; None is the protocol of the student's run.
        spec: of the data set whose label ids are written; for form "ids" only.
    Raises: KitError before anything is written, for an unknown form, a spec that does not fit, two pictures with the
        same PNG, or a PNG that would overwrite a picture; and after all others are written, naming the pictures that
        cannot be read.
    """
    require_choice(FORMS, form=form)
    if form == "ids" and (spec is None or spec.classes != tuple(student.classes)):
        raise KitError("form 'ids' needs the data set whose classes the student predicts")
    table = spec.layouts[0].masks[0].raw_values() if form == "ids" else None
    images = list(images)
    _check_targets(images, Path(out))
    predictor = Predictor(student.net, cfg or student.config.evaluate)
    broken = []
    for name, path in images:
        try:
            pixels = read_pixels(path)
        except KitError as error:
            broken.append(str(error))
            continue
        scores = predictor.scores(student.prepare(pixels), tuple(pixels.shape[1:]))
        prediction = scores[0].argmax(0).to(torch.uint8).cpu().numpy()
        if form == "overlay":
            image = pixels.permute(1, 2, 0).cpu().numpy()
            picture = Image.fromarray(overlaid(image, prediction, student.palette))
        else:
            picture = as_palette(prediction, student.palette) if table is None else Image.fromarray(table[prediction])
        target = Path(out) / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, png_bytes(picture))
        yield target
    if broken:
        raise KitError(
            f"{len(broken)} of {len(images)} pictures cannot be predicted ({len(images) - len(broken)} are, in {out}): "
            + "; ".join(broken)
        )


def _check_targets(images: list[tuple[str, Path]], out: Path) -> None:
    sources, targets = {Path(path).resolve() for _, path in images}, {}
    for name, path in images:
        target = (out / f"{name}.png").resolve()
        if target in sources:
            raise KitError(f"{target} is a picture to be predicted; write the predictions into another folder")
        if target in targets:
            raise KitError(f"{targets[target]} and {path} would both become {target.name}; rename one of them")
        targets[target] = path
