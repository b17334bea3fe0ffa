"""Reads published lists: one path or id a line, or image and mask separated by a space or a tab."""

import re
from pathlib import Path

from kit.data.catalog import DATASETS
from kit.data.reading.decode import SUFFIXES
from kit.data.reading.files import SegFiles
from kit.data.spec import DatasetSpec
from kit.data.splits.published import find_protocol
from kit.data.splits.split import Split, check_split, look_for_classes, repeated, some, write_lists
from kit.errors import KitError

_SUFFIX = "|".join(sorted(suffix.lstrip(".") for suffix in SUFFIXES))
_IMAGE_AND_MASK = re.compile(rf"(\S.*?\.(?:{_SUFFIX}))\s+\S.*", re.IGNORECASE)


def import_lists(labelled: Path, unlabelled: Path, out: Path, spec: DatasetSpec | None = None,
                 files: tuple[SegFiles, SegFiles] | None = None) -> Split:  # fmt: skip
    """Read two published lists, identify them, and write them to the folder `out` in the kit's own format.

    Args:
        labelled, unlabelled: list files.
        spec: the data set, if known; the parts of its file names around an id are removed.
        files: its train and val images, if available; the lists are checked against them.
    Raises: KitError as `read_published` and `check_split` do, and if the lists share an image or belong to another
        data set; then nothing is written.
    """
    lists = [read_published(path, spec) for path in (labelled, unlabelled)]
    protocol = find_protocol(*lists)
    if both := set(lists[0]) & set(lists[1]):
        known = f" (they are {protocol.name!r}, published like this)" if protocol else ""
        raise KitError(f"{labelled} and {unlabelled} share {some(both)}{known}; delete the line from one of them")
    if protocol and spec and spec.name in DATASETS and spec.name != protocol.dataset:
        raise KitError(f"{labelled} and {unlabelled} are {protocol.name!r} of {protocol.dataset}, not of {spec.name}")
    split = Split(protocol.name if protocol else f"lists {out.name}", *lists)
    if files:
        check_split(split, *files)
        split = look_for_classes(split, files[0])
    write_lists(split, out, {"imported": ["/".join(path.parts[-2:]) for path in (labelled, unlabelled)]})
    return split


def read_published(path: Path, spec: DatasetSpec | None = None) -> tuple[str, ...]:
    """Ids of a list file, in its order.

    Raises: KitError if the file is missing, not text, empty, or names an image twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise KitError(f"no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise KitError(f"{path} is not a list of images: it is not UTF-8 text") from error
    if "\0" in text:
        raise KitError(f"{path} is not a list of images: it is a binary file")
    around = _around_ids(spec)
    ids = tuple(_image_id(line.strip(), around) for line in text.splitlines() if line.strip())
    if not ids:
        raise KitError(f"{path} is empty; a list names one image per line")
    if "" in ids:
        raise KitError(f"{path} has a line without the name of an image")
    if twice := repeated(ids):
        raise KitError(f"{path} names {some(twice)} twice; keep one line of each")
    return ids


def _image_id(line: str, around: list[tuple[str, str]]) -> str:
    """The image's id in a line "image", "image mask" or "image<tab>mask"; the image may have folders, a suffix and text
    around its id."""
    first, *others = line.split("\t")
    if not others and (match := _IMAGE_AND_MASK.fullmatch(line)):
        first = match[1]
    elif not others and len(words := line.split()) == 2 and f"{_stem(words[1])}_".startswith(f"{_stem(words[0])}_"):
        first = words[0]  # without suffixes, a space may also belong to the name
    stem = _stem(first)
    for before, after in around:
        if stem.startswith(before) and stem.endswith(after) and len(stem) > len(before + after):
            return stem[len(before) : len(stem) - len(after)]
    return stem


def _stem(path: str) -> str:
    name = path.strip().replace("\\", "/").rpartition("/")[2]
    dot = name.rfind(".")
    # Ids may contain dots, so only suffixes of pictures are removed.
    return name[:dot] if dot > 0 and name[dot:].lower() in SUFFIXES else name


def _around_ids(spec: DatasetSpec | None) -> list[tuple[str, str]]:
    """Texts (before, after) the id in image names of one data set, or of all in the catalog; the longest first."""
    around = set()
    for entry in [spec] if spec else DATASETS.values():
        for pattern in (pattern for layout in entry.layouts for pattern in (layout.images, *layout.extra)):
            before, _, after = Path(pattern).stem.rpartition("*")
            around.add((before.rpartition("*")[2], after))
    return sorted(around - {("", "")}, key=lambda pair: -len(pair[0] + pair[1]))
