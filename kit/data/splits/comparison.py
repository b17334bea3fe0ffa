"""Comparison of splits: rows for tables, column -> value."""

from pathlib import Path

from kit.data.reading.files import SegFiles
from kit.data.splits.class_cover import class_pixels
from kit.data.splits.published import load_protocols
from kit.data.splits.split import LABELLED, Split, check_split, look_for_classes, read_lists
from kit.errors import KitError

NONE = "–"


def overview(folders: list[Path], dataset: str | None = None,
             files: tuple[SegFiles, SegFiles] | None = None) -> tuple[list[list[dict]], list[str]]:  # fmt: skip
    """Tables and warnings: of the published splits if `folders` is empty, else of the lists in the folders.

    Args:
        dataset: only its published splits.
        files: train and val images; the lists are checked against them and their classes counted.
    Raises: KitError for a folder without lists, and as `check_split` does.
    """
    if not folders:
        return [known_rows(dataset)], []
    splits = read_folders(folders)
    tables, warnings = [folder_rows(folders, splits)], []
    if files:
        for split in splits:
            check_split(split, *files)
        tables.append(class_rows(splits, files[0]))
        warnings = [line for line in (look_for_classes(split, files[0]).warning for split in splits) if line]
    return tables, warnings


def known_rows(dataset: str | None = None) -> list[dict]:
    """A row for each published protocol, of one data set or of all. Raises KitError if none is known."""
    protocols = load_protocols(dataset)
    if not protocols:
        known = ", ".join(dict.fromkeys(protocol.dataset for protocol in load_protocols()))
        raise KitError(f"no published splits of {dataset!r} are known, only of {known}")
    return [
        {
            "data set": p.dataset,
            "name": p.name,
            "labelled": p.labelled,
            "unlabelled": p.unlabelled,
            "digests": f"{p.labelled_sha256[:8]} {p.unlabelled_sha256[:8]}",
            "good masks": NONE if p.high_quality is None else str(p.high_quality),
            "used by": ", ".join(p.used_by) + (f" ({p.shared} image in both lists: an error)" if p.shared else ""),
        }
        for p in protocols
    ]


def read_folders(folders: list[Path]) -> list[Split]:
    """The split of each folder. Raises KitError for one without lists."""
    for folder in folders:
        if not (folder / LABELLED).is_file():
            raise KitError(f"no {folder / LABELLED}; `splits import` and `splits draw` make such folders")
    return [read_lists(folder, f"lists {folder.name}") for folder in folders]


def folder_rows(folders: list[Path], splits: list[Split]) -> list[dict]:
    """A row for each folder: name, counts, digests, and the number of labelled images shared with each other folder."""
    return [
        {
            "": f"{i}",
            "folder": str(folder),
            "name": split.name,
            "labelled": len(split.labelled),
            "unlabelled": len(split.unlabelled),
            "digests": f"{split.record()['labelled_sha256'][:8]} {split.record()['unlabelled_sha256'][:8]}",
            **{
                f"shared with {j}": len(set(split.labelled) & set(other.labelled))
                for j, other in enumerate(splits, 1)
                if len(splits) > 1
            },
        }
        for i, (folder, split) in enumerate(zip(folders, splits, strict=True), 1)
    ]


def class_rows(splits: list[Split], train: SegFiles, silent: bool = False) -> list[dict]:
    """A row for each class: the number of labelled images of each split that hold it. Reads each labelled mask once."""
    names = sorted({name for split in splits for name in split.labelled})
    pixels = dict(zip(names, class_pixels(train, names, silent), strict=True))
    counts = [sum((pixels[name] > 0).astype(int) for name in split.labelled) for split in splits]
    heads = [f"{i} {split.name}" for i, split in enumerate(splits, 1)]
    return [
        {"class": cls, **{head: int(count[c]) for head, count in zip(heads, counts, strict=True)}}
        for c, cls in enumerate(train.spec.classes)
    ]
