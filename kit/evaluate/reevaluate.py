"""Finished runs evaluated again: by another protocol, with other weights, or compared with each other."""

from dataclasses import replace
from pathlib import Path

from kit.data.fingerprint import files
from kit.data.loaders import FEW_VAL, ValImages, val_loader
from kit.errors import KitError
from kit.evaluate import protocol
from kit.evaluate.run import count
from kit.evaluate.scores.bootstrap import compare
from kit.evaluate.scores.counts import load_counts, unlike
from kit.evaluate.student import Student, load
from kit.evaluate.val_images import val_files
from kit.runs.folder import RunFolder, provenance
from kit.settings.checks import require_positive
from kit.settings.run import EvalConfig
from kit.system.storage import write_json

BUDGET = {
    "steps": lambda run: run["steps"],
    "labelled images": lambda run: run["split"]["labelled"],
    "labelled images per step": lambda run: run["config"]["data"]["labelled"],
    "unlabelled images per step": lambda run: run["config"]["data"]["unlabelled"],
    "crops of": lambda run: " x ".join(map(str, run["config"]["data"]["crop"])),
    "pretrained encoders": lambda run: "yes" if run["config"]["pretrained"] else "no",
}
"""Part of a run's training budget -> its value in a result."""


def evaluate_run(run_dir: str | Path, weights: str = "last", cfg: EvalConfig | None = None,
                 data_root: str | None = None, device: str = "cpu") -> dict:  # fmt: skip
    """Every score of a run's student on its val part; also written into the run's folder.

    `scores_NAME.json` holds the returned record, `scores_NAME.npz` the counts of every image. NAME is `weights`, with
    the protocol added if it is not the run's own, so that scores of two protocols never overwrite each other.
    result.json does not change.

    Args:
        run_dir: of a finished run, or of imported weights.
        weights: "last", "average" or "best".
        cfg: the protocol; None is the run's.
        data_root: the data set's folder, if it is not where it was in training.
    Raises: KitError if run, weights or data are missing.
    """
    student, folder = load(run_dir, weights), RunFolder(run_dir)
    own = student.config.evaluate
    cfg = cfg or own
    images = val_images(student, data_root, cfg.limit)
    spec = images.files.spec
    counts = count(student.net.to(device), val_loader(images, student.config.data.workers), spec, cfg, full=True)
    on_disk = files((name, images.files.paths[name]) for name in images.ids)
    counts = replace(counts, images=on_disk["sha256"])
    same = (protocol.sentence(cfg), cfg.limit) == (protocol.sentence(own), own.limit)
    name = weights if same else f"{weights}_{slug(cfg)}"
    counts.save(folder.scores(name))
    record = {
        "weights": weights,
        "protocol": counts.protocol,
        "protocol_fields": protocol.record(cfg),
        **counts.scores(spec.classes, cfg.resamples).record(),
        "counts": folder.scores(name).name,
        "device": device,
        **provenance(),
    }
    write_json(folder.scores(name).with_suffix(".json"), record)
    return record


def compare_runs(first: str | Path, second: str | Path, name: str = "last", resamples: int = 1000) -> dict:
    """`kit.evaluate.scores.bootstrap.compare` of two runs, from the counts of their evaluations.

    Args:
        name: of the counts in both folders: "last", "average", or another that `evaluate_run` has written.
    Returns: the result of `compare`, with "protocol", "unequal" (a phrase for each part of the budget in which the runs
        differ) and "same" (images and masks were compared by digests, which counts of older versions lack).
    Raises: KitError if there are no counts, or if classes, images, masks or protocols differ.
    """
    require_positive(resamples=resamples)
    folders = [RunFolder(run) for run in (first, second)]
    a, b = (load_counts(folder.scores(name)) for folder in folders)
    if a.protocol != b.protocol:
        raise KitError(f"{first} and {second} were evaluated by different protocols ({a.protocol}; {b.protocol})")
    results = [folder.result() for folder in folders]
    classes = [result["dataset"]["classes"] for result in results if result is not None]
    if len(classes) == 2 and classes[0] != classes[1]:
        raise KitError(f"{first} and {second} were evaluated on different classes and cannot be compared")
    if problem := unlike(a, b):
        raise KitError(
            f"{first} and {second} were not evaluated on the same images: {problem}; evaluate both on one data set "
            "(python -m kit evaluate RUN --data-root FOLDER)"
        )
    same = all(one.masks and one.images for one in (a, b))
    about = {"protocol": a.protocol, "unequal": unequal_budgets(*results), "same": same}
    return {**about, **compare(a.matrices, b.matrices, resamples)}


def unequal_budgets(first: dict | None, second: dict | None) -> list[str]:
    """Differences between the trainings of two runs other than their method, a phrase each.

    Args:
        first, second: contents of result.json; None for imported weights, whose training is unknown.
    """
    if first is None or second is None:
        return [] if first is second else ["one of them was not trained by the kit"]
    pairs = [(name, value(first), value(second)) for name, value in BUDGET.items()]
    return [f"{name} {a} and {b}" for name, a, b in pairs if a != b]


def as_text(found: dict) -> str:
    """A comparison of `compare_runs` for a terminal. A difference whose interval holds 0 is reported as none."""
    low, high = found["interval"]
    p = "" if found["p"] is None else f", p = {found['p']:.4f}"
    lines = [
        f"mean IoU {found['first']:.2%} and {found['second']:.2%}: {100 * found['difference']:+.2f} points, 95 % over "
        f"{found['images']} images {100 * low:+.2f} to {100 * high:+.2f}{p} (paired bootstrap, {found['resamples']} "
        "draws; not about other seeds)"
    ]
    if found["p"] is None:
        lines.append(f"no p-value: {found['images']} images are too few, {FEW_VAL} are needed")
    if low <= 0 <= high:
        lines.append("no difference is shown: the interval holds 0")
    else:
        lines.append(f"on these images the second scores {'higher' if found['difference'] > 0 else 'lower'}")
    if not found["same"]:
        lines.append("the images were compared only by names and pixels per class; evaluate both runs again to be sure")
    if found["unequal"]:
        lines.append(f"unequal budgets, so this does not compare methods only: {'; '.join(found['unequal'])}")
    return "\n".join(lines) + "\n"


def val_images(student: Student, data_root: str | None = None, limit: int = 0) -> ValImages:
    """The val images that a student is evaluated on, at its working size. Raises KitError if none has a mask."""
    images = ValImages(val_files(student, data_root, student.config.data.base_size), limit)
    found = images.files
    if tuple(student.classes) != found.spec.classes:
        raise KitError(f"the student's classes differ from those of {found.spec.name} in {found.root}")
    images.require_labels()
    return images


def slug(cfg: EvalConfig) -> str:
    """A protocol as part of a file's name, such as "slide_512x512_342x342_flip"."""
    sizes = ["x".join(map(str, size)) for size in (cfg.window, protocol.stride_of(cfg))] if cfg.window else []
    scales = [] if cfg.scales == (1.0,) else ["x".join(f"{scale:g}" for scale in cfg.scales)]
    usual = (cfg.combine, "probabilities"), (cfg.pad, "end"), (cfg.precision, "fp32")
    ways = [way for way, common in usual if way != common]
    limit = [f"first{cfg.limit}"] if cfg.limit else []
    return "_".join([cfg.mode, *sizes, *(["flip"] if cfg.flip else []), *scales, *ways, *limit])
