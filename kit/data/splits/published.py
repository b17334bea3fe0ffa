"""Splits of published work, identified by the digests of their lists; one file per data set, `splits/DATASET.json`.

The lists themselves belong to other projects. Counts and digests are enough to identify them, and that matters: "1/16"
is the name of several different lists, which differ by up to three points of mIoU.
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
    """Name in papers, unique within its data set: "cps 1/16"."""
    labelled: int
    unlabelled: int
    """Number of images in each list."""
    labelled_sha256: str
    unlabelled_sha256: str
    """Digest (`kit.data.splits.hash_draw.digest`) of the ids in each list."""
    used_by: tuple[str, ...]
    """Public code with these lists, and its name for them: "TriKD 1_16"."""
    high_quality: int | None = None
    """VOC: number of labelled images with masks of the devkit; the others have the less accurate additional masks."""
    shared: int = 0
    """Number of images in both lists. Lists that share images are identified, and then rejected as an error."""


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
    """The protocol with these two lists, in any order of ids; None if they are unknown."""
    digests = (digest(labelled), digest(unlabelled))
    matches = (p for p in load_protocols(tables=tables) if (p.labelled_sha256, p.unlabelled_sha256) == digests)
    return next(matches, None)
