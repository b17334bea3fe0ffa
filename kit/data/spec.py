"""Description of a data set: its classes, and the folder layouts of its files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kit.types import IGNORE

FORBIDDEN = 254
"""Entry of a lookup table for raw values that must not occur."""

Colour = tuple[int, int, int]
Found = dict[str, Path]
"""Id -> file."""

Members = Callable[[Path, Found, Found], dict[str, set[str]]]
"""(root, all images, all masks) -> ids of "train" and of "val", for layouts whose folders do not separate the parts."""


@dataclass(frozen=True, kw_only=True)
class Masks:
    """One kind of mask files."""

    files: str
    """Pattern below the root; {part} is filled in, and the last `*` matches the image's id."""
    raw_ids: dict[int, int]
    """Value in a file -> class id or IGNORE; any other value is an error."""
    ignore: str = field(default="", repr=False)  # cached masks do not depend on it
    """File in which the key `ignore` can name further values to ignore; empty if there is no such file."""

    @property
    def kind(self) -> str:
        """Name of this kind: the end of the pattern, such as "_gtFine_labelIds"."""
        return Path(self.files).stem.rpartition("*")[2]

    def lookup(self) -> np.ndarray:
        """uint8 (256,): raw value -> class id, IGNORE or FORBIDDEN."""
        table = np.full(256, FORBIDDEN, np.uint8)
        for raw, cls in self.raw_ids.items():
            table[raw] = cls
        return table

    def raw_values(self) -> np.ndarray:
        """uint8 (256,): class id -> its value in a file. All others have the value of ignored pixels: 255, or the
        smallest one if 255 has no meaning there, such as 0, "unlabeled", in Cityscapes' labelIds."""
        ignored = [raw for raw, cls in self.raw_ids.items() if cls == IGNORE]
        table = np.full(256, IGNORE if IGNORE in ignored else min(ignored), np.uint8)
        for raw, cls in sorted(self.raw_ids.items(), reverse=True):  # of several, the smallest
            if cls != IGNORE:
                table[cls] = raw
        return table


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One folder layout of a data set. Patterns are below the root; their last `*` matches the image's id."""

    images: str
    """Pattern of the images; {part} is filled in from `parts`."""
    masks: tuple[Masks, ...]
    """Kinds of masks, the preferred one first; an image uses the first kind it has."""
    parts: tuple[tuple[str, str], ...] = (("train", "train"), ("val", "val"))
    """Value of {part} in each part."""
    needs: str = ""
    """A path below the root that must exist for this layout."""
    members: Members | None = None
    """Returns the ids of each part; None: a part is the ids that its patterns find."""
    extra: tuple[str, ...] = ()
    """Patterns of extra images without masks, which train may use as unlabelled ones. With `members`, images that
    belong to no part are extra images too."""
    lists: tuple[str, ...] = ()
    """Patterns of further files that it is read from, such as lists of a part's images."""

    def pattern(self, pattern: str, part: str) -> str:
        """A pattern of this layout with {part} filled in for "train" or "val"."""
        return pattern.format(part=dict(self.parts)[part])

    def mask_patterns(self, part: str) -> list[str]:
        """Patterns of the masks of a part, the preferred one first."""
        return [self.pattern(kind.files, part) for kind in self.masks]


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A data set. Everything specific to it is in its entry and nowhere else."""

    name: str
    classes: tuple[str, ...]
    """Class names; a class id is its place in this tuple."""
    palette: tuple[Colour, ...]
    """RGB colour of each class, as the data set's own tools draw it."""
    layouts: tuple[Layout, ...]
    """Its folder layouts; the first that fits the folder is used."""
    below: tuple[str, ...] = ("",)
    """Folders below the given one that are searched for the data set."""
    void_colours: tuple[Colour, ...] = ()
    """Colours of ignored pixels in masks drawn in colour."""
    rare: tuple[str, ...] = ()
    """Classes worth a column of their own in short tables."""
    frames: str = ""
    """For images from videos: regular expression for a whole id, with the groups "sequence" and "frame"; the digits of
    "frame" are the frame's place in time. Draws by sequence need it."""

    @property
    def num_classes(self) -> int:
        """C, the number of classes."""
        return len(self.classes)

    def record(self) -> dict:
        """Its entry in a result, as JSON."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "palette": [list(colour) for colour in self.palette],
            "rare": list(self.rare),
        }

    def colour_ids(self) -> dict[Colour, int]:
        """Colour in a mask drawn in colour -> class id or IGNORE."""
        return {**dict.fromkeys(self.void_colours, IGNORE), **{c: i for i, c in enumerate(self.palette)}}
