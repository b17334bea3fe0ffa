"""The folders of a data set: its parts opened, and the files that no pattern matches.

Nothing is decoded here. Every problem in opening a part becomes a finding.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from kit.data.doctor.findings import ERROR, WARNING, Finding
from kit.data.folder import FILE, VAL
from kit.data.pictures import visible
from kit.data.reading.files import SegFiles, find_files, find_layout
from kit.data.spec import DatasetSpec, Layout
from kit.errors import KitError, one_line


def open_part(spec: DatasetSpec, root: Path, part: str) -> SegFiles | Finding:
    """The part "train" or "val", or a finding that says why it cannot be opened."""
    kind = "no images"
    try:
        base, layout = find_layout(spec, root, part)
        kind = "same id"
        for pattern in _image_patterns(layout, part):
            find_files(base, pattern, pictures=True)
        for pattern in layout.mask_patterns(part):
            find_files(base, pattern)
        kind = "parts"
        return SegFiles(spec, root, part)
    except (KitError, OSError, UnicodeError) as error:
        message = one_line(error) if isinstance(error, KitError) else f"{root} cannot be read: {one_line(error)}"
        return Finding(ERROR, kind, part, str(root), message)


def strays(spec: DatasetSpec, root: Path, parts: dict[str, SegFiles]) -> Iterator[Finding]:
    """Files that look like images or masks but match no pattern, and masks without an image.

    Args:
        parts: the parts that could be opened; for the others every layout of the data set is searched.
    """
    bare = {i for files in parts.values() for i in files.ids if i not in files.masks}
    found: dict[str, Finding] = {}
    for part in ("train", "val"):
        if part in parts:
            places = [(parts[part].base, parts[part].layout)]
        else:
            places = [(root / below, layout) for below in spec.below for layout in spec.layouts]
        for base, layout in places:
            for finding in (*_images(base, layout, part), *_masks(base, layout, part, bare)):
                found.setdefault(finding.file, finding)
    yield from found.values()
    yield from _orphans(parts)


def _images(base: Path, layout: Layout, part: str) -> Iterator[Finding]:
    expected, *extra = _image_patterns(layout, part)
    matched = {path for pattern in (expected, *extra) for path in _matched(base, pattern, pictures=True)}
    for path in _left_out(base, expected, matched):
        if path.name not in (FILE, VAL):
            message = f"{path} is not read as an image: expected {expected}, in a format that Pillow reads"
            yield _case(path, expected, part) or Finding(WARNING, "not an image", part, str(path), message)
    masks = {path for pattern in layout.mask_patterns(part) for path in _matched(base, pattern, pictures=False)}
    for path in _below(base, expected, matched | masks):
        message = f"{path} is not read as an image: it lies deeper than expected, {expected}"
        yield Finding(WARNING, "not an image", part, str(path), message)


def _masks(base: Path, layout: Layout, part: str, bare: set[str]) -> Iterator[Finding]:
    """Data sets keep other files beside their masks, so only a file that fits an image without a mask is reported."""
    for pattern in layout.mask_patterns(part):
        before, _, after = Path(pattern).stem.rpartition("*")
        for path in _left_out(base, pattern, _matched(base, pattern, pictures=False)):
            name = path.stem.removeprefix(before).removesuffix(after)
            if case := _case(path, pattern, part):
                yield case
            elif name in bare and path.stem == before + name + after:
                message = f"{path} is not read as the mask of {name}: expected {pattern}"
                yield Finding(WARNING, "not a mask", part, str(path), message)


def _orphans(parts: dict[str, SegFiles]) -> Iterator[Finding]:
    """Masks whose id belongs to no image of any part."""
    known = {name for files in parts.values() for name in (*files.paths, *files.missing)}
    found: dict[Path, Finding] = {}
    for part, files in parts.items():
        for pattern in files.layout.mask_patterns(part):
            for name, path in find_files(files.base, pattern).items():
                if name not in known:
                    message = f"{path} is a mask without an image: no image is called {name}"
                    found.setdefault(path, Finding(ERROR, "mask without image", part, str(path), message))
    yield from found.values()


def _image_patterns(layout: Layout, part: str) -> list[str]:
    """Patterns of the images, then of the extra ones."""
    return [layout.pattern(layout.images, part), *layout.extra]


def _matched(base: Path, pattern: str, pictures: bool) -> set[Path]:
    try:
        return set(find_files(base, pattern, pictures).values())
    except KitError:  # two files of one id, which `open_part` reports
        return set(base.glob(pattern))


def _left_out(base: Path, pattern: str, matched: set[Path]) -> list[Path]:
    """Plain files in the folders of a pattern that are not matched, sorted, without hidden ones."""
    beside = set(base.glob(str(Path(pattern).parent / "*"))) - matched
    return sorted(path for path in beside if not path.name.startswith(".") and path.is_file())


def _below(base: Path, pattern: str, known: set[Path]) -> list[Path]:
    """Pictures in folders below those of a pattern, sorted, without hidden ones. None if its images lie in the data
    set's own folder, where other folders hold masks."""
    inside = str(Path(pattern).parent)
    found = base.glob(f"{inside}/*/**/*") if inside != "." else ()
    return [path for path in visible(found, base) if path not in known and path.is_file()]


def _case(path: Path, pattern: str, part: str) -> Finding | None:
    """The finding for a file whose name would match the pattern if capital letters were ignored, else None."""
    expected = Path(pattern).name
    if fnmatchcase(path.name, expected) or not fnmatchcase(path.name.lower(), expected.lower()):
        return None
    message = f"{path} is left out: its name differs from {pattern} in capital letters"
    return Finding(WARNING, "capital letters", part, str(path), message)
