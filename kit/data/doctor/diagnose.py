"""Checks whether a data set is fit for training: reads every file completely and reports all problems at once."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from kit.data.catalog import find_spec, require_known
from kit.data.doctor.file_facts import image_facts, mask_facts
from kit.data.doctor.findings import (
    ERROR,
    SEVERITIES,
    Finding,
    Read,
    of_classes,
    of_duplicates,
    of_part,
    of_thin_classes,
)
from kit.data.doctor.listing import open_part, strays
from kit.data.reading.files import SegFiles
from kit.data.reading.sizes import size_text
from kit.data.spec import Colour, DatasetSpec
from kit.data.splits.hash_draw import draw
from kit.data.splits.split import Split, chosen_split, split_problems
from kit.errors import KitError, one_line
from kit.settings.checks import require_positive
from kit.settings.run import DataConfig
from kit.system.console import bar

Watch = Callable[[int, int], None]
"""Called with (files read, files in all) after each file."""


@dataclass(frozen=True)
class Census:
    """Counts of one part. Pixels, including ignored ones, are counted in its readable masks at their size on disk."""

    images: int
    """Images of the part; further images without masks, which train may use, are `extra`."""
    masks: int
    """Masks, with and without an image."""
    pairs: int
    """Images that have a mask."""
    extra: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    """"height x width" -> readable images, the most frequent first."""
    pixels: dict[str, int] = field(default_factory=dict)
    """Class -> pixels."""
    ignored: int = 0
    present: dict[str, int] = field(default_factory=dict)
    """Class -> masks that have a pixel of it."""

    def shares(self) -> dict[str, float]:
        """Class -> share of the counted pixels, 0..1; 0 where the class does not occur."""
        total = sum(self.pixels.values())
        return {name: count / total if total else 0.0 for name, count in self.pixels.items()}


@dataclass(frozen=True)
class Diagnosis:
    """All findings and counts. Plain data: `kit.figures` draws tables and figures from it."""

    dataset: str
    root: str
    split: dict | None
    """Name, counts and digests of the split; None if none was given or it cannot be used."""
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    parts: dict[str, Census]
    """The parts that exist of "train", "val" and "labelled" (the labelled images of the split) -> their counts."""
    findings: tuple[Finding, ...]
    """Errors first."""
    files: int
    """Files that were read."""
    seconds: float

    def count(self, severity: str) -> int:
        """Number of findings of this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def record(self) -> dict:
        """The diagnosis as values for JSON."""
        return {**asdict(self), "findings": [finding._asdict() for finding in self.findings]}


def examine(dataset: str, root: str | Path, split: str = "", split_seed: int = 0, workers: int | None = None,
            progress: bool | Watch = False) -> Diagnosis:  # fmt: skip
    """Read every image and every mask that training or evaluation would use, and report their problems.

    If an image has masks of several kinds, the preferred one is read, as in training.

    Args:
        dataset: a key of `kit.data.catalog.DATASETS`, or "folder".
        root: the data set's folder; nothing is written to it.
        split: as `DataConfig.split`; it is checked and its labelled part counted. Empty for none.
        split_seed: seed of a drawn split.
        workers: files read at a time; None is one per core. With 1 no thread is started.
        progress: True shows a bar; a function is called with (files read, files in all) instead.
    Returns: counts and findings; every problem of the data is a finding, even a missing folder.
    Raises: KitError for an unknown data set or workers below 1; never for the content of the folder.
    """
    began = time.monotonic()
    require_known(dataset)
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    require_positive(workers=workers)
    root = Path(root)
    findings: list[Finding] = []
    spec = _spec(dataset, root, findings)
    parts = _parts(spec, root, findings) if spec else {}
    reads = _read(parts, workers, progress)
    findings += chain.from_iterable(of_part(read) for read in reads.values())
    chosen = _split(split, split_seed, parts, findings)
    labelled = chosen.labelled if chosen else ()
    findings += of_duplicates(reads, frozenset(labelled))
    census = {part: _census(read) for part, read in reads.items()}
    if chosen:
        census["labelled"] = _census(reads["train"], labelled)
        absent = (name for name, count in census["labelled"].pixels.items() if not count)
        chosen = replace(chosen, missing_classes=tuple(absent))
    if spec:
        pixels = {part: np.array([*counted.pixels.values()]) for part, counted in census.items()}
        findings += of_classes(spec.classes, pixels, spec.layouts[0].masks[0].ignore)
        if "labelled" in census:
            sound = reads["train"].sound_masks()
            rows = [np.array([sound[i].pixels for i in ids if i in sound]) for ids in (labelled, sound)]
            findings += of_thin_classes(spec.classes, *rows)
    return Diagnosis(
        dataset=dataset,
        root=str(root),
        split=chosen.record() if chosen else None,
        classes=spec.classes if spec else (),
        palette=spec.palette if spec else (),
        parts=census,
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
        files=sum(len(read.images) + len(read.masks) for read in reads.values()),
        seconds=round(time.monotonic() - began, 3),
    )


def sound_pairs(diagnosis: Diagnosis, part: str = "train", count: int = 3, seed: int = 0) -> list[tuple]:
    """Up to `count` pairs without an error, drawn by hash: (id, image uint8 (H, W, 3), mask uint8 (H, W)) each."""
    root, bad = Path(diagnosis.root), {finding.file for finding in diagnosis.findings if finding.severity == ERROR}
    if part not in diagnosis.parts:
        return []
    files = SegFiles(find_spec(diagnosis.dataset, root), root, part)
    sound = [i for i in files.masked_ids if not bad & {str(files.paths[i]), str(files.masks[i][0])}]
    pairs = ((name, *files.pair(name)) for name in draw(sound, count, seed))
    return [(name, image.permute(1, 2, 0).numpy(), mask.numpy()) for name, image, mask in pairs]


def _spec(dataset: str, root: Path, findings: list[Finding]) -> DatasetSpec | None:
    kind = "no folder"
    try:
        if not root.is_dir():
            raise KitError(f"no folder {root}; give the folder of the data set")
        kind = "description"
        return find_spec(dataset, root)
    except (KitError, OSError, UnicodeError) as error:
        findings.append(Finding(ERROR, kind, "", str(root), one_line(error)))
        return None


def _parts(spec: DatasetSpec, root: Path, findings: list[Finding]) -> dict[str, SegFiles]:
    opened = {part: open_part(spec, root, part) for part in ("train", "val")}
    findings += (part for part in opened.values() if isinstance(part, Finding))
    parts = {name: part for name, part in opened.items() if isinstance(part, SegFiles)}
    findings += strays(spec, root, parts)
    return parts


def _read(parts: dict[str, SegFiles], workers: int, progress: bool | Watch) -> dict[str, Read]:
    """Facts of every file. Threads suffice: Pillow and hashlib release the interpreter lock while they work."""
    reads = {part: Read(files) for part, files in parts.items()}
    tasks: list[tuple[dict, str, Callable]] = []  # (dict for the facts, id, function that reads the file)
    for read in reads.values():
        kinds, spec = read.files.layout.masks, read.files.spec
        tasks += ((read.images, name, partial(image_facts, path)) for name, path in read.files.paths.items())
        for name, (path, kind) in read.files.masks.items():
            tasks.append((read.masks, name, partial(mask_facts, path, kind, kinds, spec)))
    watch = progress if callable(progress) else None
    shown = bar(len(tasks), "reading", "file", silent=watch is not None or not progress)
    with shown, closing(_each(tasks, workers)) as results:  # closing: an interrupt leaves no thread running
        for done, ((into, name, _), facts) in enumerate(zip(tasks, results, strict=True), 1):
            into[name] = facts
            shown.update()
            if watch:
                watch(done, len(tasks))
    return reads


def _each(tasks: list[tuple], workers: int) -> Iterator:
    """Results in the order of the tasks."""
    if workers == 1:
        yield from (task() for _, _, task in tasks)
        return
    with ThreadPoolExecutor(workers) as pool:  # closing this cancels tasks that have not started
        yield from pool.map(lambda task: task[2](), tasks)


def _split(split: str, seed: int, parts: dict[str, SegFiles], findings: list[Finding]) -> Split | None:
    """The split named `split`, or None if it has problems or the data set is too incomplete to check it."""
    if not split or len(parts) < 2 or any(files.missing for files in parts.values()):
        return None
    try:
        chosen = chosen_split(DataConfig(split=split, split_seed=seed), parts["train"])
        problems = [*split_problems(chosen, parts["train"], parts["val"])]
    except (KitError, OSError) as error:
        problems = [one_line(error)]
    for problem in problems:
        findings.append(Finding(ERROR, "split", "train", split, problem if split in problem else f"{split}: {problem}"))
    return None if problems else chosen


def _census(read: Read, ids: tuple[str, ...] | None = None) -> Census:
    """Counts of a whole part, or of its images `ids`, which have masks."""
    files, images, masks = read.files, read.sound_images(), read.sound_masks()
    counts = len(files.ids), len(files.masks), len(files.masked_ids), len(files.extra_ids)
    if ids is not None:
        images, masks = ({name: facts[name] for name in ids if name in facts} for facts in (images, masks))
        counts = len(ids), len(ids), len(ids), 0
    classes = files.spec.classes
    pixels = np.array([facts.pixels for facts in masks.values()], np.int64).reshape(-1, len(classes))
    return Census(
        *counts,
        sizes=dict(Counter(size_text(facts.size) for facts in images.values()).most_common()),
        pixels=dict(zip(classes, pixels.sum(0).tolist(), strict=True)),
        ignored=sum(facts.ignored for facts in masks.values()),
        present=dict(zip(classes, (pixels > 0).sum(0).tolist(), strict=True)),
    )
