"""`python -m kit bench labels`: wrong regions planted into a data set's masks, and how many of them are found."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from kit.data.catalog import find_spec
from kit.data.reading.files import SegFiles
from kit.data.splits.hash_draw import draw
from kit.data.splits.split import Split, write_lists
from kit.deploy.prediction_files import raw_values
from kit.errors import KitError
from kit.label.planted import KINDS, Planted, plant
from kit.settings.fields import to_dict
from kit.settings.recipes import configure
from kit.system.storage import write_json
from kit.train.folds import fold_runs


def planted_copy(
    dataset: str, root: Path, out: Path, images: int, wrong: int, seed: int = 0
) -> dict[str, list[Planted]]:
    """Write a data set to `out` that is `root`'s with wrong regions in `wrong` of `images` train masks drawn by hash,
    the three kinds in turn; val and all images are links. Return what is wrong with each of the `images`.

    Raises: KitError if there are not as many train images with masks.
    """
    spec = find_spec(dataset, root)
    parts = {part: SegFiles(spec, root, part) for part in ("train", "val")}
    train = parts["train"]
    if not wrong <= images <= len(train.masked_ids):
        raise KitError(f"{wrong} of {images} images are to have wrong masks, and {len(train.masked_ids)} have masks")
    names, rng, table = draw(train.masked_ids, images, seed), np.random.default_rng(seed), raw_values(spec)
    found: dict[str, list[Planted]] = {name: [] for name in names}
    for files in parts.values():
        for path in (*files.paths.values(), *(path for path, _ in files.masks.values())):
            link = out / path.relative_to(files.base)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink() and not link.exists():
                os.symlink(path.resolve(), link)
    for place, name in enumerate(names):
        if sum(map(bool, found.values())) == wrong:
            break
        mask = train.full_mask(name).numpy()
        made = plant(mask, KINDS[place % len(KINDS)], spec.num_classes, rng)
        if made is not None:
            path = out / train.mask_path(name).relative_to(train.base)
            path.unlink()
            Image.fromarray(table[made[0]]).save(path)
            found[name] = [made[1]]
    write_lists(Split(f"{images} images, some planted", names, ()), out / "lists")
    return found


def fold_networks(dataset: str, root: Path, out: Path, folds: int, steps: int, recipe: str = "", seed: int = 0) -> list:
    """Runs out of fold on a planted copy."""
    overrides = {"data.observe": False, "train.eval_every": 0, "evaluate.resamples": 1}
    cfg = configure("supervised", recipe or dataset, dataset=dataset, data_root=str(root), split=str(root / "lists"),
                    seed=seed, steps=steps, run_dir=str(out / "run"), overrides=overrides)  # fmt: skip
    (out / "run").mkdir(parents=True, exist_ok=True)
    write_json(out / "run/config.json", to_dict(cfg))
    return fold_runs(out / "run", folds, out / "folds")
