"""Import labels from an annotation tool into a data set: all of them or none."""

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from kit.data.catalog import find_spec
from kit.data.folder import VAL
from kit.data.pictures import png_bytes
from kit.data.reading.decode import picture_size
from kit.data.reading.files import SegFiles
from kit.data.splits.split import LABELLED, Split, list_text, missing_classes, read_lists, write_lists
from kit.errors import KitError
from kit.label.formats import read_export
from kit.label.formats.archive import open_export
from kit.label.formats.shapes import Drawing, paint
from kit.settings.checks import require_choice
from kit.system.storage import replace_together, write_bytes
from kit.types import IGNORE

OVERLAPS = ("refuse", "later")


class Change(NamedTuple):
    """What an import does to one image."""

    name: str  # its id
    part: str  # "train" or "val"
    path: Path  # file of the mask
    mask: np.ndarray  # uint8 (H, W), class ids or IGNORE
    kind: str  # "new", "replaced" or "unchanged"
    changed: int  # pixels that differ from the old mask; for a new mask, pixels with a class
    values: np.ndarray  # uint8 (256,): class id -> value in this file


@dataclass(frozen=True)
class Plan:
    """An import that has been checked, not yet written."""

    dataset: str
    root: Path
    changes: tuple[Change, ...]
    unlabelled: int
    """Images of the data set that stay without a mask."""
    classes: tuple[str, ...]

    def count(self, kind: str) -> int:
        """Number of images of a kind."""
        return sum(change.kind == kind for change in self.changes)

    def rows(self) -> list[dict]:
        """For a table: a row per image."""
        return [
            {"image": change.name, "part": change.part, "mask": change.kind,
             "changed": f"{change.changed / change.mask.size:.1%}",
             "counted": f"{(change.mask != IGNORE).mean():.1%}",
             "classes": ", ".join(self.classes[i] for i in np.unique(change.mask[change.mask != IGNORE]))}
            for change in self.changes
        ]  # fmt: skip


def plan_import(export: str | Path, dataset: str, root: str | Path, form: str = "", replacing: bool = False,
                overlap: str = "refuse", before: Path | None = None, lists: Path | None = None) -> Plan:  # fmt: skip
    """Read an export and check it against a data set; nothing is written.

    Args:
        export: a file, folder or zip archive.
        dataset, root: a key of `kit.data.catalog.DATASETS` or "folder", and its folder.
        form: a key of `kit.label.formats.FORMATS`; "" detects it from the files.
        replacing: allow masks that differ from existing ones, and replace these.
        overlap: as in `kit.label.formats.shapes.paint`.
        before: folder of lists that `extended_split` will extend; only its existence is checked.
        lists: folder of the lists that it will write; must not be a file.
    Raises: KitError, one line that names the file, if the export is invalid or does not fit the data set.
    """
    require_choice(OVERLAPS, overlap=overlap)
    if before is not None and not (before / LABELLED).is_file():
        raise KitError(f"no {before / LABELLED}; name a folder of lists, or leave --split out")
    if lists is not None and lists.is_file():
        raise KitError(f"{lists} is a file; name a folder for the lists")
    root = Path(root)
    spec = find_spec(dataset, root)
    parts = _parts(spec, root)
    drawings = read_export(open_export(export), spec, form)
    if not drawings:
        raise KitError(f"{export} holds no labels: no image in it has a drawn region")
    known = _known(parts)
    changes: dict[str, Change] = {}
    for drawing in drawings:
        name, files = _find(drawing, known, root)
        if name in changes:
            raise KitError(f"{export} has two drawings of {name}; export each image once")
        mask = paint(drawing, spec.classes, picture_size(files.paths[name]), overlap)
        changes[name] = _change(name, files, mask)
    differing = [change for change in changes.values() if change.kind == "replaced"]
    if differing and not replacing:
        raise KitError(f"{len(differing)} image(s) have another mask already, such as {differing[0].path}; --replace "
                       "takes the new ones")  # fmt: skip
    bare = sum(name not in files.masks and name not in changes for files in parts for name in files.ids)
    return Plan(dataset, root, tuple(changes.values()), bare, spec.classes)


def carry_out(plan: Plan) -> tuple[str, ...]:
    """Write the masks of a plan, all or none. They are written under temporary names and then renamed together, so that
    a full disk or a file that cannot be replaced leaves no partial import.

    If val is drawn from the images with masks, its present ids are written to val.txt too (`drawn_val`), so that new
    masks move no image from val to train. Returns: these ids, or () if val.txt is not written. Raises: KitError if a
    file cannot be written, or val.txt cannot hold one of these ids; the data set is then unchanged.
    """
    frozen = drawn_val(plan.dataset, plan.root)
    contents = {plan.root / VAL: list_text(frozen).encode()} if frozen else {}
    changes = {change.path: change for change in plan.changes if change.kind != "unchanged"}
    waiting: list[tuple[Path, Path]] = []
    try:
        for path in (*contents, *changes):
            temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                waiting.append((temporary, path))
                write_bytes(temporary, contents[path] if path in contents else _png(changes[path]))
            except OSError as error:  # a folder that is read-only, a name that is too long
                raise KitError(f"{path} cannot be written: {error.strerror}; nothing is changed") from error
        replace_together(waiting)
    finally:
        for temporary, _ in waiting:
            with contextlib.suppress(OSError):  # a failed clean-up must not hide the first error
                temporary.unlink()
    return frozen


def drawn_val(dataset: str, root: Path) -> tuple[str, ...]:
    """Ids of the val part if it is drawn from the images with masks; () if val.txt names it, if it has its own folder,
    or if there are no masks yet."""
    if dataset != "folder" or (root / VAL).is_file():
        return ()
    try:
        val = SegFiles(find_spec(dataset, root), root, "val")
    except KitError:  # no masks yet: val will be drawn from the new ones
        return ()
    return val.ids if val.layout.members is not None else ()


def import_and_list(plan: Plan, say: Callable[[str], object], before: Path | None = None,
                    out: Path | None = None) -> tuple[Path, Split] | None:  # fmt: skip
    """Carry out a plan and extend the lists, as `extended_split` does; None where no lists can be made yet, although
    the masks are imported.

    Args:
        say: called with a line if val.txt was written, and with the reason if there are no lists.
    """
    if frozen := carry_out(plan):
        say(f"val is unchanged: its {len(frozen)} image(s) are now listed in {plan.root / VAL}")
    try:
        return extended_split(plan, before, out)
    except KitError as error:
        reason = str(error)
    except OSError as error:  # a folder that is read-only
        reason = f"{error.filename} cannot be written: {error.strerror}"
    say(f"no lists are written yet: {reason}")
    return None


def extended_split(plan: Plan, before: Path | None = None, out: Path | None = None) -> tuple[Path, Split]:
    """Write lists that add the plan's train images to the labelled ones; call it after `carry_out`.

    Args:
        before: folder of the lists to extend; None takes every train image that has a mask now.
        out: folder of the new lists; None is splits/labels_N in the data set's folder, with a digest behind it if other
            lists are there.
    Returns: the folder and the split.
    Raises: KitError if the lists cannot be read, or if there are too few masks for a train and a val part.
    """
    train = SegFiles(find_spec(plan.dataset, plan.root), plan.root, "train")
    added = {change.name for change in plan.changes} & set(train.paths)
    old = train.masked_ids if before is None else read_lists(before, f"lists {before}").labelled
    labelled = tuple(sorted({*old, *added}))
    split = Split(f"{len(labelled)} labels", labelled, tuple(sorted(set(train.ids) - set(labelled))),
                  missing_classes=missing_classes(train, labelled))  # fmt: skip
    out = out or _unused(plan.root / "splits" / f"labels_{len(labelled)}", split)
    write_lists(split, out, {"imported": sorted(added), "extends": None if before is None else before.name})
    return out, split


def _unused(folder: Path, split: Split) -> Path:
    """`folder`, or a name of these lists alone if it holds others, which a run may have been trained on."""
    if not (folder / LABELLED).exists():
        return folder
    with contextlib.suppress(KitError, OSError):
        found = read_lists(folder, folder.name)
        if (found.labelled, found.unlabelled) == (split.labelled, split.unlabelled):
            return folder
    return folder.with_name(f"{folder.name}_{split.record()['labelled_sha256'][:8]}")


def _parts(spec, root: Path) -> list[SegFiles]:
    """The parts (train, val) that can be opened; for a folder without any mask, all images as train."""
    found, problem = [], None
    for part in ("train", "val"):
        try:
            found.append(SegFiles(spec, root, part))
        except KitError as error:
            problem = problem or error
    if found:
        return found
    if spec.layouts[0].members is None:
        raise problem
    # Before the first mask no val part can be drawn: all images belong to train.
    everything = replace(spec, layouts=tuple(replace(layout, members=None) for layout in spec.layouts))
    return [SegFiles(everything, root, "train")]


def _known(parts: Iterable[SegFiles]) -> dict[str, list[tuple[str, SegFiles]]]:
    """File name, stem or id -> [(id, part)] of the images that have it."""
    known: dict[str, list] = {}
    for files in parts:
        for name, path in files.paths.items():
            for key in {path.name, path.stem, name}:
                known.setdefault(key, []).append((name, files))
    return known


def _find(drawing: Drawing, known: dict, root: Path) -> tuple[str, SegFiles]:
    file = drawing.file.replace("\\", "/").rpartition("/")[2]
    found = known.get(file) or known.get(Path(file).stem) or []
    if not found:
        raise KitError(f"{drawing.file}: no such image in {root}; labels are imported only for images of the data set")
    if len({name for name, _ in found}) > 1:
        raise KitError(f"{drawing.file}: {root} has several images of this name; rename them")
    return found[0]


def _change(name: str, files: SegFiles, mask: np.ndarray) -> Change:
    if name in files.masks:
        before = files.full_mask(name).numpy()
        same = before.shape == mask.shape
        changed = int((before != mask).sum()) if same else mask.size
        path, kind = files.masks[name]
        done = "replaced" if changed else "unchanged"
        return Change(name, files.part, path, mask, done, changed, kind.raw_values())
    path, values = _new_path(name, files), files.layout.masks[0].raw_values()
    return Change(name, files.part, path, mask, "new", int((mask != IGNORE).sum()), values)


def _new_path(name: str, files: SegFiles) -> Path:
    """File for the first mask of an image: a PNG if the pattern of the masks leaves the suffix open, in a folder that
    is named as the image's if it leaves that open."""
    pattern = files.layout.mask_patterns(files.part)[0]
    pattern = pattern.removesuffix(".*") + ".png" if pattern.endswith("*") else pattern
    before, after = pattern.rsplit("*", 1)
    return files.base / (before.replace("**", "*").replace("*", files.paths[name].parent.name) + name + after)


def _png(change: Change) -> bytes:
    # Grey, without a palette: if a class is black, a palette would turn ignored pixels into that class.
    return png_bytes(Image.fromarray(change.values[change.mask]))
