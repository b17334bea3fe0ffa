"""The folder of a run, and reading of finished runs for tables and figures.

config.json                   the whole RunConfig, written first
data.json                     data of the run: classes, lists, numbers and sizes of files
log.jsonl                     one line per `log_every` steps (loss, parts, rate), one per evaluation
tensorboard/                  the same as TensorBoard events
checkpoint.pt                 state from which a killed run resumes, and checkpoint_previous.pt; deleted at the end
nonfinite.pt                  batch and weights of a run that stopped at a loss of nan or infinity
student.safetensors           last weights of the student
student_average.safetensors   their running average
student_best.safetensors      student's weights at the best evaluation during training, if there was one
view_*.safetensors            networks trained beside the student, with `train.keep_views`
scores_*.npz                  pixel counts of every val image, for confidence intervals and comparisons
figures/                      figures of the run
result.json                   written last: a run without it is not finished
import.json                   in a folder of imported weights, which has only this, config.json and weights
"""

import contextlib
import datetime
import json
import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from kit.errors import KitError
from kit.settings.fields import differences, from_dict, replace_fields, to_dict
from kit.settings.run import RunConfig
from kit.system.paths import PROJECT
from kit.system.storage import FULL, no_room, read_json, text_sha256, write_bytes, write_json

SCHEMA = 1
"""Version of result.json; increased when older readers would misread it."""

INCIDENTAL = {"run_dir", "data.root", "data.workers", "data.cache", "data.cache_dir", "evaluate.batch",
              "evaluate.windows", "train.checkpoint_every", "train.keep_views", "train.skip_nonfinite"}  # fmt: skip
"""Fields that may differ when a run resumes: they do not change its result."""

LATER = {"input_scale": None, "prefix_tokens": None, "stem_stride": None, "blocks": None, "block_width": None,
         "encoder_lr": 1.0, "layer_decay": 1.0, "discrete_scales": [], "combine": "probabilities", "pad": "end",
         "classifier": "torch", "teacher_batch": 0, "deep_lr": 0.0, "wide_lr": 0.0, "low_unit": "map",
         "keep_aspect": False, "deterministic": False, "evaluate.precision": "fp32", "labels_from": "student",
         "label_decay": 0.99, "class_share": 0.0, "class_paste": "none", "unlabelled_view": "weak",
         "cps_labels": "pairs", "cps_threshold": 0.0, "cps_agreement": False, "start": "",
         "teacher_method": "cps", "qk_norm": False, "pool": "unlabelled"}  # fmt: skip
"""Fields added after runs had been saved -> their defaults. "part.field" is a field of that part only. A field at its
default is left out of a run's digest, so that older checkpoints and teachers are still found."""


def identity(cfg: RunConfig) -> str:
    """Digest of everything that defines a run: equal for configurations that differ only in INCIDENTAL fields."""
    return text_sha256(json.dumps(defining(to_dict(cfg)), sort_keys=True))


def defining(plain: dict, part: str = "") -> dict:
    """A copy of a plain configuration without the fields in INCIDENTAL, and without those in LATER that have their
    default."""
    kept = {}
    for name, value in plain.items():
        full = f"{part}.{name}" if part else name
        known = name if name in LATER else full
        if full not in INCIDENTAL and (known not in LATER or value != LATER[known]):
            kept[name] = defining(value, name) if isinstance(value, dict) else value
    return kept


def _file(name: str) -> property:
    """The path of a file of a `RunFolder`."""
    return property(lambda folder: folder.path / name)


class RunFolder:
    """Paths of one run, with functions that read and write them."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    config_file = _file("config.json")
    data_file = _file("data.json")
    log_file = _file("log.jsonl")
    checkpoint_file = _file("checkpoint.pt")
    previous_checkpoint_file = _file("checkpoint_previous.pt")
    nonfinite_file = _file("nonfinite.pt")
    lock_file = _file(".lock")
    result_file = _file("result.json")
    import_file = _file("import.json")
    card_file = _file("card.json")
    figures = _file("figures")

    def weights(self, which: str = "last") -> Path:
        """File of the student's "last" weights, their running "average", or the weights of the "best" evaluation."""
        return self.path / ("student.safetensors" if which == "last" else f"student_{which}.safetensors")

    def view(self, name: str) -> Path:
        """File of the last weights of a network trained beside the student."""
        return self.path / f"view_{name}.safetensors"

    def views(self) -> list[str]:
        """Names of the networks in the folder that were trained beside the student."""
        return sorted(path.stem.removeprefix("view_") for path in self.path.glob("view_*.safetensors"))

    def scores(self, which: str = "last") -> Path:
        """File of the counts of every val image, with the "last", "average" or "best" weights."""
        return self.path / f"scores_{which}.npz"

    def check_free(self, cfg: RunConfig) -> None:
        """Raise KitError if the folder holds a run other than `cfg`, or is a file."""
        if self.path.is_file():
            raise KitError(f"run_dir {self.path} is a file; name a folder")
        if not self.config_file.is_file():
            return
        differing = [name for name in differences(cfg, self.config()) if name not in INCIDENTAL]
        if differing:
            raise KitError(
                f"{self.path} already holds another run (it differs in {', '.join(differing)}); "
                "choose another run_dir, or delete the folder"
            )

    def open(self, cfg: RunConfig, data: dict) -> None:
        """Write the configuration and the data (`kit.data.fingerprint.Data.record`) of a new run, and delete temporary
        files of killed processes."""
        begun = self.config_file.is_file()
        if not (begun and self.data_file.is_file()):
            write_json(self.data_file, data)
        if not begun:
            write_json(self.config_file, to_dict(cfg))
        for half in self.path.glob(".*.tmp"):
            half.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the files of a run before its first checkpoint, and the folder if nothing else is in it."""
        for path in (self.config_file, self.data_file, self.log_file, self.lock_file, self.weights("best")):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint, the last one or the one before it."""
        return self.checkpoint_file.exists() or self.previous_checkpoint_file.exists()

    def remove_checkpoints(self) -> None:
        """Delete the checkpoints, which a finished run no longer needs."""
        for path in (self.checkpoint_file, self.previous_checkpoint_file):
            path.unlink(missing_ok=True)

    def config(self, data_root: str = "") -> RunConfig:
        """The configuration of the run. Raises KitError if the folder holds none.

        Args:
            data_root: the data set's folder, if it is not where it was in training.
        """
        if not self.config_file.is_file():
            raise KitError(f"{self.path} holds no run (no config.json)")
        cfg = read_config(self.path)
        return replace_fields(cfg, {"data.root": data_root}) if data_root else cfg

    def result(self) -> dict | None:
        """Content of result.json, or None if the run is not finished."""
        if not self.result_file.is_file():
            return None
        result = read_json(self.result_file)
        if not isinstance(result, dict):
            raise KitError(f"{self.result_file} holds no result of a run")
        if result.get("schema") != SCHEMA:
            raise KitError(f"{self.result_file} has schema {result.get('schema')}, this kit reads {SCHEMA}")
        return result

    def finished_result(self) -> dict:
        """Content of result.json. Raises KitError if the run is not finished."""
        result = self.result()
        if result is None:
            state = "is not finished" if self.config_file.is_file() else "holds no run"
            raise KitError(f"{self.path} {state}: there is no result.json in it")
        return result

    def data(self) -> dict | None:
        """The record of the run's data; None if there is none.

        Finished runs of older versions have no record; for them it holds the classes and lists in their result.
        """
        result = self.result()
        if result is None:
            started = self.config_file.is_file() and self.data_file.is_file()
            return read_json(self.data_file) if started else None
        if "data" in result:
            return result["data"]
        lists = {name: {"count": result["split"][name], "sha256": result["split"][f"{name}_sha256"]}
                 for name in ("labelled", "unlabelled")}  # fmt: skip
        return {"classes": result["dataset"]["classes"], "lists": lists}

    def append_log(self, record: dict) -> None:
        """Add a line to log.jsonl. Raises KitError if the disk is full."""
        try:
            with open(self.log_file, "a") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            if error.errno in FULL:
                raise no_room(self.log_file, error) from error
            raise

    def flush_log(self) -> None:
        """Flush log.jsonl to disk, so that it is never behind a checkpoint."""
        if self.log_file.is_file():
            with open(self.log_file, "rb") as file:
                os.fsync(file.fileno())

    def log(self) -> list[dict]:
        """All complete lines of log.jsonl; lines that were cut off by a kill or damaged are left out."""
        records = []
        for line in self.log_file.read_text("utf-8", "replace").splitlines() if self.log_file.is_file() else []:
            with contextlib.suppress(json.JSONDecodeError):
                records.append(json.loads(line))
        return records

    def cut_log(self, step: int, evaluated: bool) -> None:
        """Drop the lines that a run resumed at `step` will write again: later ones, and the evaluation at `step` unless
        it is `evaluated` already."""
        kept = [r for r in self.log() if r["step"] < step or r["step"] == step and (evaluated or "miou" not in r)]
        write_bytes(self.log_file, "".join(json.dumps(record) + "\n" for record in kept).encode())


def read_config(path: Path) -> RunConfig:
    """The configuration in a file, or in the config.json of a folder. Raises KitError, which names `path`, if it is
    none, for example that of a model folder."""
    content = read_json(path / "config.json" if path.is_dir() else path)
    try:
        if isinstance(content, dict) and {"kit_format", "config"} <= content.keys():  # of `kit.models.model_folder`
            raise KitError("this is a model folder, not a run: it serves for kit.load, predict, card, export and "
                           "serve, and as a start of a run")  # fmt: skip
        return from_dict(content)
    except KitError as error:
        raise KitError(f"{path}: {error}") from error


def load_run(path: str | Path) -> dict:
    """result.json of a finished run, with "path" (its folder), "log" (its lines) and "card" (its efficiency card or
    None) added. Raises KitError if the run is not finished."""
    folder = RunFolder(path)
    card = read_json(folder.card_file) if folder.card_file.is_file() else None
    return {**folder.finished_result(), "path": str(folder.path), "log": folder.log(), "card": card}


def load_runs(paths) -> list[dict]:
    """`load_run` of each path."""
    return [load_run(path) for path in paths]


def provenance() -> dict:
    """Date, versions, machine and commit, for every record."""
    packages = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "accelerate", "numpy")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
        "machine": f"{platform.machine()} {platform.system()}",
        "commit": _commit(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ModuleNotFoundError:  # a machine that trains without, say, segmentation_models_pytorch
        return None


def _commit() -> str | None:
    """Commit of the kit's sources, with "+" if they were changed since; None outside a repository."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--", "kit") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(PROJECT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
