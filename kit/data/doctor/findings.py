"""Findings of the doctor, from the facts about single files: problems of a data set, each one line that names its file.

An *error* makes numbers wrong or stops a training run, a *warning* needs a check, a *note* is for information.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kit.data.doctor.file_facts import ImageFacts, MaskFacts, Trouble
from kit.data.loaders import few_images_warning
from kit.data.reading.files import SegFiles
from kit.data.reading.sizes import size_text
from kit.data.splits.class_cover import shows, usual_size
from kit.data.splits.split import listable

SEVERITIES = ERROR, WARNING, NOTE = "error", "warning", "note"
"""The most severe first."""

SMALL = 32
"""Least side of a picture in pixels. Networks halve a picture five times; nothing is left of a smaller one."""

UNLIKE = 16
"""Sizes are reported if the largest picture of a part has more than this many times the area of the smallest."""

THIN = 6
"""Number of labelled images that should show a class at half its usual size or more. If a split has fewer than four
times this number of labelled images, a quarter of them should."""


class Finding(NamedTuple):
    """One problem, or one fact worth knowing."""

    severity: str  # ERROR, WARNING or NOTE
    kind: str  # a few words, the same for all findings of this kind
    part: str  # "train" or "val"; "" if it concerns both or neither
    file: str  # path, or the folder or id it is about
    message: str  # one line that names the file or the value
    count: int = 1  # pixels, images or classes it is about


@dataclass(frozen=True)
class Read:
    """One part of a data set with the facts of all of its files, by id."""

    files: SegFiles
    images: dict[str, ImageFacts | Trouble] = field(default_factory=dict)
    masks: dict[str, MaskFacts | Trouble] = field(default_factory=dict)

    def sound_images(self) -> dict[str, ImageFacts]:
        """Facts of the images that can be read."""
        return {name: facts for name, facts in self.images.items() if isinstance(facts, ImageFacts)}

    def sound_masks(self) -> dict[str, MaskFacts]:
        """Facts of the masks that can be read."""
        return {name: facts for name, facts in self.masks.items() if isinstance(facts, MaskFacts)}


def of_part(read: Read) -> Iterator[Finding]:
    """Findings about one part by itself."""
    for findings in (_presence, _troubles, _images, _masks, _pairs, _sizes, _orientations, _kind_of_all):
        yield from findings(read)


def _presence(read: Read) -> Iterator[Finding]:
    """Findings on images without masks, too few val images, ids without images, and names that lists cannot hold."""
    files, part = read.files, read.files.part
    bare = [name for name in files.ids if name not in files.masks]
    if part == "val" and files.masked_ids and (message := few_images_warning(len(files.masked_ids))):
        yield Finding(WARNING, "few val images", part, str(files.base), message, len(files.masked_ids))
    if not files.masked_ids:
        expected = files.base / " or ".join(files.layout.mask_patterns(part))
        message = f"no {part} image has a mask: no file {expected} of the same name"
        yield Finding(ERROR, "no masks", part, str(files.base), message, len(bare))
    elif part == "val":
        for name in bare:
            yield Finding(ERROR, "image without mask", part, str(files.paths[name]), files.no_mask(name))
    elif bare:
        message = f"{len(bare)} of {len(files.ids)} train images have no mask, such as {bare[0]}: they stay unlabelled"
        yield Finding(NOTE, "image without mask", part, str(files.paths[bare[0]]), message, len(bare))
    for name in files.ids:
        if not listable(name):
            message = (f"{str(files.paths[name])!a} has a name that a list cannot hold (a space at an end, or not one "
                       "line of UTF-8); rename it")  # fmt: skip
            yield Finding(ERROR, "name", part, str(files.paths[name]), message)
    for name in files.missing:
        message = f"no image {name} in {files.base}, although a list of the data set names it in {part}"
        yield Finding(ERROR, "listed, not there", part, name, message)


def _troubles(read: Read) -> Iterator[Finding]:
    """Files that cannot be used."""
    for facts_by_id, path_of in ((read.images, read.files.paths.get), (read.masks, read.files.mask_path)):
        for name, facts in facts_by_id.items():
            if isinstance(facts, Trouble):
                yield Finding(ERROR, facts.kind, read.files.part, str(path_of(name)), facts.message, facts.count)


def _images(read: Read) -> Iterator[Finding]:
    for name, facts in read.sound_images().items():
        path, size = str(read.files.paths[name]), size_text(facts.size)
        for holds, severity, kind, what in (
            (facts.colour is not None, WARNING, "single colour",
             f"is of the single colour {facts.colour}: there is nothing on it"),
            (facts.deep, WARNING, "16 bits", "has 16 bits per channel, of which the upper 8 are used"),
            (min(facts.size) < SMALL, WARNING, "tiny",
             f"is {size}; below {SMALL} pixels nothing is left of it inside a network"),
            (facts.turned, NOTE, "turned",
             f"is turned upright to {size} by its EXIF orientation; its mask must be turned too"),
        ):  # fmt: skip
            if holds:
                yield Finding(severity, kind, read.files.part, path, f"{path} {what}")


def _masks(read: Read) -> Iterator[Finding]:
    part = read.files.part
    for name, facts in read.sound_masks().items():
        path = str(read.files.mask_path(name))
        if not facts.pixels.any():
            message = f"{path} labels nothing: all of its {facts.ignored} pixels are ignored"
            yield Finding(WARNING, "nothing labelled", part, path, message, facts.ignored)
        if facts.lossy:
            message = f"{path} is a JPEG, which changes values at edges; save masks as PNG"
            yield Finding(WARNING, "lossy mask", part, path, message)


def _pairs(read: Read) -> Iterator[Finding]:
    """Masks whose size differs from their image's."""
    images, files = read.sound_images(), read.files
    for name, mask in read.sound_masks().items():
        if name not in images or images[name].size == mask.size:
            continue
        image, path, hint = images[name], files.mask_path(name), ""
        if image.size == mask.size[::-1]:
            why = "the EXIF orientation turns the image" if image.turned else "one of the two is rotated"
            hint = f"; height and width are swapped: {why}"
        sizes = f"{size_text(mask.size)}, its image {size_text(image.size)}"
        yield Finding(ERROR, "sizes differ", files.part, str(path), f"{path} is {sizes} ({files.paths[name]}){hint}")


def _sizes(read: Read) -> Iterator[Finding]:
    areas = {name: math.prod(facts.size) for name, facts in read.sound_images().items()}
    if not areas:
        return
    least, most = min(areas, key=areas.get), max(areas, key=areas.get)
    if areas[most] > UNLIKE * areas[least]:
        low, high = (f"{read.files.paths[i]} ({size_text(read.images[i].size)})" for i in (least, most))
        message = f"sizes differ widely, from {low} to {high}; crops of them show things at very different scales"
        yield Finding(WARNING, "unlike sizes", read.files.part, str(read.files.paths[least]), message, len(areas))


def _orientations(read: Read) -> Iterator[Finding]:
    sizes = {name: facts.size for name, facts in read.sound_images().items()}
    tall = [name for name, (height, width) in sizes.items() if height > width]
    if tall and any(height < width for height, width in sizes.values()):
        path, part = read.files.paths[tall[0]], read.files.part
        message = (
            f"{len(tall)} of {len(sizes)} {part} images are taller than wide, such as {path}, others are wider: "
            "data.keep_aspect keeps their shapes, as recipe folder does; data.base_size alone squeezes them into one"
        )
        yield Finding(NOTE, "mixed orientations", part, str(path), message, len(tall))


def _kind_of_all(read: Read) -> Iterator[Finding]:
    """Masks of one kind whose values, taken together, all belong to a narrower kind; in one mask this may be chance."""
    kinds = read.files.layout.masks
    for kind in kinds:
        names = [i for i, facts in read.sound_masks().items() if read.files.masks[i][1] is kind and facts.raw]
        raw = frozenset().union(*(read.masks[i].raw for i in names))
        for other in kinds:
            narrower = set(other.raw_ids) - {255} < set(kind.raw_ids) - {255}
            if narrower and len(raw) > 1 and raw <= set(other.raw_ids):
                path = str(read.files.masks[names[0]][0])
                message = (
                    f"{len(names)} masks named {kind.kind!r}, such as {path}, hold no value above {max(raw)}; "
                    f"their values are those of {other.kind!r}, so name and content disagree"
                )
                yield Finding(ERROR, "mask kind", read.files.part, path, message, len(names))


def of_duplicates(parts: Mapping[str, Read], labelled: frozenset[str]) -> Iterator[Finding]:
    """Images with identical pixels, except images of a single colour, which are equal without being copies."""
    same = defaultdict(list)
    for part, read in parts.items():
        for name, facts in read.sound_images().items():
            if facts.colour is None:
                same[facts.digest].append((part, name))
    for (first_part, first), *copies in same.values():
        original = parts[first_part].files.paths[first]
        for part, name in copies:
            path = str(parts[part].files.paths[name])
            if part != first_part:
                message = f"{path} of {part} is the same picture as {original} of {first_part}: scores are too high"
                yield Finding(ERROR, "in train and val", "", path, message)
            else:
                known = {name, first} & labelled if part == "train" else ()
                which = ("", ", one labelled and one not", ", both labelled")[len(known)]
                yield Finding(WARNING, "twice", part, path, f"{path} is the same picture as {original}{which}")


def of_classes(classes: tuple[str, ...], pixels: Mapping[str, np.ndarray], file: str = "") -> Iterator[Finding]:
    """Classes without a pixel in a part.

    Args:
        pixels: "train", "val" and "labelled" -> int64 (C,).
        file: in which the classes' values in masks can be named; "" if there is none.
    """
    absent = {part: [c for c, n in zip(classes, counts, strict=True) if not n] for part, counts in pixels.items()}
    for part, why in (("train", "no network can learn them"), ("val", "they get no score")):
        names = absent.get(part, [])
        if names and len(names) < len(classes):
            message = f"no pixel of {', '.join(names)} in the {part} masks: {why}"
            if file and len(names) == len(classes) - 1:  # masks of 0 and 255, as many programs write them
                message += f"; if 255, which is ignored, stands for a class, name the `values` of all in {file}"
            yield Finding(WARNING, "class absent", part, "", message, len(names))
    names = [name for name in absent.get("labelled", []) if name not in absent.get("train", [])]
    if names:
        message = f"no pixel of {', '.join(names)} in the labelled part of the split; another draw may have some"
        yield Finding(WARNING, "class not labelled", "train", "", message, len(names))


def of_thin_classes(classes: tuple[str, ...], labelled: np.ndarray, train: np.ndarray) -> Iterator[Finding]:
    """Classes that the labelled part of a split shows too rarely or too small to be learnt, where train has more.

    A class is thin if too few labelled images (THIN) show it at half its mean size or more, or if its share of the
    labelled pixels is less than half of its share in train.

    Args:
        labelled, train: int64 (n, C), pixels of each class in each mask of the labelled part and of the whole of train.
    """
    if not labelled.any():
        return
    wanted = min(THIN, math.ceil(len(labelled) / 4))
    shown, there = (shows(counts, 0.5, usual_size(train)).sum(0) for counts in (labelled, train))
    shares, usual = (counts.sum(0) / counts.sum() for counts in (labelled, train))
    thin = (shares > 0) & ((shown < np.minimum(wanted, there)) | (2 * shares < usual))
    if thin.any():
        each = [f"{classes[c]} ({shares[c]:.2%} of the pixels, {usual[c]:.2%} in train; at half its usual size or more "
                f"in {shown[c]} images)" for c in np.flatnonzero(thin)]  # fmt: skip
        message = (
            f"thin in the {len(labelled)} labelled images: {', '.join(each)}. Such classes are often not learnt: label "
            f"more or exchange images by `python -m kit splits draw --cover {wanted} --pixels 0.5`"
        )
        yield Finding(WARNING, "class thin", "train", "", message, int(thin.sum()))
