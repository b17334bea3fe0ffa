"""Record of the data that a run is trained and evaluated on, and the differences between two records.

The record is made from names and sizes of files: nothing is decoded, and thousands of files take a fraction of a
second. A change that keeps the size of a file (in an uncompressed format, for example) is not detected.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kit.data.catalog import DatasetSpec, find_spec
from kit.data.reading.files import SegFiles
from kit.data.splits.hash_draw import digest
from kit.data.splits.split import LABELLED, Split, checked_split
from kit.settings.run import DataConfig
from kit.system.paths import from_project
from kit.system.storage import text_sha256

LISTS = {"labelled": "labelled list", "unlabelled": "unlabelled list", "extra": "list of extra images"}
"""Lists of a split in the record -> their names in messages."""


@dataclass(frozen=True)
class Data:
    """A data set opened for a run, with the split of its training images."""

    spec: DatasetSpec
    train: SegFiles
    val: SegFiles
    evaluated: tuple[str, ...]
    """Ids of the val images that are evaluated."""
    split: Split
    drawn: bool
    """Whether the split is drawn from all images with masks, not read from lists."""

    def record(self) -> dict:
        """The data of a run, as JSON, without the data set's folder. A resumed run must have an equal record.

        Lists are {"count", "sha256"} of their ids, files {"count", "bytes", "sha256"} of their ids and sizes in bytes.
        For masks of unlabelled images it holds only the ids, and these only if the split is drawn from them.
        """
        split, train, val = self.split, self.train, self.val
        lists = {"labelled": split.labelled, "unlabelled": split.unlabelled, "extra": split.extra}
        return {
            "classes": list(self.spec.classes),
            "mask values": self._meaning(),
            "lists": {name: {"count": len(ids), "sha256": digest(ids)} for name, ids in lists.items()},
            "masked": {"count": len(train.masked_ids), "sha256": digest(train.masked_ids)} if self.drawn else None,
            "files": {
                "train images": files((name, train.paths[name]) for name in (*split.labelled, *split.pool)),
                "labelled masks": files((name, train.mask_path(name)) for name in split.labelled),
                "val images": files((name, val.paths[name]) for name in self.evaluated),
                "val masks": files((name, val.mask_path(name)) for name in self.evaluated),
            },
        }

    def digest(self) -> str:
        """sha256 of the record."""
        return text_sha256(json.dumps(self.record(), sort_keys=True))

    def _meaning(self) -> str:
        """sha256 of the meaning of values and colours in the masks."""
        used = [self.train.masks[name][1] for name in self.split.labelled]
        used += [self.val.masks[name][1] for name in self.evaluated]
        kinds = {id(kind): sorted(kind.raw_ids.items()) for kind in used}
        about = [sorted(kinds.values()), sorted(self.spec.colour_ids().items())]
        return text_sha256(repr(about))


def find_data(cfg: DataConfig, limit: int = 0) -> Data:
    """The data set and the split of `cfg`; no picture is opened.

    Args:
        limit: evaluate only the first `limit` val images; 0 is all.
    Raises: KitError if the data set or the split cannot be used.
    """
    root = from_project(cfg.root)
    spec = find_spec(cfg.dataset, root)
    cache = from_project(cfg.cache_dir) if cfg.cache else None
    train, val = (SegFiles(spec, root, part, cfg.base_size, cache, cfg.keep_aspect) for part in ("train", "val"))
    split = checked_split(cfg, train, val)
    drawn = not (from_project(cfg.split) / LABELLED).is_file()
    return Data(spec, train, val, val.masked_ids[: limit or None], split, drawn)


def files(named: Iterable[tuple[str, Path]]) -> dict:
    """Number of files, their total size in bytes, and sha256 over their ids and sizes; each file is (id, path)."""
    sizes = {name: _size(path) for name, path in named}
    lines = "".join(f"{name}\t{sizes[name]}\n" for name in sorted(sizes))
    return {"count": len(sizes), "bytes": sum(sizes.values()), "sha256": text_sha256(lines)}


def changes(before: dict, now: dict) -> list[str]:
    """A phrase for each difference between two records; entries that one of them lacks are not compared."""
    found = _classes(before.get("classes"), now["classes"])
    if before.get("mask values", now["mask values"]) != now["mask values"]:
        found.append("the meaning of the masks' values or colours")
    counted = [("train images with a mask", before.get("masked"), now["masked"])]
    for part in ("lists", "files"):
        counted += [(LISTS.get(name, name), before.get(part, {}).get(name), new) for name, new in now[part].items()]
    for name, old, new in counted:
        if not old or not new or (old["count"], old["sha256"]) == (new["count"], new["sha256"]):
            continue
        other = "names or sizes" if "bytes" in new else "names"
        differs = f"with other {other}" if old["count"] == new["count"] else f"now {new['count']}"
        found.append(f"{name} ({old['count']}, {differs})")
    return found


def _classes(before: list[str] | None, now: list[str]) -> list[str]:
    if before is None or before == now:
        return []
    if len(before) != len(now):
        return [f"classes ({len(before)}, now {len(now)})"]
    old, new = next(pair for pair in zip(before, now, strict=True) if pair[0] != pair[1])
    return [f"classes ({old!r}, now {new!r})"]


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # a broken link, which is reported when it is read
        return -1
