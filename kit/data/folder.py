"""A data set of your own images: a folder with a `classes.yaml` in it.

    classes: [background, leaf]     # mask value 0, 1, ... in this order
    classes: {background: [0, 0, 0], leaf: [0, 160, 60]}   # or with their colours in figures and in masks
    values: [0, 255]                # values of the classes in masks, if they are not 0, 1, ...
    ignore: [11]                    # values in masks, besides 255, of ignored pixels
    images: photos/*                # the last * is the image's name
    masks: drawn/*_mask.png         # the same name; unlabelled images have no mask
    val: 0.2                        # share, or number, of the images with masks that the student is evaluated on

Only `classes` is required. By default `images` is `images/{part}/*` and `masks` is `labels/{part}/*.png` if there is a
folder `images/train`, else they are `images/*` and `labels/*.png`. {part} stands for "train" or "val". Without it, val
is drawn by hash from the images with masks, unless a `val.txt` beside `classes.yaml` lists the val images, one id a
line. `python -m kit labels import` writes this file, so that new masks do not move images from val to train.

Masks hold one class number per pixel, or are drawn in the colours of `classes` (black is ignored if no class has it).
Classes in a plain list get distinct default colours; their masks hold class numbers.
"""

import math
import operator
from functools import partial
from pathlib import Path

import yaml

from kit.data.palette import default_colours
from kit.data.spec import Colour, DatasetSpec, Found, Layout, Masks
from kit.data.splits.hash_draw import draw
from kit.data.splits.sequences import FRAMES
from kit.data.splits.split import read_list
from kit.errors import KitError, one_line
from kit.system.strict_yaml import StrictLoader
from kit.types import IGNORE

FILE, VAL = "classes.yaml", "val.txt"
EXPECTED = "`classes: [name, ...]` or `classes: {name: [r, g, b], ...}`"
KEYS = ("classes", "values", "ignore", "images", "masks", "val")


def folder_spec(root: Path) -> DatasetSpec:
    """The data set that `root/classes.yaml` describes. Raises KitError if it is missing or invalid."""
    path = Path(root) / FILE
    if not path.is_file():
        raise KitError(f"no {path}; write {EXPECTED} in the order of the mask values")
    try:
        content = StrictLoader.read(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KitError(f"{path} cannot be read: {one_line(error)}") from error
    if not isinstance(content, dict) or "classes" not in content:
        raise KitError(f"{path} cannot be read: expected {EXPECTED}, got {content!r:.60}")
    strange = [key for key in content if key not in KEYS]
    if strange:
        raise KitError(f"{path}: unknown key {strange[0]!r}; known are {', '.join(KEYS)}")
    colours = _colours(path, content["classes"])
    values = _values(path, content, len(colours))
    raw_ids = {value: i for i, value in enumerate(values)} | dict.fromkeys(_ignored(path, content, values), IGNORE)
    images, masks = _patterns(path, content)
    val = None if "{part}" in images else partial(_draw_val, share=_val(path, content))
    return DatasetSpec(
        name=f"folder {Path(root).resolve().name}",
        classes=tuple(colours),
        palette=tuple(colours.values()),
        void_colours=() if (0, 0, 0) in colours.values() else ((0, 0, 0),),
        layouts=(
            Layout(
                images=images, masks=(Masks(files=masks, raw_ids=raw_ids, ignore=FILE),), members=val, lists=(FILE, VAL)
            ),
        ),
        rare=tuple(colours)[-2:],
        frames=FRAMES,
    )


def _colours(path: Path, classes: object) -> dict[str, Colour]:
    if isinstance(classes, (list, dict)):
        for name in classes:
            if name is None or isinstance(name, bool):  # no, yes, on, off, null without quotes
                raise KitError(f"{path}: YAML takes the name of a class for {name}; put it in quotes")
    if isinstance(classes, list) and all(isinstance(name, str) for name in classes):
        if twice := {name for name in classes if classes.count(name) > 1}:
            raise KitError(f"{path}: two classes are called {min(twice)!r}")
        classes = dict(zip(classes, default_colours(len(classes)), strict=False))
    try:
        colours = {str(name): tuple(map(operator.index, colour)) for name, colour in classes.items()}
    except (AttributeError, TypeError) as error:  # also for shares of 1 in place of 0..255
        raise KitError(f"{path} cannot be read: expected {EXPECTED}, got {classes!r:.60}") from error
    if not all(name.strip() for name in colours):
        raise KitError(f"{path}: a class has no name")
    valid = all(len(colour) == 3 and all(0 <= v <= 255 for v in colour) for colour in colours.values())
    if not valid or not 2 <= len(colours) <= IGNORE - 1:
        raise KitError(f"{path}: give 2 to {IGNORE - 1} classes, each with a colour [r, g, b] of 0..255")
    if len(set(colours.values())) < len(colours):
        raise KitError(f"{path}: two classes have the same colour")
    return colours


def _values(path: Path, content: dict, classes: int) -> list[int]:
    """The value of each class in masks."""
    values = content.get("values", list(range(classes)))
    valid = isinstance(values, list) and all(type(v) is int and 0 <= v <= 255 for v in values)
    if not valid or len(values) != classes or len(set(values)) < classes:
        raise KitError(f"{path}: values is {values!r}; give each of the {classes} classes a value of its own, 0 to 255")
    return values


def _ignored(path: Path, content: dict, values: list[int]) -> list[int]:
    """Values of ignored pixels, among them 255, or the next lower value that no class has: new masks need one."""
    ignore = content.get("ignore", [])
    ignored = ignore if isinstance(ignore, list) else [ignore]
    if not all(type(v) is int and 0 <= v <= 255 and v not in values for v in ignored):
        raise KitError(f"{path}: ignore is {ignore!r}; give values of 0 to 255 that no class has")
    return [*ignored, max(set(range(256)) - set(values))]


def _patterns(path: Path, content: dict) -> tuple[str, str]:
    parted = (path.parent / "images/train").is_dir()
    defaults = ("images/{part}/*", "labels/{part}/*.png") if parted else ("images/*", "labels/*.png")
    images, masks = content.get("images", defaults[0]), content.get("masks", defaults[1])
    for key, pattern in (("images", images), ("masks", masks)):
        if not isinstance(pattern, str) or "*" not in Path(pattern).name or Path(pattern).is_absolute():
            raise KitError(f"{path}: {key} is {pattern!r}; give a pattern below the folder with * for the image's name")
        if set("{}") & set(pattern.replace("{part}", "")):
            raise KitError(f"{path}: {key} is {pattern!r}; no braces but {{part}} have a meaning, * matches any suffix")
    if ("{part}" in images) != ("{part}" in masks):
        raise KitError(f"{path}: use {{part}} in both images and masks, or in neither")
    return images, masks


def _val(path: Path, content: dict) -> float:
    val = content.get("val", 0.2)
    if not isinstance(val, (int, float)) or isinstance(val, bool) or not 0 < val < math.inf:
        raise KitError(f"{path}: val is {val!r}; give a share below 1 or a number of images")
    return val


def _draw_val(root: Path, images: Found, masks: Found, share: float) -> dict[str, set[str]]:
    """Draw val by hash, a share (below 1) or number of the images with masks, at least one; train is the rest."""
    if (root / VAL).is_file():
        return _listed_val(root / VAL, images, masks)
    masked = sorted(set(images) & set(masks))
    count = max(1, math.floor(share * len(masked) + 0.5)) if share < 1 else int(share)
    if not masked:
        raise KitError(
            f"{root / FILE}: none of the {len(images)} images has a mask of its name; label some, or set `masks` to "
            "the pattern of their masks"
        )
    if count >= len(masked):
        raise KitError(
            f"{root / FILE}: {count} of {len(masked)} images with masks go to val, and none is left to train on; label "
            "more or give a smaller `val`"
        )
    val = set(draw(masked, count, seed=0))
    return {"train": set(images) - val, "val": val}


def _listed_val(path: Path, images: Found, masks: Found) -> dict[str, set[str]]:
    """Val is the images listed in a file, which must all exist and have masks; train is the rest."""
    val = set(read_list(path))
    if absent := sorted(val - (set(images) & set(masks))):
        raise KitError(f"{path}: no image with a mask is called {absent[0]!r}; delete the line")
    if not val or val >= set(images):
        raise KitError(f"{path} names {'all' if val else 'no'} images; delete it to draw val by hash")
    return {"train": set(images) - val, "val": val}
