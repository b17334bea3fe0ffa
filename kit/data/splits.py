"""Which training images count as labelled: lists that are drawn by hash or read from files, checked, with a digest."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from kit.config import DataConfig
from kit.data.draw import digest, draw
from kit.data.files import SegFiles
from kit.errors import KitError
from kit.paths import from_project
from kit.storage import write_bytes

LABELLED, UNLABELLED = "labelled.txt", "unlabelled.txt"


@dataclass(frozen=True)
class Split:
    """Disjoint lists of training ids."""

    name: str
    labelled: tuple[str, ...]
    unlabelled: tuple[str, ...]

    def record(self) -> dict:
        """What a result says of it: name, counts and digests."""
        return {
            "name": self.name,
            "labelled": len(self.labelled),
            "unlabelled": len(self.unlabelled),
            "labelled_sha256": digest(self.labelled),
            "unlabelled_sha256": digest(self.unlabelled),
        }


def make_split(cfg: DataConfig, train: SegFiles, val: SegFiles) -> Split:
    """The split that `cfg.split` and `cfg.split_seed` ask for, checked against the files.

    Raises KitError if it is not understood or empty, if a labelled image has no mask or a listed one no file, if the
    two lists share an image, or if one is in val.
    """
    folder = from_project(cfg.split)
    if (folder / LABELLED).is_file():
        split = Split(cfg.split, read_list(folder / LABELLED), read_list(folder / UNLABELLED))
    else:
        count = labelled_count(cfg.split, len(train.masked_ids))
        labelled = draw(train.masked_ids, count, cfg.split_seed)
        drawn = count < len(train.masked_ids)
        name = f"{cfg.split} seed {cfg.split_seed}" if drawn else cfg.split
        split = Split(name, labelled, tuple(sorted(set(train.ids) - set(labelled))))
    check_split(split, train, val)
    return split


def check_split(split: Split, train: SegFiles, val: SegFiles) -> None:
    """Raise KitError unless the split fits the files; see `make_split`."""
    if not split.labelled:
        masked = f"{len(train.masked_ids)} images in {train.root} have masks"
        raise KitError(f"split {split.name!r} has no labelled image; {masked}")
    both = set(split.labelled) & set(split.unlabelled)
    if both:
        raise KitError(f"split {split.name!r}: {_some(both)} in both lists")
    absent = {*split.labelled, *split.unlabelled} - set(train.paths)
    if absent:
        raise KitError(f'split {split.name!r}: no image of {_some(absent)} in {train.root}; "1_16" draws a fitting one')
    bare = set(split.labelled) - set(train.masked_ids)
    if bare:
        raise KitError(f"split {split.name!r}: no mask of {_some(bare)} in {train.root}")
    seen = {*split.labelled, *split.unlabelled} & set(val.ids)
    if seen:
        raise KitError(f"split {split.name!r}: {_some(seen)} also in the val part of {val.root}")


def read_list(path: Path) -> tuple[str, ...]:
    """Ids of a list file, one a line; an absent file is an empty list."""
    lines = path.read_text().split("\n") if path.is_file() else []
    return tuple(line.strip() for line in lines if line.strip())


def write_lists(split: Split, folder: Path) -> None:
    """Write labelled.txt and unlabelled.txt, sorted, one id a line."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, ids in ((LABELLED, split.labelled), (UNLABELLED, split.unlabelled)):
        write_bytes(folder / name, "".join(f"{i}\n" for i in sorted(ids)).encode())


def labelled_count(split: str, total: int) -> int:
    """Number of labelled images that "1_N" (rounded up, as published), "count_N", "all" or "masks" asks for."""
    if split in ("all", "masks"):
        return total
    share, count = re.fullmatch(r"1_(\d+)", split), re.fullmatch(r"count_(\d+)", split)
    if share and int(share[1]) > 0:
        return math.ceil(total / int(share[1]))
    if count and 0 < int(count[1]) <= total:
        return int(count[1])
    raise KitError(
        f'split {split!r} is neither "1_N", "count_N" (N of at most {total}), "all", "masks", '
        f"nor a folder with {LABELLED}"
    )


def _some(ids: set[str]) -> str:
    shown = ", ".join(sorted(ids)[:3])
    return f"{len(ids)} image(s) ({shown}{', ...' if len(ids) > 3 else ''})"
