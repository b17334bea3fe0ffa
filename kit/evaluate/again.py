"""Finished runs judged again: by another protocol, with other weights, or one against the other."""

from pathlib import Path

from kit.config import EvalConfig
from kit.data.loaders import ValImages, val_loader
from kit.errors import KitError
from kit.evaluate import protocol
from kit.evaluate.bootstrap import compare
from kit.evaluate.counts import load_counts
from kit.evaluate.inspect import val_files
from kit.evaluate.load import Student, load
from kit.evaluate.run import count
from kit.results import RunFolder, provenance
from kit.storage import write_json


def evaluate_run(run_dir: str | Path, weights: str = "last", cfg: EvalConfig | None = None,
                 data_root: str | None = None, device: str = "cpu") -> dict:  # fmt: skip
    """Every score of a run's student on its val part; also written into the run's folder.

    `scores_NAME.json` holds what is returned, `scores_NAME.npz` what was counted on every image. NAME is `weights`,
    with the protocol added where it is not the run's own, so that numbers of two protocols never overwrite each other.
    result.json stays as it is.

    Args:
        run_dir: of a finished run, or of imported weights.
        weights: "last", "average" or "best".
        cfg: the protocol; None is the run's.
        data_root: the data set's folder, if it is not where it was in training.
    Raises: KitError if run, weights or data are not there.
    """
    student, folder = load(run_dir, weights), RunFolder(Path(run_dir))
    own = student.config.evaluate
    cfg = cfg or own
    images = val_images(student, data_root, cfg.limit)
    spec = images.files.spec
    counts = count(student.net.to(device), val_loader(images, student.config.data.workers), spec, cfg, full=True)
    name = weights if asked_alike(cfg, own) else f"{weights}_{slug(cfg)}"
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
    """`kit.evaluate.bootstrap.compare` of two runs, from what was counted when each was judged.

    Args:
        name: of the counts in both folders: "last", "average", or what else `evaluate_run` has written.
    Raises: KitError if there are none, or if images, masks or protocols differ.
    """
    a, b = (load_counts(RunFolder(Path(run)).scores(name)) for run in (first, second))
    if a.protocol != b.protocol:
        raise KitError(f"{first} and {second} were judged by different protocols ({a.protocol}; {b.protocol})")
    if a.names != b.names:
        raise KitError(f"{first} and {second} were not judged on the same images; evaluate both on the same val part")
    return {"protocol": a.protocol, **compare(a.matrices, b.matrices, resamples)}


def val_images(student: Student, data_root: str | None = None, limit: int = 0) -> ValImages:
    """The val images a student is judged on, at the size it works at. Raises KitError if there are none with a mask."""
    images = ValImages(val_files(student, data_root, student.config.data.base_size), limit)
    files = images.files
    if tuple(student.classes) != files.spec.classes:
        raise KitError(f"the student tells other classes apart than {files.spec.name} in {files.root} has")
    return images


def asked_alike(cfg: EvalConfig, own: EvalConfig) -> bool:
    """Whether two protocols are one, on the same images."""
    return (protocol.sentence(cfg), cfg.limit) == (protocol.sentence(own), own.limit)


def slug(cfg: EvalConfig) -> str:
    """A protocol as part of a file's name, such as "slide_512x512_342x342_flip"."""
    sizes = ["x".join(map(str, size)) for size in (cfg.window, protocol.stride_of(cfg)) if size] if cfg.window else []
    scales = [] if cfg.scales == (1.0,) else ["x".join(f"{scale:g}" for scale in cfg.scales)]
    ways = [way for way, usual in ((cfg.combine, "probabilities"), (cfg.pad, "end")) if way != usual]
    limit = [f"first{cfg.limit}"] if cfg.limit else []
    return "_".join([cfg.mode, *sizes, *(["flip"] if cfg.flip else []), *scales, *ways, *limit])
