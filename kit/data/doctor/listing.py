"""What lies in the folders of a data set: its parts opened, and the files that no pattern takes.

Nothing is decoded here. Whatever hinders opening a part becomes a finding.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from kit.data.doctor.findings import ERROR, WARNING, Finding
from kit.data.folder import FILE
from kit.data.reading.files import SegFiles, find_layout, found
from kit.data.spec import DatasetSpec, Layout
from kit.errors import KitError


def open_part(spec: DatasetSpec, root: Path, part: str) -> SegFiles | Finding:
    """The part "train" or "val", or why it cannot be opened."""
    kind = "no images"
    try:
        base, layout = find_layout(spec, root, part)
        kind = "same id"
        for pattern, pictures in _patterns(layout, part):
            found(base, pattern, pictures=pictures)
        kind = "parts"
        return SegFiles(spec, root, part)
    except (KitError, OSError, UnicodeError) as error:
        return Finding(ERROR, kind, part, str(root), _with_root(error, root))


def strays(spec: DatasetSpec, root: Path, parts: dict[str, SegFiles]) -> Iterator[Finding]:
    """Files that look as if they were meant to be read and that no pattern takes, and masks without an image.

    Args:
        parts: those that could be opened; of the others every form of the data set is looked for.
    """
    told: set[Path] = set()
    for part in ("train", "val"):
        if part in parts:
            places = [(parts[part].base, parts[part].layout)]
        else:
            places = [(root / below, layout) for below in spec.below for layout in spec.layouts]
        bare = {i for read in parts.values() for i in read.ids if i not in read.masks}
        for base, layout in places:
            for finding in (*_images(base, layout, part), *_masks(base, layout, part, bare)):
                if Path(finding.file) not in told:
                    told.add(Path(finding.file))
                    yield finding
    yield from _orphans(parts)


def _images(base: Path, layout: Layout, part: str) -> Iterator[Finding]:
    patterns = _patterns(layout, part)
    taken = {path for pattern, pictures in patterns for path in _found(base, pattern, pictures)}
    pattern = patterns[0][0]
    for path in _beside(base, pattern):
        if path in taken or path.name == FILE:
            continue
        if _case_alone(path, pattern):
            yield _case(path, pattern, part)
        else:
            message = f"{path} is not taken for an image: wanted {pattern}, in a form that Pillow reads"
            yield Finding(WARNING, "not an image", part, str(path), message)


def _masks(base: Path, layout: Layout, part: str, bare: set[str]) -> Iterator[Finding]:
    """Data sets keep other files beside their masks, so only what would be the mask of an image is told of."""
    for pattern, _ in _patterns(layout, part)[1 + len(layout.extra) :]:
        taken = _found(base, pattern, False)
        before, _, after = Path(pattern).stem.rpartition("*")
        for path in _beside(base, pattern):
            if path in taken:
                continue
            name = path.stem.removeprefix(before).removesuffix(after)
            if _case_alone(path, pattern):
                yield _case(path, pattern, part)
            elif name in bare and path.stem == before + name + after:
                message = f"{path} is not taken for the mask of {name}: wanted {pattern}"
                yield Finding(WARNING, "not a mask", part, str(path), message)


def _orphans(parts: dict[str, SegFiles]) -> Iterator[Finding]:
    """Masks whose id no image of any part has."""
    known = {name for files in parts.values() for name in (*files.paths, *files.missing)}
    told: set[Path] = set()
    for part, files in parts.items():
        name_of_part = dict(files.layout.parts)[part]
        for kind in files.layout.masks:
            for name, path in found(files.base, kind.files.format(part=name_of_part)).items():
                if name not in known and path not in told:
                    told.add(path)
                    message = f"{path} is the mask of no image: none is called {name}"
                    yield Finding(ERROR, "mask without image", part, str(path), message)


def _patterns(layout: Layout, part: str) -> list[tuple[str, bool]]:
    """(pattern, whether only pictures are wanted): of the images, of the extra ones, of the masks."""
    name = dict(layout.parts)[part]
    images = [(layout.images.format(part=name), True), *((pattern, True) for pattern in layout.extra)]
    return images + [(kind.files.format(part=name), False) for kind in layout.masks]


def _found(base: Path, pattern: str, pictures: bool) -> set[Path]:
    try:
        return set(found(base, pattern, pictures=pictures).values())
    except KitError:  # two files of one id, of which `open_part` tells
        return set(base.glob(pattern))


def _beside(base: Path, pattern: str) -> list[Path]:
    """Plain files in the folders of a pattern, sorted; hidden ones are never meant."""
    beside = base.glob(str(Path(pattern).parent / "*"))
    return sorted(path for path in beside if not path.name.startswith(".") and path.is_file())


def _case_alone(path: Path, pattern: str) -> bool:
    wanted = Path(pattern).name
    return not fnmatchcase(path.name, wanted) and fnmatchcase(path.name.lower(), wanted.lower())


def _case(path: Path, pattern: str, part: str) -> Finding:
    message = f"{path} is left out: its name is written otherwise than {pattern}; capital letters count"
    return Finding(WARNING, "capital letters", part, str(path), message)


def _with_root(error: Exception, root: Path) -> str:
    message = " ".join(str(error).split())
    return message if isinstance(error, KitError) else f"{root} cannot be read: {message}"
