"""Cross-validation runs, to check labels they have not learnt from: k runs, each without one k-th of the labels."""

from collections.abc import Callable
from pathlib import Path

from kit.data.fingerprint import find_data
from kit.data.splits.hash_draw import draw
from kit.data.splits.split import Split, write_lists
from kit.errors import KitError
from kit.methods.build import METHODS
from kit.models.encoders.pretrained import HUB, PACKAGE
from kit.models.model_folder import is_model_folder, located
from kit.runs.folder import RunFolder
from kit.settings.fields import flat, replace_fields
from kit.train.launch import launch
from kit.train.teachers import with_teachers


def check_folds(folds: int, labelled: int) -> None:
    """Raise KitError unless so many labelled images can be divided into so many parts, at least two."""
    if not 2 <= folds <= labelled:
        raise KitError(f"--folds is {folds}; give 2 to {labelled}, the number of labelled images")


def fold_runs(run: str | Path, folds: int, steps: int = 0, say: Callable[[str], None] | None = None,
              data_root: str = "") -> list[Path]:  # fmt: skip
    """Train `folds` runs like `run`, each without the masks of one part of its labelled images, which stay in as
    unlabelled ones; return the folders, which are in folds_K in that of `run`. Finished runs are not trained again. All
    begin from encoder weights alone, and train teachers of their own: a student that `run` started from, and its
    teachers, can have learnt the masks that are left out.

    Args:
        run: folder of a run, finished or not, whose settings are used.
        folds: 2 or more, at most as many as there are labelled images.
        steps: training steps of each run; 0 is the number of `run`.
        say: called with a line before each run.
        data_root: the data set's folder, if it is not where it was in training.
    Raises: KitError for a number of folds that does not fit, and as `kit.fit`.
    """
    folder = RunFolder(run)
    cfg, place = folder.config(data_root), folder.path / f"folds_{folds}"
    split = find_data(cfg.data).split
    check_folds(folds, len(split.labelled))
    packed = [name for name, value in flat(cfg).items() if name.endswith(".weights") and _is_student(value)]
    order, runs = draw(split.labelled, len(split.labelled), cfg.seed), []
    for fold in range(folds):
        left_out = set(order[fold::folds])
        lists = place / f"lists_{fold + 1}"
        labelled = tuple(name for name in split.labelled if name not in left_out)
        unlabelled = tuple(sorted({*split.pool, *left_out}))
        write_lists(Split(f"{split.name} without fold {fold + 1} of {folds}", labelled, unlabelled), lists)
        changes = {"data.split": str(lists.resolve()), "data.extra": False, "start": "",
                   "run_dir": str(place / f"fold_{fold + 1}")}  # fmt: skip
        changes |= {f"method.{name}": "" for name in METHODS[cfg.method.name].teachers} | dict.fromkeys(packed)
        if steps:
            changes["train.steps"] = steps
        if say:
            say(f"fold {fold + 1} of {folds}: {len(labelled)} labelled images, {len(left_out)} left out")
        launch(with_teachers(replace_fields(cfg, changes)))
        runs.append(place / f"fold_{fold + 1}")
    return runs


def _is_student(weights: str | None) -> bool:
    """Whether a network's `weights` are those of a packed student, not of an encoder alone."""
    return weights not in (None, HUB, PACKAGE) and is_model_folder(located(weights))
