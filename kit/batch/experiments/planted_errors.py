"""Plant wrong regions into a data set's masks, train out-of-fold runs, and measure how many regions are found."""

import os
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from kit.data.catalog import find_spec
from kit.data.reading.files import SegFiles
from kit.data.splits.hash_draw import draw
from kit.data.splits.split import Split, write_lists
from kit.errors import KitError
from kit.label.out_of_fold import suspicious_labels
from kit.label.planted import KINDS, Planted, plant
from kit.label.suspicious import hits
from kit.runs.folder import RunFolder, provenance
from kit.settings.recipes import configure
from kit.system.storage import write_json
from kit.train.folds import check_folds, fold_runs

FIRST = 50
"""Number of findings that are scored."""


def planted_copy(dataset: str, root: Path, out: Path, images: int, wrong: int,
                 seed: int = 0) -> dict[str, list[Planted]]:  # fmt: skip
    """Copy the data set of `root` to `out`, with a wrong region in `wrong` of `images` train masks drawn by hash, as
    many of each kind; with two classes none is swapped. All other files are links. `out/lists` holds the drawn images.

    Returns: id of each drawn image -> its wrong regions.
    Raises: KitError if there are not as many train images with masks, if files of the data set would be replaced by
        links to themselves, or if there are too few regions to plant in.
    """
    spec = find_spec(dataset, root)
    parts = {part: SegFiles(spec, root, part) for part in ("train", "val")}
    train = parts["train"]
    if not 0 < wrong <= images <= len(train.masked_ids):
        raise KitError(f"cannot plant errors in {wrong} of {images} images: {len(train.masked_ids)} images have masks")
    names, rng = draw(train.masked_ids, images, seed), np.random.default_rng(seed)
    found: dict[str, list[Planted]] = {name: [] for name in names}
    links = {out / path.relative_to(files.base): path for files in parts.values()
             for path in (*files.paths.values(), *(path for path, _ in files.masks.values()),
                          *chain.from_iterable(map(files.base.glob, files.layout.lists)))}  # fmt: skip
    if any(_same_place(link, path) for link, path in links.items()):
        raise KitError(f"{out} is the data set itself; name another folder for the copy")
    for link, path in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        os.symlink(path.resolve(), link)
    able = KINDS if spec.num_classes > 2 else KINDS[1:]  # a swapped region needs a third class
    done, kinds = 0, rng.permutation(np.resize(able, wrong)).tolist()  # shuffled: the folds use a hash order too
    for name in names:
        kind = kinds[done % len(kinds)]
        made = plant(train.full_mask(name).numpy(), kind, spec.num_classes, rng) if done < wrong else None
        if made is not None:
            path = out / train.mask_path(name).relative_to(train.base)
            path.unlink()
            Image.fromarray(train.masks[name][1].raw_values()[made[0]]).save(path)
            found[name], done = [made[1]], done + 1
    if done < wrong:
        raise KitError(f"errors could be planted in only {done} of {wrong} masks; take more images")
    write_lists(Split(f"{images} images, {wrong} planted", names, ()), out / "lists")
    return found


def measure(dataset: str, root: Path, out: Path, images: int = 60, wrong: int = 30, folds: int = 3, steps: int = 0,
            seed: int = 0, say: Callable[[str], None] | None = None) -> dict:  # fmt: skip
    """Precision and recall of the first suspicious labels on planted errors, also written to `out/result.json`.

    The masks that the runs are trained on have errors at the same rate as the masks that they check.

    Args:
        dataset, root: a data set with correct masks; errors that it already has count as false alarms.
        out: folder for the planted copy and the runs.
        images, wrong: as in `planted_copy`.
        folds, steps: of `kit.train.folds.fold_runs`.
    """
    check_folds(folds, images)
    planted = planted_copy(dataset, root, out / "data", images, wrong, seed)
    cfg = configure("supervised", dataset=dataset, data_root=str((out / "data").resolve()), seed=seed,
                    split=str((out / "data/lists").resolve()), steps=steps, run_dir=str(out / "run"),
                    overrides={"data.observe": False})  # fmt: skip
    folder = RunFolder(out / "run")
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.check_free(cfg)
    folder.open(cfg, {})
    found = suspicious_labels(fold_runs(folder.path, folds, say=say), parts=("train",), silent=say is None)
    record = {**scored(found.suspicions[:FIRST], planted, found.classes), "images": images, "planted": wrong,
              "folds": folds, "steps": cfg.train.steps, "student": cfg.student.name, "regions": len(found.suspicions),
              **provenance()}  # fmt: skip
    write_json(out / "result.json", record)
    return record


def scored(first: list, planted: dict[str, list[Planted]], classes: tuple[str, ...]) -> dict:
    """Precision and recall of findings, and for each planted region its kind, its size and the first rank that hits."""
    right, hit = hits(first, planted)
    regions = []
    for name, of_image in planted.items():
        for wrong in of_image:
            ranks = [rank for rank, each in enumerate(first, 1) if hits([each], {name: [wrong]})[1]]
            about = {"image": name, "kind": wrong.kind, "pixels": int(wrong.where.sum())}
            meant = {"mask": classes[wrong.given], "true": classes[wrong.true]}
            regions.append({**about, **meant, "rank": ranks[0] if ranks else None})
    recall = {kind: _share([each["rank"] is not None for each in regions if each["kind"] == kind]) for kind in KINDS}
    return {"first": len(first), "precision": _share(right), "recall": hit / max(1, len(regions)),
            "recall_of": recall, "precision_at_10": _share(right[:10]), "planted_regions": regions}  # fmt: skip


def _same_place(a: Path, b: Path) -> bool:
    """Whether two paths name one entry of a folder; where it points, if it is a link, does not matter."""
    return (a.parent.resolve() / a.name) == (b.parent.resolve() / b.name)


def _share(values: list[bool]) -> float | None:
    return sum(values) / len(values) if values else None
