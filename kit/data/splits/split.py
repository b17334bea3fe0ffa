"""Splits of the training images into labelled and unlabelled ones: drawn by hash or read from lists, with digests.

A folder of lists holds labelled.txt and unlabelled.txt, one id a line, and split.json, which describes them.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from kit.data.reading.files import SegFiles
from kit.data.splits.hash_draw import digest, draw
from kit.data.splits.published import find_protocol
from kit.data.splits.sequences import order_by_sequence
from kit.errors import KitError
from kit.settings.run import DataConfig
from kit.system.paths import from_project
from kit.system.storage import read_json, write_bytes, write_json

LABELLED, UNLABELLED, ABOUT = "labelled.txt", "unlabelled.txt", "split.json"

BY_SEQUENCE = "_by_sequence"
"""Suffix of a share or number that selects the draw of `kit.data.splits.sequences`."""

PROTOCOLS = {
    "all": "every image with a mask",
    "hash": "the first images with masks by sha256 of SEED:ID",
    "sequence": "sequences take turns in the order of sha256 of SEED:SEQUENCE; each gives the image with a mask that "
    "is farthest in time from those it has given, the first one by sha256 of SEED:ID",
}
"""How a split is drawn, for its record."""


@dataclass(frozen=True)
class Split:
    """Disjoint lists of training ids."""

    name: str
    """"cps 1/16" if published, "1_16 seed 0" if drawn."""
    labelled: tuple[str, ...]
    unlabelled: tuple[str, ...]
    extra: tuple[str, ...] = ()
    """Unlabelled images outside the protocol, kept apart so that the digests stay those of the protocol."""
    missing_classes: tuple[str, ...] | None = None
    """Names of the classes that no labelled mask holds; None if the masks were not read."""
    protocol: str = ""
    """How it was drawn; empty if only the lists are known."""

    @cached_property
    def pool(self) -> tuple[str, ...]:
        """Ids of all images that are used without their masks."""
        return self.unlabelled + self.extra

    @property
    def warning(self) -> str:
        """One line if no labelled image shows some of the classes, else empty."""
        if not self.missing_classes:
            return ""
        return f"split {self.name!r}: no labelled image holds {', '.join(self.missing_classes)}"

    def record(self) -> dict:
        """Its entry in a result, as JSON: name, protocol, counts, digests (extra_sha256: None without extra images)."""
        return {
            "name": self.name,
            "protocol": self.protocol or None,
            **_counted(self.labelled, self.unlabelled),
            "extra": len(self.extra),
            "extra_sha256": digest(self.extra) if self.extra else None,
            "missing_classes": None if self.missing_classes is None else list(self.missing_classes),
        }


def checked_split(cfg: DataConfig, train: SegFiles, val: SegFiles) -> Split:
    """The split of `cfg.split`, `cfg.split_seed` and `cfg.extra`, checked against the files without opening a picture.

    Raises KitError as `chosen_split` and `check_split` do, or if images in the data set's own lists are missing.
    """
    check_complete(train, val)
    split = chosen_split(cfg, train)
    check_split(split, train, val)
    return split


def chosen_split(cfg: DataConfig, train: SegFiles) -> Split:
    """The split of `checked_split`, not checked against the files.

    Raises KitError if `cfg.split` is invalid, if its lists do not match their split.json, or if `cfg.extra` is on and
    there are no extra images.
    """
    folder = from_project(cfg.split)
    if (folder / LABELLED).is_file():
        split = read_lists(folder, f"lists {cfg.split}")
    else:
        split = draw_split(cfg.split, cfg.split_seed, train)
    if cfg.extra:
        extra = tuple(sorted(set(train.extra_ids) - {*split.labelled, *split.unlabelled}))
        if not extra:
            raise KitError(f"data.extra is on, but {train.base} holds no images beyond split {split.name!r}")
        split = replace(split, name=f"{split.name} + {len(extra)} extra", extra=extra)
    return split


def draw_split(share: str, seed: int, train: SegFiles) -> Split:
    """The split that labels `share` of the images with masks; all other images are unlabelled.

    Args:
        share: "1_N" or "count_N" (by hash), either of them with "_by_sequence" added, "all" or "masks".
    Raises: KitError if `share` is invalid, or for a draw by sequence if the data set has no sequences or an id has no
        frame number.
    """
    count = labelled_count(share, len(train.masked_ids))
    labelled = drawing_order(share, seed, train)[:count]
    every = count == len(train.masked_ids)
    kind = "all" if every else "sequence" if share.endswith(BY_SEQUENCE) else "hash"
    unlabelled = tuple(sorted(set(train.ids) - set(labelled)))
    return Split(share if every else f"{share} seed {seed}", labelled, unlabelled, protocol=PROTOCOLS[kind])


def drawing_order(share: str, seed: int, train: SegFiles) -> tuple[str, ...]:
    """All images with masks, in the order of the draw; raises as `draw_split`."""
    if not share.endswith(BY_SEQUENCE):
        return draw(train.masked_ids, len(train.masked_ids), seed)
    if not train.spec.frames:
        raise KitError(
            f"split {share!r}: {train.spec.name} is not a data set of videos with sequence and frame in their names; "
            f"{share.removesuffix(BY_SEQUENCE)!r} draws by hash"
        )
    return order_by_sequence(train.masked_ids, train.spec.frames, seed)


def check_complete(*parts: SegFiles) -> None:
    """Raise KitError if images in the data set's own lists are missing: without them a draw would differ unnoticed."""
    for files in parts:
        if files.missing:
            raise KitError(
                f"{files.base} lacks {some(files.missing)} that the data set lists as {files.part}; "
                "download the missing files (`python -m kit doctor` lists them)"
            )


def check_split(split: Split, train: SegFiles, val: SegFiles) -> None:
    """Raise KitError with the first of `split_problems`, if there is one."""
    for problem in split_problems(split, train, val):
        raise KitError(problem)


def check_masks(split: Split, train: SegFiles, observe: bool) -> None:
    """Raise KitError if a mask that will be read, with `observe` also of unlabelled images, lacks its image's size."""
    train.check_sizes(split.labelled + (tuple(i for i in split.pool if i in train.masks) if observe else ()))


def split_problems(split: Split, train: SegFiles, val: SegFiles) -> Iterator[str]:
    """Problems that make a split unusable, a line each: no labelled image, an image that is named twice, is in both
    lists, is in val or has no file, a labelled image without a mask."""
    if not split.labelled:
        yield f"split {split.name!r} has no labelled image; {len(train.masked_ids)} images in {train.root} have masks"
    for which, ids in (("labelled", split.labelled), ("unlabelled", split.unlabelled)):
        if twice := repeated(ids):
            yield f"split {split.name!r}: {some(twice)} twice in the {which} list; keep one line of each"
    if both := set(split.labelled) & set(split.pool):
        yield f"split {split.name!r}: {some(both)} in both lists; delete them from one"
    listed = {*split.labelled, *split.pool}
    if seen := listed & set(val.ids):
        yield f"split {split.name!r}: {some(seen)} also in the val part of {val.root}"
    if absent := listed - set(train.paths) - seen:
        yield (
            f'split {split.name!r}: {some(absent)} not found in {train.root}; "1_16" draws a split of it, '
            "`python -m kit splits import` reads lists of paths"
        )
    if bare := set(split.labelled) - set(train.masked_ids) - seen:
        yield f"split {split.name!r}: no mask for {some(bare)} in {train.root}"


def missing_classes(files: SegFiles, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the classes that no mask of the images `names` holds. Stops reading once every class was found."""
    seen = np.zeros(files.spec.num_classes, bool)
    for name in names:
        if seen.all():
            break
        seen |= pixels_in(files, name) > 0
    return tuple(cls for cls, there in zip(files.spec.classes, seen, strict=True) if not there)


def look_for_classes(split: Split, train: SegFiles) -> Split:
    """The split with `missing_classes` filled in."""
    return replace(split, missing_classes=missing_classes(train, split.labelled))


def pixels_in(files: SegFiles, name: str) -> np.ndarray:
    """int64 (C,): pixels of each class in the mask of an image."""
    return np.bincount(files.full_mask(name).numpy().ravel(), minlength=256)[: files.spec.num_classes]


def read_lists(folder: Path, called: str) -> Split:
    """The split of a folder of lists, with its published name, else the name in its split.json, else `called`.

    Raises: KitError if split.json is there and the lists are not the ones it describes.
    """
    labelled, unlabelled = read_list(folder / LABELLED), read_list(folder / UNLABELLED)
    about, protocol = folder / ABOUT, ""
    if about.is_file():
        stated, found = read_json(about), _counted(labelled, unlabelled)
        if not isinstance(stated, dict) or not isinstance(stated.get("name"), str):
            raise KitError(f"{about} does not describe the lists; delete it to use them as they are")
        changed = [key for key in ("labelled_sha256", "unlabelled_sha256") if stated.get(key) != found[key]]
        if changed:
            file = folder / (LABELLED if changed[0].startswith("labelled") else UNLABELLED)
            raise KitError(
                f"{file} is no longer the list of {stated['name']!r} that {ABOUT} beside it "
                f"describes; restore it, or delete {ABOUT} to use the lists without that name"
            )
        called, protocol = stated["name"], str(stated.get("protocol") or "")
    published = find_protocol(labelled, unlabelled)
    return Split(published.name if published else called, labelled, unlabelled, protocol=protocol)


def read_list(path: Path) -> tuple[str, ...]:
    """Ids of a list file, one a line; empty if there is no file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n") if path.is_file() else []
    except UnicodeDecodeError as error:
        raise KitError(f"{path} is not a list of ids: it is not UTF-8 text") from error
    return tuple(line.strip() for line in lines if line.strip())


def list_text(ids: Iterable[str]) -> str:
    """The content of a list file: the ids sorted, one a line. Raises KitError for one that is not `listable`."""
    ids = sorted(ids)
    if strange := [name for name in ids if not listable(name)]:
        raise KitError(f"an image is called {strange[0]!r}, which a list cannot hold (a space at an end, or not one "
                       "line of UTF-8); rename its files")  # fmt: skip
    return "".join(f"{name}\n" for name in ids)


def listable(name: str) -> bool:
    """Whether a list of ids, one a line, gives this one back as it is."""
    return name == name.strip() and not re.search("[\r\n\ud800-\udfff]", name)


def write_lists(split: Split, folder: Path, about: dict | None = None) -> None:
    """Write labelled.txt and unlabelled.txt, sorted, one id a line, and split.json with `about` added to it. Raises
    KitError for an id that would not be read back as it is; then nothing is written."""
    # unlabelled.txt first, then labelled.txt, which marks a folder of lists, and split.json last. If the process is
    # killed in between, reading raises an error instead of returning a mixture under the old name.
    lists = {UNLABELLED: list_text(split.unlabelled), LABELLED: list_text(split.labelled)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in lists.items():
        write_bytes(folder / name, text.encode())
    stated = {"name": split.name, **({"protocol": split.protocol} if split.protocol else {})}
    write_json(folder / ABOUT, {**stated, **_counted(split.labelled, split.unlabelled), **(about or {})})


def labelled_count(split: str, total: int) -> int:
    """Number of labelled images for "1_N" (rounded up, as published) or "count_N", both also with "_by_sequence", and
    for "all" or "masks"."""
    if split in ("all", "masks"):
        return total
    share, count = (re.fullmatch(rf"{kind}_(\d+)({BY_SEQUENCE})?", split) for kind in ("1", "count"))
    if share and int(share[1]) > 0:
        return math.ceil(total / int(share[1]))
    if count and 0 < int(count[1]) <= total:
        return int(count[1])
    raise KitError(
        f'split {split!r} is neither "1_N", "count_N" (N of at most {total}), one of them followed by "{BY_SEQUENCE}", '
        f'"all", "masks", nor a folder with {LABELLED}'
    )


def summary(split: Split) -> str:
    """Name, counts and the first digits of the digests, for a terminal."""
    record = split.record()
    return (
        f"{split.name}: {record['labelled']} labelled ({record['labelled_sha256'][:12]}), "
        f"{record['unlabelled']} unlabelled ({record['unlabelled_sha256'][:12]})"
    )


def repeated(ids: tuple[str, ...]) -> set[str]:
    """Ids that occur more than once."""
    return {name for name, count in Counter(ids).items() if count > 1}


def some(ids: Iterable[str]) -> str:
    """Number of images and the first three of them, for messages."""
    shown = ", ".join(sorted(ids)[:3])
    return f"{len(ids)} image(s) ({shown}{', ...' if len(ids) > 3 else ''})"


def _counted(labelled: tuple[str, ...], unlabelled: tuple[str, ...]) -> dict:
    return {
        "labelled": len(labelled),
        "unlabelled": len(unlabelled),
        "labelled_sha256": digest(labelled),
        "unlabelled_sha256": digest(unlabelled),
    }
