"""Splits of published work, known by the digests of their lists; one file per data set, `splits/DATASET.json`.

The lists themselves belong to other projects. Counts and digests are enough to tell which of them somebody has, and
that matters: "1/16" is several different lists, worth up to three points of mIoU between them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from kit.data.splits.hash_draw import digest
from kit.errors import KitError
from kit.system.paths import PROJECT
from kit.system.storage import read_json

TABLES = PROJECT / "splits"
"""Folder of the files with the known protocols."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One published pair of lists."""

    dataset: str
    """A key of `kit.data.catalog.DATASETS`."""
    name: str
    """As researchers call it, unique within its data set: "cps 1/16"."""
    labelled: int
    """Labelled images."""
    unlabelled: int
    """Unlabelled images."""
    labelled_sha256: str
    """Digest (`kit.data.splits.hash_draw.digest`) of the labelled ids."""
    unlabelled_sha256: str
    """Digest of the unlabelled ids."""
    used_by: tuple[str, ...]
    """Public code that comes with these lists, each with what it calls them: "TriKD 1_16"."""
    high_quality: int | None = None
    """VOC: labelled images with masks of the devkit itself; the others' are the rougher additional ones."""
    shared: int = 0
    """Images that both lists name. Such lists are known by name, and refused."""


def load_protocols(dataset: str | None = None, tables: Path = TABLES) -> list[Protocol]:
    """The known protocols, of one data set or of all. Raises KitError for a table that cannot be read."""
    known = []
    for path in sorted(Path(tables).glob("*.json")):
        table = read_json(path)
        try:
            known += [
                Protocol(**{"dataset": table["dataset"], **entry, "used_by": tuple(entry["used_by"])})
                for entry in table["protocols"]
            ]
        except (KeyError, TypeError) as error:
            raise KitError(f"{path} is not a table of protocols: {error}") from error
    return [protocol for protocol in known if dataset in (None, protocol.dataset)]


def find_protocol(labelled: Collection[str], unlabelled: Collection[str], tables: Path = TABLES) -> Protocol | None:
    """The protocol whose two lists these are, in whatever order; None if they are no known ones."""
    digests = (digest(labelled), digest(unlabelled))
    matches = (p for p in load_protocols(tables=tables) if (p.labelled_sha256, p.unlabelled_sha256) == digests)
    return next(matches, None)


def recognise(labelled: Collection[str], unlabelled: Collection[str], tables: Path = TABLES) -> str | None:
    """What researchers call these lists, such as "cps 1/16"; None if they are no known ones."""
    protocol = find_protocol(labelled, unlabelled, tables)
    return protocol.name if protocol else None
