"""A student's masks as drafts for annotators, who correct them faster than they draw new ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from kit.data.splits.split import repeated
from kit.errors import KitError
from kit.evaluate.predict import Predictor
from kit.evaluate.student import Student, read_pixels
from kit.label.formats import FORMATS
from kit.label.formats.shapes import Item, Written
from kit.settings.checks import require_choice, require_non_negative, require_share
from kit.system.console import bar
from kit.types import IGNORE

SHAPES = ("polygons", "bitmaps")


@dataclass(frozen=True)
class Drafts:
    """How drafts are made. Raises KitError for a value out of range, an unknown format, or shapes that it lacks."""

    form: str
    """A key of `kit.label.formats.FORMATS`."""
    shapes: str = ""
    """"polygons" or "bitmaps"; "" is the format's default."""
    sure: float = 0.6
    """0..1, smallest probability; pixels below it are void and left to the annotator."""
    smallest: int = 32
    """Connected regions with fewer pixels are void."""
    tolerance: float = 0.34
    """Of polygons, in pixels (`kit.label.formats.polygons.outlines`); at the default they reproduce masks exactly."""

    def __post_init__(self):
        require_choice(FORMATS, preannotate=self.form)
        require_share(sure=self.sure)
        require_non_negative(smallest=self.smallest, tolerance=self.tolerance)
        if self.shapes:
            require_choice(SHAPES, shapes=self.shapes)
        if self.shapes == "polygons" and FORMATS[self.form].polygons is None:
            raise KitError("PNG masks hold no polygons; leave --shapes out, or choose another format")

    @property
    def polygons(self) -> bool:
        """Whether regions are written as polygons."""
        return self.shapes == "polygons" if self.shapes else bool(FORMATS[self.form].polygons)


def preannotate(student: Student, images: Iterable[tuple[str, Path]], out: Path, drafts: Drafts,
                silent: bool = False) -> list[Path]:  # fmt: skip
    """Write a student's masks of images in the format of an annotation tool; return the files.

    Args:
        student: from `kit.load`.
        images: (id, file).
        out: folder to write, which must hold no labels yet.
    Raises: KitError for a folder that is not empty, or two images with the same file stem.
    """
    require_empty(out)
    images = list(images)
    if twice := repeated(tuple(path.stem for _, path in images)):
        raise KitError(f"two images are called {min(twice)}; a tool would take them for one, rename one of them")
    predictor, items = Predictor(student.net, student.config.evaluate), []
    with bar(len(images), "predicting", "image", silent) as shown:
        for name, path in images:
            pixels = read_pixels(path)
            p = predictor.probabilities(student.prepare(pixels), tuple(pixels.shape[1:]))[0].cpu().numpy()
            items.append(Item(name, path, draft(p, drafts.sure, drafts.smallest)))
            shown.update()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    how = Written(classes=tuple(student.classes), palette=tuple(map(tuple, student.palette)), polygons=drafts.polygons,
                  tolerance=drafts.tolerance)  # fmt: skip
    return FORMATS[drafts.form].write(items, out, how)


def require_empty(out: str | Path) -> None:
    """Raises KitError for a folder that holds something."""
    if Path(out).is_dir() and any(Path(out).iterdir()):
        raise KitError(f"{out} is not empty, and its labels would be overwritten; name another folder")


def draft(probabilities: np.ndarray, sure: float, smallest: int) -> np.ndarray:
    """The mask uint8 (H, W) of probabilities (C, H, W): IGNORE where the largest is below `sure`, and in connected
    regions of fewer than `smallest` pixels."""
    mask = np.where(probabilities.max(0) >= sure, probabilities.argmax(0), IGNORE).astype(np.uint8)
    drafted = mask.copy()
    for cls in np.unique(mask[mask != IGNORE]).tolist():
        regions, count = ndimage.label(mask == cls)
        small = np.bincount(regions.ravel(), minlength=count + 1) < smallest
        small[0] = False
        drafted[small[regions]] = IGNORE
    return drafted
