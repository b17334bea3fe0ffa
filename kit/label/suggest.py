"""Which images to label next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from kit.data.fingerprint import find_data
from kit.data.pictures import pictures_in
from kit.data.splits.split import list_text, repeated
from kit.errors import KitError
from kit.evaluate.student import Student, load, read_pixels
from kit.label.duplicates import ALIKE, without_duplicates
from kit.label.evidence import Named, Readers, gather
from kit.label.pool import Choice, Pool
from kit.label.strategies import DIFFERING, STRATEGIES
from kit.runs.folder import RunFolder, provenance
from kit.settings.checks import require_choice, require_positive
from kit.system.paths import from_project
from kit.system.storage import write_bytes, write_json

LONGEST = 640
"""Largest side of a displayed image, in pixels."""


class Suggestion(NamedTuple):
    """An image to label."""

    name: str  # its id
    path: Path
    score: float  # of the strategy
    reason: str


class Seen(NamedTuple):
    """A suggestion for display: arrays of one size."""

    image: np.ndarray  # uint8 (H, W, 3)
    prediction: np.ndarray  # uint8 (H, W), the student's class ids
    differing: np.ndarray  # float32 (H, W), divergence of networks or views, 0..1


@dataclass(frozen=True)
class Suggestions:
    """Result of `suggest`, best first."""

    chosen: tuple[Suggestion, ...]
    random: tuple[str, ...]
    """As many ids drawn at random from the same pool, for comparison."""
    strategy: str
    run: str
    weights: str
    """Of the student, as in `kit.load`."""
    labelled: int
    """Number of labelled images in the run's split, as it is now."""
    pool: int
    """Number of images that could be suggested."""
    duplicates: int
    """Number of images skipped as near-duplicates of a labelled image or of an earlier suggestion."""
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    members: str
    """Names of the networks or views that are compared for the disagreement."""
    broken: tuple[str, ...] = ()
    """An error for each image that cannot be read; such images are left out."""

    @property
    def names(self) -> tuple[str, ...]:
        """Ids, best first."""
        return tuple(each.name for each in self.chosen)

    def student(self) -> Student:
        """The student that ranked them."""
        return load(self.run, self.weights)

    def record(self) -> dict:
        """The suggestions as values for JSON."""
        rows = [{"image": each.name, "score": round(each.score, 5), "reason": each.reason} for each in self.chosen]
        about = ("strategy", "run", "weights", "labelled", "pool", "duplicates", "members", "broken")
        return {**{name: getattr(self, name) for name in about}, "suggested": rows, "random": list(self.random)}


def suggest(run: str | Path, count: int = 10, strategy: str = "balanced", images: str | Path = "", seed: int = 0,
            weights: str = "last", data_root: str = "", alike: float = ALIKE, device: str = "cpu",
            silent: bool = False) -> Suggestions:  # fmt: skip
    """The images to label next, ranked by a strategy from the predictions of a finished run's networks.

    Args:
        run: folder of the run.
        count: number of images; fewer are returned if all others are near-duplicates.
        strategy: a key of `kit.label.strategies.STRATEGIES`.
        images: a folder of photographs to choose from, except labelled images and val images of the data set; "" takes
            the images that the run's split leaves unlabelled now.
        seed: of k-means and of random draws.
        weights: of the student, as in `kit.load`.
        data_root: the data set's folder, if it is not where it was in training.
        alike: smallest correlation of the fingerprints of two near-duplicates (`kit.label.duplicates`).
    Raises: KitError for an unknown strategy, a run that is not finished, an id that a list cannot hold, or if there is
        nothing to choose from.
    """
    require_choice(STRATEGIES, strategy=strategy)
    require_positive(count=count, alike=alike)
    unlabelled, labelled = candidates(run, images, data_root)
    readers = Readers(run, weights, device)
    pool, broken = gather(readers, unlabelled, labelled, silent, differing=strategy in DIFFERING)
    order = STRATEGIES[strategy](pool, count, seed)
    chosen, passed = _apart(order, pool, count, alike)
    drawn, _ = _apart(STRATEGIES["random"](pool, count, seed), pool, count, alike)
    paths, student = dict(unlabelled), readers.student
    return Suggestions(
        tuple(Suggestion(pool.names[c.index], paths[pool.names[c.index]], c.score, c.reason) for c in chosen),
        tuple(pool.names[c.index] for c in drawn), strategy, str(run), weights, len(labelled), len(pool.names), passed,
        tuple(student.classes), tuple(map(tuple, student.palette)), readers.members, tuple(broken),
    )  # fmt: skip


def candidates(run: str | Path, images: str | Path = "", data_root: str = "") -> tuple[Named, Named]:
    """(id, file) of the images that may be suggested, and of the labelled ones. Raises KitError as `suggest` does."""
    data = find_data(RunFolder(run).config(data_root).data)
    labelled = [(name, data.train.paths[name]) for name in data.split.labelled]
    if images:
        place = from_project(images)
        if not place.exists():
            raise KitError(f"no folder {place}; give a folder of photographs")
        known = {path.resolve() for path in (*dict(labelled).values(), *data.val.paths.values())}
        found = [(name, path) for name, path in pictures_in(place) if path.resolve() not in known]
        if twice := repeated(tuple(name for name, _ in found)):
            raise KitError(f"{place} has two pictures called {min(twice)}; rename one of them")
    else:
        found = [(name, data.train.paths[name]) for name in data.split.pool]
    list_text(name for name, _ in found)  # raises for a name that neither images.txt nor the contact sheet can show
    if not found:
        raise KitError(f"nothing to suggest: every image of {images or data.train.root} is labelled already, or of val")
    return found, labelled


def seen(suggestions: Suggestions, device: str = "cpu") -> list[Seen]:
    """Image, prediction and disagreement of each suggestion, for a contact sheet. Raises KitError if there is none."""
    if not suggestions.chosen:
        raise KitError(f"all {suggestions.pool} images are near-duplicates of labelled ones; raise alike to get them")
    readers, shown = Readers(suggestions.run, suggestions.weights, device), []
    for each in suggestions.chosen:
        reading = readers.read(each.path)
        image = Image.fromarray(read_pixels(each.path).permute(1, 2, 0).numpy())
        image.thumbnail((LONGEST, LONGEST))
        prediction = Image.fromarray(reading.mean.argmax(0).astype(np.uint8))
        prediction = prediction.resize(image.size, Image.Resampling.NEAREST)
        differing = Image.fromarray(reading.differing).resize(image.size, Image.Resampling.BILINEAR)
        shown.append(Seen(np.asarray(image), np.asarray(prediction), np.asarray(differing)))
    return shown


def write_suggestions(suggestions: Suggestions, out: Path, ticked: Sequence[str] | None = None) -> list[Path]:
    """Write images.txt (one id a line, best first), random.txt and suggestions.json; return their paths.

    Args:
        ticked: ids to write instead of all; None is all.
    Raises: KitError for a ticked id that was not suggested.
    """
    names = suggestions.names if ticked is None else tuple(ticked)
    if strange := [name for name in names if name not in suggestions.names]:
        raise KitError(f"{strange[0]!r} was not suggested; suggested are {', '.join(suggestions.names)}")
    out.mkdir(parents=True, exist_ok=True)
    lists = {"images.txt": names, "random.txt": suggestions.random}
    for file, ids in lists.items():
        write_bytes(out / file, "".join(f"{name}\n" for name in ids).encode())
    write_json(out / "suggestions.json", {**suggestions.record(), "ticked": list(names), **provenance()})
    return [out / "images.txt", out / "random.txt", out / "suggestions.json"]


def _apart(order: list[Choice], pool: Pool, count: int, alike: float) -> tuple[list[Choice], int]:
    """The first `count` choices without near-duplicates, and the number of choices skipped as near-duplicates."""
    ranked = [choice.index for choice in order]
    chosen = without_duplicates(ranked, pool.prints, pool.labelled_prints, count, alike)
    places = [ranked.index(index) for index in chosen]
    considered = places[-1] + 1 if len(chosen) == count else len(order)
    return [order[place] for place in places], considered - len(chosen)
