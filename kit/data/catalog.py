"""DATASETS: name -> `DatasetSpec`. Everything that is particular to a data set is said here and nowhere else."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from kit.errors import KitError, unknown
from kit.types import IGNORE

FORBIDDEN = 254
"""In `DatasetSpec.lookup`: a raw value that must not occur."""


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A data set's classes, and where its files are."""

    name: str
    classes: tuple[str, ...]
    """Class names; a class id is its place in this tuple."""
    palette: tuple[tuple[int, int, int], ...]
    """RGB colour of each class, as the data set's own tools draw it."""
    raw_ids: dict[int, int]
    """Value in a mask file -> class id or IGNORE; any other value is refused."""
    images: str
    """Glob of images below the root; {part} is "train" or "val"."""
    masks: str
    """Mask of an image, below the root; {part}, {folder} (of the image) and {id} are filled in."""
    suffix: str = ""
    """End of an image's stem that is not part of its id."""
    rare: tuple[str, ...] = ()
    """Classes worth a column of their own in short tables."""

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.classes)

    def lookup(self) -> np.ndarray:
        """uint8 (256,): raw value -> class id, IGNORE or FORBIDDEN."""
        table = np.full(256, FORBIDDEN, np.uint8)
        for raw, cls in self.raw_ids.items():
            table[raw] = cls
        return table


_CITYSCAPES = {  # name: (raw id, colour), in the order of the train ids
    "road": (7, (128, 64, 128)), "sidewalk": (8, (244, 35, 232)), "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)), "fence": (13, (190, 153, 153)), "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)), "traffic sign": (20, (220, 220, 0)), "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)), "sky": (23, (70, 130, 180)), "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)), "car": (26, (0, 0, 142)), "truck": (27, (0, 0, 70)), "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)), "motorcycle": (32, (0, 0, 230)), "bicycle": (33, (119, 11, 32)),
}  # fmt: skip

_CAMVID = {  # in the order of the raw values 0..10
    "sky": (128, 128, 128), "building": (128, 0, 0), "pole": (192, 192, 128), "road": (128, 64, 128),
    "pavement": (60, 40, 222), "tree": (128, 128, 0), "sign": (192, 128, 128), "fence": (64, 64, 128),
    "car": (64, 0, 128), "pedestrian": (64, 64, 0), "bicyclist": (0, 128, 192),
}  # fmt: skip


def _cityscapes(name: str) -> DatasetSpec:
    train_ids = {raw: i for i, (raw, _) in enumerate(_CITYSCAPES.values())}
    return DatasetSpec(
        name=name,
        classes=tuple(_CITYSCAPES),
        palette=tuple(colour for _, colour in _CITYSCAPES.values()),
        raw_ids={raw: train_ids.get(raw, IGNORE) for raw in (*range(34), 255)},
        images="leftImg8bit/{part}/*/*_leftImg8bit.png",
        masks="gtFine/{part}/{folder}/{id}_gtFine_labelIds.png",
        suffix="_leftImg8bit",
        rare=("traffic sign", "train"),
    )


DATASETS = {
    "cityscapes": _cityscapes("cityscapes"),
    "synthetic": _cityscapes("synthetic"),  # drawn scenes in the same layout
    "camvid": DatasetSpec(
        name="camvid",
        classes=tuple(_CAMVID),
        palette=tuple(_CAMVID.values()),
        raw_ids={**{i: i for i in range(11)}, 11: IGNORE, 255: IGNORE},
        images="images/{part}/*.jpg",
        masks="labels/{part}/{id}.png",
        rare=("pole", "sign"),
    ),
}


def find_spec(dataset: str, root: Path) -> DatasetSpec:
    """The entry of DATASETS, or for "folder" the one described by `root/classes.yaml`.

    Raises KitError for an unknown name, or a classes.yaml that is missing or cannot be read.
    """
    if dataset == "folder":
        return folder_spec(root)
    if dataset not in DATASETS:
        raise unknown("dataset", dataset, [*DATASETS, "folder"])
    return DATASETS[dataset]


def folder_spec(root: Path) -> DatasetSpec:
    """One's own images: `images/{train,val}/NAME.*`, `labels/{train,val}/NAME.png`, and `classes.yaml`:

    classes: {background: [0, 0, 0], leaf: [0, 160, 60]}   # mask value 0, 1, ... in this order
    ignore: 255                                             # optional: a value that is not counted
    """
    path = root / "classes.yaml"
    if not path.is_file():
        raise KitError(f"no {path}; write `classes: {{name: [r, g, b], ...}}` in the order of the mask values")
    try:
        content = yaml.safe_load(path.read_text())
        colours = {str(name): tuple(int(v) for v in colour) for name, colour in content["classes"].items()}
        ignore = int(content.get("ignore", IGNORE))
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise KitError(f"{path} cannot be read ({error}); wanted `classes: {{name: [r, g, b], ...}}`") from error
    if len(colours) < 2 or any(len(c) != 3 or not all(0 <= v <= 255 for v in c) for c in colours.values()):
        raise KitError(f"{path}: two or more classes, each with a colour [r, g, b] of 0..255, are needed")
    return DatasetSpec(
        name=f"folder {root.name}",
        classes=tuple(colours),
        palette=tuple(colours.values()),
        raw_ids={**{i: i for i in range(len(colours))}, ignore: IGNORE, 255: IGNORE},
        images="images/{part}/*.*",
        masks="labels/{part}/{id}.png",
        rare=tuple(colours)[-2:],
    )
