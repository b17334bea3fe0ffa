"""Comparison of splits: rows for tables, column -> value."""

from pathlib import Path

from kit.data.reading.files import SegFiles
from kit.data.splits.class_cover import class_pixels
from kit.data.splits.published import load_protocols
from kit.data.splits.split import LABELLED, Split, check_split, look_for_classes, read_lists
from kit.errors import KitError


def overview(folders: list[Path], dataset: str | None = None,
             files: tuple[SegFiles, SegFiles] | None = None) -> tuple[list[list[dict]], list[str]]:  # fmt: skip
    """Tables and warnings: of the published splits if `folders` is empty, else of the lists in the folders.

    Args:
        dataset: only its published splits.
        files: train and val images; the lists are checked against them and their classes counted.
    Raises: KitError for a data set without published splits or a folder without lists, and as `check_split` does.
    """
    if not folders:
        return [_known_rows(dataset)], []
    for folder in folders:
        if not (folder / LABELLED).is_file():
            raise KitError(f"no {folder / LABELLED}; `splits import` and `splits draw` make such folders")
    splits = [read_lists(folder, f"lists {folder.name}") for folder in folders]
    tables, warnings = [_folder_rows(folders, splits)], []
    if files:
        for split in splits:
            check_split(split, *files)
        tables.append(_class_rows(splits, files[0]))
        warnings = [line for line in (look_for_classes(split, files[0]).warning for split in splits) if line]
    return tables, warnings


def _known_rows(dataset: str | None) -> list[dict]:
    """A row for each published protocol."""
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
            "good masks": "–" if p.high_quality is None else str(p.high_quality),
            "used by": ", ".join(p.used_by) + (f" ({p.shared} image in both lists: an error)" if p.shared else ""),
        }
        for p in protocols
    ]


def _folder_rows(folders: list[Path], splits: list[Split]) -> list[dict]:
    """A row for each folder, with the number of labelled images that it shares with each folder."""
    rows = []
    for i, (folder, split) in enumerate(zip(folders, splits, strict=True), 1):
        about = split.record()
        row = {"": f"{i}", "folder": str(folder)} | {key: about[key] for key in ("name", "labelled", "unlabelled")}
        row["digests"] = f"{about['labelled_sha256'][:8]} {about['unlabelled_sha256'][:8]}"
        if len(splits) > 1:
            shared = (len(set(split.labelled) & set(other.labelled)) for other in splits)
            row |= {f"shared with {j}": count for j, count in enumerate(shared, 1)}
        rows.append(row)
    return rows


def _class_rows(splits: list[Split], train: SegFiles) -> list[dict]:
    """A row for each class: the number of labelled images of each split that hold it. Reads each labelled mask once."""
    names = sorted({name for split in splits for name in split.labelled})
    pixels = dict(zip(names, class_pixels(train, names), strict=True))
    counts = [sum((pixels[name] > 0).astype(int) for name in split.labelled) for split in splits]
    heads = [f"{i} {split.name}" for i, split in enumerate(splits, 1)]
    return [
        {"class": cls, **{head: int(count[c]) for head, count in zip(heads, counts, strict=True)}}
        for c, cls in enumerate(train.spec.classes)
    ]
